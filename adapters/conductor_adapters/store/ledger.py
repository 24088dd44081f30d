"""The flows of a store: reduced, appended, and their commands put where others find them.

Rule: this is the one loop that all hosts share (`host.FlowLoop`) with a store under it. Its
journal appends within the transaction that is open, and its performer writes rows in the same
one; what a worker, a timer or a person must do follows the commit. A transaction that did not
end leaves no trace in memory either: what it touched is read again.

| transaction | what it holds |
|---|---|
| start | the flow, the header of its log, flow-started, what that commands |
| a request, a fact from outside | the entry, what it commands |
| an answer | the entry, the end of the order, what it commands, orders taken at once |
| a timer | timer-fired, the end of the timer, what it commands |
| a rescue | what is answered for workers that are gone, or their orders free again |
| a look around | orders taken, with their leases |

What is not under way is answered in the transaction that tells it to give up, and a
continue-as-new in the one that asks for it: a store keeps no history that grows too long.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Final, Protocol, TypeVar

from attrs import define, field, frozen

from conductor_adapters.host import FlowLoop, Unstamped
from conductor_adapters.store.errors import FlowExists
from conductor_adapters.store.kept import (
    SNAPSHOT_EVERY,
    Kept,
    begun,
    is_ripe,
    loaded,
    snapshot_of,
)
from conductor_adapters.store.protocol import (
    ASK,
    GENERATE,
    STEP,
    Conflict,
    FlowRow,
    Key,
    Order,
    Store,
)
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
from conductor_core.errors import FormatError, LogError
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict

T = TypeVar("T")

KEPT: Final = 2_000
"""So many flows are held in memory at most."""


@frozen
class Taken:
    """An order that is ours, what it commands, and the state it was read from."""

    order: Order
    command: Command
    state: FlowState


@define
class News:
    """What a transaction brought about, for who acts on it once it is for good."""

    entries: list[tuple[Event, Transition]] = field(factory=list)
    changed: dict[str, FlowState] = field(factory=dict)
    taken: list[Taken] = field(factory=list)
    given_up: list[Key] = field(factory=list)
    lost: list[Key] = field(factory=list)
    ended: list[Key] = field(factory=list)
    timers: bool = False
    next_due_ms: int | None = None
    outbox_age_ms: int | None = None


class Holder(Protocol):
    """Who takes orders here."""

    def wants(self, kind: str, work: str) -> str | None:
        """The name of the owner where an order may be taken here at once."""
        ...

    def is_mine(self, owner: str | None) -> bool:
        """Whether this owner is the one here."""
        ...

    def left_open(self) -> None:
        """An order was put that waits for somebody."""
        ...


class Nobody:
    """Takes nothing, as who only asks does."""

    def wants(self, kind: str, work: str) -> str | None:
        """Nothing."""
        return None

    def is_mine(self, owner: str | None) -> bool:
        """No owner is."""
        return False

    def left_open(self) -> None:
        """Others will find it."""


class Ledger:
    """The flows of a store, in the hands of one thread."""

    def __init__(
        self,
        store: Store,
        *,
        now_ms: Callable[[], int],
        holder: Holder | None = None,
        snapshot_every: int = SNAPSHOT_EVERY,
    ) -> None:
        self.store = store
        self.now_ms = now_ms
        self.holder: Holder = Nobody() if holder is None else holder
        self.news = News()
        self._snapshot_every = snapshot_every
        self._flows: OrderedDict[str, _Flow] = OrderedDict()
        self._touched: set[str] = set()

    @contextmanager
    def transaction(self) -> Generator[News]:
        """Do everything within, and learn what it brought about; or nothing happened."""
        self.news, self._touched = News(), set()
        try:
            with self.store.transaction():
                yield self.news
                self._put_aside()
                if self.news.timers:
                    self.news.next_due_ms = self.store.next_due_ms(at_ms=self.now_ms())
        except BaseException:
            for flow_id in self._touched:
                self._flows.pop(flow_id, None)
            raise
        while len(self._flows) > KEPT:
            self._flows.popitem(last=False)

    # --- flows ---

    def start(self, state: FlowState) -> Verdict | None:
        """Begin a flow; None where the same has begun already, FlowExists where another.

        So who does not know whether a start came through may start again.
        """
        kept = begun(state, at_ms=self.now_ms())
        row = FlowRow(
            flow_id=state.flow_id,
            type=state.spec.type,
            status=state.status,
            began_ms=kept.at_ms,
            changed_ms=kept.at_ms,
        )
        try:
            self.store.add_flow(row, kept.writer.header())
        except Conflict:
            if self.look(state.flow_id).spec != state.spec:
                raise FlowExists(state.flow_id) from None
            return None
        self._keep(state.flow_id, kept)
        return self.feed(state.flow_id, events.FlowStarted)

    def feed(self, flow_id: str, what: Unstamped[Event]) -> Verdict:
        """Record an event that happens now, and put what it commands where it is found."""
        return self._fresh(flow_id, lambda flow: flow.feed(what))

    def look(self, flow_id: str) -> FlowState:
        """Where a flow is; raises UnknownFlow."""
        return self._fresh(flow_id, lambda flow: flow.check())

    def recover(self, flow_id: str) -> None:
        """Put everything that a flow waits for where it is found, as after an import."""
        self._fresh(flow_id, lambda flow: flow.recover())

    def forget(self, flow_id: str) -> None:
        """Keep a flow in memory no longer."""
        self._flows.pop(flow_id, None)

    def fire(self, flow_id: str, timer: str) -> None:
        """Fire a timer that is due."""
        self.store.remove_timer(flow_id, timer)
        self.news.timers = True
        self.feed(flow_id, partial(events.TimerFired, timer=timer))

    def answer(self, order: Key, owner: str, what: Unstamped[Event]) -> bool:
        """Record how an order ended; False where it is not its owner who says so.

        Only who holds the lease is heard: whoever lost it may have been answered for.
        """
        if not self.store.answered(order, owner):
            return False
        self.news.ended.append(order)
        self._fresh(order[0], lambda flow: flow.feed(what, answers=order))
        return True

    def drop(self, order: Key, owner: str) -> None:
        """Be done with an order that no entry answers."""
        if self.store.answered(order, owner):
            self.news.ended.append(order)

    def _fresh(self, flow_id: str, act: Callable[[_Flow], T]) -> T:
        """Act on a flow; again, with what was not seen, where another was faster."""
        self._touched.add(flow_id)
        while True:
            flow = self._flows.get(flow_id)
            if flow is None:
                flow = self._keep(flow_id, loaded(self.store, flow_id))
            self._flows.move_to_end(flow_id)
            try:
                return act(flow)
            except Conflict:
                self._catch_up(flow_id, flow)

    def _catch_up(self, flow_id: str, flow: _Flow) -> None:
        """Go on to what others appended; where that is not what is due, read it all."""
        del self._flows[flow_id]
        kept = flow.kept
        unseen = self.store.entries(flow_id, after=kept.seq)
        try:
            for _, lines in unseen:
                kept.follow(lines)
        except LogError:
            return
        # Where nothing follows, what was remembered stands there no more.
        if unseen:
            self._keep(flow_id, kept)

    def _keep(self, flow_id: str, kept: Kept) -> _Flow:
        flow = self._flows[flow_id] = _Flow(self, flow_id, kept)
        self._touched.add(flow_id)
        self.news.changed[flow_id] = kept.state
        return flow

    def _put_aside(self) -> None:
        """Take the snapshots that are due."""
        for flow_id in self._touched:
            flow = self._flows.get(flow_id)
            if flow is not None and is_ripe(flow.kept, self._snapshot_every):
                row = snapshot_of(flow.kept)
                flow.kept.fresh = flow.kept.look = 0
                if row is not None:
                    self.store.put_snapshot(flow_id, row)


class _Flow:
    """A flow in the ledger: the shared loop, with the store as its journal and its outbox."""

    def __init__(self, ledger: Ledger, flow_id: str, kept: Kept) -> None:
        self.kept = kept
        self._flow_id = flow_id
        self._ledger = ledger
        self._store = ledger.store
        self._answered: Key | None = None
        self._loop = FlowLoop(
            kept.state,
            journal=self,
            performer=_Outbox(ledger, flow_id, kept, self._report),
            now_ms=self._now_ms,
        )

    def feed(self, what: Unstamped[Event], *, answers: Key | None = None) -> Verdict:
        """Record an event that happens now; `answers` is the order that was removed for it."""
        self._answered = answers
        return self._loop.report(what)

    def _now_ms(self) -> int:
        """The clock, which does not go back behind the last entry, whoever wrote that."""
        return max(self.kept.at_ms, self._ledger.now_ms())

    def check(self) -> FlowState:
        """The state, which raises Conflict where others went on from it."""
        if self._store.last_seq(self._flow_id) != self.kept.seq:
            raise Conflict(self._flow_id)
        return self.kept.state

    def recover(self) -> None:
        """Answer for what was interrupted, and do again what is pending."""
        self.check()
        self._loop.recover()

    def append(self, event: Event, transition: Transition) -> None:
        """Append an entry, and remove the orders and the row that it makes untrue."""
        kept = self.kept
        # The writer moves on with every line, and a line that is not appended is none.
        position = kept.writer.tail
        try:
            lines = kept.writer.entry(event, transition)
        except LogError as error:
            raise FormatError("", error.reason) from None
        if not lines:
            self.check()
        else:
            try:
                self._store.append(self._flow_id, position.entries + 1, lines)
            except Conflict:
                kept.writer.move_back(position)
                raise
            kept.fresh += 1
        self._settle(event, transition.state)
        kept.at_ms = max(kept.at_ms, event.at_ms)
        self._ledger.news.entries.append((event, transition))

    def _settle(self, event: Event, state: FlowState) -> None:
        """Bring the rows about a flow to what its state says."""
        if state.status != self.kept.state.status:
            self._store.set_status(self._flow_id, state.status, event.at_ms)
        self.kept.state = state
        self._ledger.news.changed[self._flow_id] = state
        match event:
            case events.StepFinished(attempt=attempt):
                order = (self._flow_id, STEP, attempt)
                if order != self._answered:
                    self._store.remove_order(order)
            case events.GroupsGenerated() | events.GenerationFailed():
                if state.generating != "running":
                    self._store.remove_order((self._flow_id, GENERATE, str(state.run)))
            case _:
                pass

    def _report(self, what: Unstamped[Event]) -> None:
        self._loop.report(what)


class _Outbox:
    """Carries the commands of a flow out by writing down what is to be done."""

    def __init__(
        self,
        ledger: Ledger,
        flow_id: str,
        kept: Kept,
        report: Callable[[Unstamped[Event]], None],
    ) -> None:
        self._ledger = ledger
        self._store = ledger.store
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
        owner = self._ledger.holder.wants(kind, work)
        order = Order(
            flow_id=self._flow_id,
            kind=kind,
            name=name,
            work=work,
            deliveries=0 if owner is None else 1,
        )
        if not self._store.put_order(order, owner, at_ms=self._kept.at_ms):
            return
        if owner is None:
            self._ledger.holder.left_open()
        else:
            self._ledger.news.taken.append(Taken(order, command, self._kept.state))

    def cancel_futures(self, command: CancelFutures) -> None:
        """Leave word for who works; what nobody works on has given up already."""
        for attempt in command.attempts:
            key = (self._flow_id, STEP, attempt)
            _, owner = self._store.order_owner(key)
            if owner is None:
                self._report(cancelled(attempt))
            else:
                self._tell(key, owner)

    def _tell(self, key: Key, owner: str) -> None:
        self._store.ask_to_give_up(key)
        if self._ledger.holder.is_mine(owner):
            self._ledger.news.given_up.append(key)

    def schedule_timer(self, command: ScheduleTimer) -> None:
        """Write a timer down."""
        self._store.put_timer(self._flow_id, command.timer, command.due_at_ms)
        self._ledger.news.timers = True

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
