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
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Final, TypeVar

from conductor_adapters.host import Unstamped
from conductor_adapters.store.errors import FlowExists
from conductor_adapters.store.kept import (
    SNAPSHOT_EVERY,
    Kept,
    begun,
    is_ripe,
    loaded,
    snapshot_of,
)
from conductor_adapters.store.ledger_flow import LedgerFlow
from conductor_adapters.store.office import Holder, News, Nobody, Office
from conductor_adapters.store.protocol import Conflict, FlowRow, Key, Store
from conductor_adapters.store.taken_ids import of_flows
from conductor_core import events
from conductor_core.errors import LogError
from conductor_core.events import Event
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict

__all__ = ["Ledger"]

T = TypeVar("T")

KEPT: Final = 2_000
"""So many flows are held in memory at most."""


class Ledger:
    """The flows of a store, in the hands of one thread.

    With `alarms` it tells when the next timer is due, for who does not ask again and again.
    """

    def __init__(
        self,
        store: Store,
        *,
        now_ms: Callable[[], int],
        holder: Holder | None = None,
        snapshot_every: int = SNAPSHOT_EVERY,
        alarms: bool = True,
    ) -> None:
        self.store = store
        self._connections = store.connections
        self.now_ms = now_ms
        self._office = Office(store, now_ms, Nobody() if holder is None else holder)
        self._snapshot_every = snapshot_every
        self._alarms = alarms
        self._flows: OrderedDict[str, LedgerFlow] = OrderedDict()
        self._touched: set[str] = set()
        self.conflicts = 0
        """How often another was faster than an entry from here, which was then made anew."""

    def reading(self) -> AbstractContextManager[News]:
        """Look at flows and rows as they are at one moment; nobody is held up."""
        return self._whole(self.store.reading(), lambda: None)

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[News]:
        """Do everything within, and learn what it brought about; or nothing happened."""
        return self._whole(self.store.transaction(durable=durable), self._finish)

    @contextmanager
    def _whole(
        self, transaction: AbstractContextManager[None], finish: Callable[[], None]
    ) -> Generator[News]:
        """Begin with no news, and forget what was touched where it does not end well."""
        self._office.news, self._touched = News(), set()
        try:
            with transaction:
                self._forget_what_is_lost()
                yield self.news
                finish()
        except BaseException:
            for flow_id in self._touched:
                self._flows.pop(flow_id, None)
            raise
        while len(self._flows) > KEPT:
            self._flows.popitem(last=False)

    def _forget_what_is_lost(self) -> None:
        """Read anew, after a connection was lost, whatever the store may have lost with it."""
        if self.store.connections != self._connections:
            self._connections = self.store.connections
            self._flows.clear()

    @property
    def news(self) -> News:
        """What the transaction that is open, or was last, brought about."""
        return self._office.news

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
            kept.place = self.store.add_flow(row, kept.writer.header())
        except Conflict:
            there = self.look(state.flow_id).spec
            if there != state.spec:
                raise FlowExists(state.flow_id, of_flows(there, state.spec)) from None
            return None
        self._keep(state.flow_id, kept)
        return self.feed(state.flow_id, events.FlowStarted)

    def feed(self, flow_id: str, what: Unstamped[Event]) -> Verdict:
        """Record an event that happens now, and put what it commands where it is found."""
        return self._fresh(flow_id, lambda flow: flow.feed(what))

    def look(self, flow_id: str) -> FlowState:
        """Where a flow is; raises UnknownFlow."""
        return self._fresh(flow_id, lambda flow: flow.kept.state)

    def recover(self, flow_id: str) -> None:
        """Put everything that a flow waits for where it is found, as after an import."""
        self._fresh(flow_id, lambda flow: flow.recover())

    def fire(self, flow_id: str, timer: str) -> None:
        """Fire a timer that is due, unless another did, or it was forgotten meanwhile."""
        self._hold(flow_id)
        self.news.timers = True
        if self.store.remove_timer(flow_id, timer, due_by_ms=self.now_ms()):
            self.feed(flow_id, partial(events.TimerFired, timer=timer))

    def answer(self, order: Key, owner: str, what: Unstamped[Event]) -> bool:
        """Record how an order ended; False where it is not its owner who says so.

        Only who holds the lease is heard: whoever lost it may have been answered for.
        """
        # First of all: who waits for a flow must hold nothing for which its holder may wait.
        self._hold(order[0])
        if not self.store.answered(order, owner):
            return False
        self.news.ended.append(order)
        self._fresh(order[0], lambda flow: flow.feed(what, answers=order))
        return True

    def drop(self, order: Key, owner: str) -> None:
        """Be done with an order that no entry answers."""
        if self.store.answered(order, owner):
            self.news.ended.append(order)

    def _fresh(self, flow_id: str, act: Callable[[LedgerFlow], T]) -> T:
        """Act on a flow; again, with what was not seen, where another was faster."""
        self._hold(flow_id)
        while True:
            flow = self._flows.get(flow_id)
            if flow is None:
                flow = self._keep(flow_id, loaded(self.store, flow_id))
            self._flows.move_to_end(flow_id)
            try:
                return act(flow)
            except Conflict:
                self.conflicts += 1
                self._catch_up(flow_id, flow)

    def _hold(self, flow_id: str) -> None:
        """Have a flow for this transaction, and see in time whether others went on with it."""
        if flow_id in self._touched:
            return
        self._touched.add(flow_id)
        place, flow = self.store.hold(flow_id), self._flows.get(flow_id)
        if flow is not None and flow.kept.place != place:
            self._catch_up(flow_id, flow)

    def _catch_up(self, flow_id: str, flow: LedgerFlow) -> None:
        """Go on to what others appended; where that is not what is due, read it all."""
        del self._flows[flow_id]
        kept = flow.kept
        unseen, place = self.store.entries(flow_id, after=kept.seq), self.store.place(flow_id)
        try:
            for _, lines in unseen:
                kept.follow(lines)
        except LogError:
            return
        # Where nothing follows, what was remembered stands there no more.
        if unseen and place is not None:
            kept.place = place
            self._keep(flow_id, kept)

    def _keep(self, flow_id: str, kept: Kept) -> LedgerFlow:
        flow = self._flows[flow_id] = LedgerFlow(self._office, flow_id, kept)
        self._touched.add(flow_id)
        self.news.changed[flow_id] = kept.state
        return flow

    def _finish(self) -> None:
        """Do what is due at the end of a transaction."""
        self._put_aside()
        if self.news.timers and self._alarms:
            self.news.next_due_ms = self.store.next_due_ms(at_ms=self.now_ms())

    def _put_aside(self) -> None:
        """Take the snapshots that are due."""
        for flow_id in self._touched:
            flow = self._flows.get(flow_id)
            if flow is not None and is_ripe(flow.kept, self._snapshot_every):
                row = snapshot_of(flow.kept)
                flow.kept.fresh = flow.kept.look = 0
                if row is not None:
                    self.store.put_snapshot(flow_id, row)
