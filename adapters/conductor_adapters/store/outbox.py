"""Carries the commands of a flow out by writing down what is to be done.

Rule: nothing leaves from here. An order is put, as taken where it may be taken here at once,
and whoever takes it acts when the transaction is for good.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from conductor_adapters.host import Unstamped
from conductor_adapters.store.kept import Kept
from conductor_adapters.store.office import Office, Taken
from conductor_adapters.store.protocol import ASK, GENERATE, STEP, Key, Order
from conductor_adapters.work import cancelled
from conductor_core import events
from conductor_core.commands import (
    CancelFutures,
    CancelTimer,
    Command,
    ContinueAsNew,
    DispatchStep,
    FinishFlow,
    GenerateSteps,
    RequestApproval,
    ScheduleTimer,
)
from conductor_core.events import Event


class Outbox:
    """Carries the commands of a flow out by writing down what is to be done."""

    def __init__(
        self,
        office: Office,
        flow_id: str,
        kept: Kept,
        report: Callable[[Unstamped[Event]], None],
    ) -> None:
        self._office = office
        self._store = office.store
        self._flow_id = flow_id
        self._kept = kept
        self._report = report

    def dispatch_step(self, command: DispatchStep) -> None:
        """Put the work of an attempt into the outbox."""
        self._put(STEP, command.attempt, command.work, command)

    def request_approval(self, command: RequestApproval) -> None:
        """Put a question into the outbox."""
        self._put(ASK, command.attempt, "", command)

    def generate_steps(self, command: GenerateSteps) -> None:
        """Put the making of groups into the outbox."""
        self._put(GENERATE, str(command.run), command.flow_type, command)

    def _put(self, kind: str, name: str, work: str, command: Command) -> None:
        """Put an order, as taken where it may be taken here at once."""
        owner = self._office.holder.wants((self._flow_id, kind, name), work)
        order = Order(
            flow_id=self._flow_id,
            kind=kind,
            name=name,
            work=work,
            deliveries=0 if owner is None else 1,
        )
        holder, at_ms = self._office.holder, self._kept.at_ms
        sent_for_ms = holder.sends(kind) if owner is None else 0
        until_ms = at_ms + sent_for_ms if sent_for_ms else 0
        if not self._store.put_order(order, owner, at_ms=at_ms, sent_until_ms=until_ms):
            return
        taken = Taken(order, command, self._kept.state)
        if owner is not None:
            self._office.news.taken.append(taken)
        elif sent_for_ms:
            self._office.news.to_send.append(taken)
        else:
            holder.left_open()

    def cancel_futures(self, command: CancelFutures) -> None:
        """Leave word for who works; what nobody works on has given up already."""
        for attempt in command.attempts:
            key = (self._flow_id, STEP, attempt)
            order = self._store.order(key)
            if order is None or order[1] is None:
                self._report(cancelled(attempt))
            else:
                self._tell(key, order[1])

    def _tell(self, key: Key, owner: str) -> None:
        self._store.ask_to_give_up(key)
        if self._office.holder.is_mine(owner):
            self._office.news.given_up.append(key)

    def schedule_timer(self, command: ScheduleTimer) -> None:
        """Write a timer down."""
        self._store.put_timer(self._flow_id, command.timer, command.due_at_ms)
        self._office.news.timers = True

    def cancel_timer(self, command: CancelTimer) -> None:
        """Forget a timer."""
        self._store.remove_timer(self._flow_id, command.timer)

    def continue_as_new(self, command: ContinueAsNew) -> None:
        """Go on at once: whoever loads the flow begins with a snapshot, and not at its start."""
        self._report(partial(events.ContinuedAsNew, incarnation=command.incarnation))

    def finish_flow(self, command: FinishFlow) -> None:
        """Close the log, and let go of everything: nothing is waited for any more."""
        self._store.remove_timers(self._flow_id)
        for order, owner in self._store.orders_in(self._flow_id):
            if owner is None or order.kind == ASK:
                self._store.remove_order(order.key)
            else:
                self._tell(order.key, owner)
        lines = self._kept.writer.close(self._kept.state)
        if lines:
            self._store.extend(self._flow_id, self._kept.seq, lines)
