"""What somebody must do for the flows of a ledger whoever works on them: timers, and rescues.

Rule: what a worker that is gone left behind is answered for as S14.3 says, or given back; what
was to give up has given up with it. A flow whose log cannot be read is left alone for a while,
and holds up nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from conductor_adapters.host import INTERRUPTED, Unstamped
from conductor_adapters.store.asked_for import command_of
from conductor_adapters.store.errors import UnknownFlow
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.protocol import GENERATE, STEP, Order
from conductor_adapters.work import Finished, cancelled
from conductor_core.errors import LogError
from conductor_core.events import Event, GenerationFailed, StepError
from conductor_core.recovery import interrupted_attempts
from conductor_core.state import FlowState

PUT_OFF_MS: Final = 60_000
"""So long what belongs to a flow that cannot be read is left alone."""

_logger = logging.getLogger("conductor_adapters.store")


class Upkeep:
    """Looks after the flows of a ledger; everything is done in the transaction that is open.

    After `max_deliveries` workers that went down with it an attempt has failed as `lost`, and so
    has the making of groups.
    """

    def __init__(self, ledger: Ledger, *, max_deliveries: int) -> None:
        self._ledger = ledger
        self._max_deliveries = max_deliveries

    def attend(self, order: Order, act: Callable[[Order, FlowState], None]) -> None:
        """Do something about an order, unless its flow cannot be read."""
        try:
            act(order, self._ledger.look(order.flow_id))
        except UnknownFlow:
            self._ledger.store.remove_order(order.key)
        except LogError as error:
            _logger.warning("%s cannot be carried out: %s", order.name, error)
            not_before_ms = self._ledger.now_ms() + PUT_OFF_MS
            self._ledger.store.give_back(order.key, not_before_ms=not_before_ms)

    def remove_if_stale(self, order: Order, state: FlowState) -> None:
        """Be done with an order that no flow asks for any more."""
        if command_of(state, order) is None:
            self._ledger.store.remove_order(order.key)

    def rescue(self, order: Order, state: FlowState) -> None:
        """Answer for, or give back, what a worker held that is gone."""
        if command_of(state, order) is None:
            self._ledger.store.remove_order(order.key)
            return
        answer = self.answer_for(order, state)
        if answer is None:
            self._ledger.store.give_back(order.key)
        else:
            self._ledger.feed(order.flow_id, answer)

    def hand_back(
        self, order: Order, state: FlowState, *, begun: bool, not_before_ms: int = 0
    ) -> None:
        """Let others do what a worker leaves undone; what must not run twice has failed (S14.3)."""
        if command_of(state, order) is None:
            self._ledger.store.remove_order(order.key)
        elif order.give_up:
            self._ledger.feed(order.flow_id, cancelled(order.name))
        elif begun and (answer := _interrupted(order, state)) is not None:
            self._ledger.feed(order.flow_id, answer)
        else:
            self._ledger.store.give_back(order.key, not_before_ms=not_before_ms, uncounted=True)

    def answer_for(self, order: Order, state: FlowState) -> Unstamped[Event] | None:
        """What is answered for work that went down with its worker; None: it begins again."""
        if order.kind == STEP and order.give_up:
            return cancelled(order.name)
        answer = _interrupted(order, state)
        if answer is not None or order.deliveries < self._max_deliveries:
            return answer
        error = _lost(order.deliveries)
        if order.kind == STEP:
            return Finished(attempt=order.name, outcome="failed", error=error)
        return partial(GenerationFailed, error=error) if order.kind == GENERATE else None

    def fire(self, flow_id: str, timer: str) -> None:
        """Fire a timer that is due."""
        try:
            self._ledger.fire(flow_id, timer)
        except UnknownFlow:
            self._ledger.store.remove_timer(flow_id, timer)
        except LogError as error:
            _logger.warning("timer %s cannot fire: %s", timer, error)
            self._ledger.store.put_timer(flow_id, timer, self._ledger.now_ms() + PUT_OFF_MS)


def _interrupted(order: Order, state: FlowState) -> Finished | None:
    """What is answered for work that began and must not run twice unseen; None for other work."""
    if order.kind == STEP and order.name in interrupted_attempts(state):
        return Finished(attempt=order.name, outcome="failed", error=INTERRUPTED)
    return None


def _lost(deliveries: int) -> StepError:
    """What is answered for work that takes its workers down."""
    return StepError(
        type="lost", message=f"{deliveries} workers went down with it", non_retryable=True
    )
