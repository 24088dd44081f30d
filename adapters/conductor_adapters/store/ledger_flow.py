"""One flow of a ledger: the loop that all hosts share, with a store as its journal and outbox.

Rule: an entry is appended, and with it go the rows that it makes untrue; what it commands is
written by `outbox` in the same transaction.
"""

from __future__ import annotations

from conductor_adapters.host import FlowLoop, Unstamped
from conductor_adapters.store.asked_for import command_of
from conductor_adapters.store.kept import Kept
from conductor_adapters.store.office import Office
from conductor_adapters.store.outbox import Outbox
from conductor_adapters.store.protocol import GENERATE, STEP, Conflict, Key, Order
from conductor_core import events
from conductor_core.errors import FormatError, LogError
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict


class LedgerFlow:
    """A flow in the ledger: the shared loop, with the store as its journal and its outbox."""

    def __init__(self, office: Office, flow_id: str, kept: Kept) -> None:
        self.kept = kept
        self._flow_id = flow_id
        self._office = office
        self._store = office.store
        self._answered: Key | None = None
        self._loop = FlowLoop(
            kept.state,
            journal=self,
            performer=Outbox(office, flow_id, kept, self._report),
            now_ms=self._now_ms,
        )

    def feed(self, what: Unstamped[Event], *, answers: Key | None = None) -> Verdict:
        """Record an event that happens now; `answers` is the order that was removed for it."""
        self._answered = answers
        return self._loop.report(what)

    def _now_ms(self) -> int:
        """The clock, which does not go back behind the last entry, whoever wrote that."""
        return max(self.kept.at_ms, self._office.now_ms())

    def recover(self) -> None:
        """Answer for what was interrupted, and do again what is pending."""
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
        if lines:
            try:
                kept.place = self._store.append(
                    self._flow_id, position.entries + 1, lines, behind=kept.place
                )
            except Conflict:
                kept.writer.move_back(position)
                raise
            kept.fresh += 1
        self._settle(event, transition.state)
        kept.at_ms = max(kept.at_ms, event.at_ms)
        self._office.news.entries.append((event, transition))

    def _settle(self, event: Event, state: FlowState) -> None:
        """Bring the rows about a flow to what its state says."""
        if state.status != self.kept.state.status:
            self._store.set_status(self._flow_id, state.status, event.at_ms)
        self.kept.state = state
        self._office.news.changed[self._flow_id] = state
        match event:
            case events.StepFinished(attempt=attempt):
                key = (self._flow_id, STEP, attempt)
                if key != self._answered:
                    self._store.remove_order(key)
            case events.GroupsGenerated() | events.GenerationFailed():
                order = Order(
                    flow_id=self._flow_id, kind=GENERATE, name=str(state.run), work=state.spec.type
                )
                if command_of(state, order) is None:
                    self._store.remove_order(order.key)
            case _:
                pass

    def _report(self, what: Unstamped[Event]) -> None:
        self._loop.report(what)
