"""The log of a flow, as far as this run of the workflow knows it.

Rule: the history is the journal: what is reduced here was written there before, and is reduced
again whenever the history is replayed. Only what was accepted counts as part of the log, since a
history has no place for the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from conductor_adapters.store.kept import TailWriter
from conductor_adapters.temporal.carried import Standing
from conductor_adapters.temporal.runner import Sink
from conductor_core import reduce
from conductor_core.events import Event
from conductor_core.loglines import Position, beginning, header_line, new_header
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.verdicts import Accepted


class Record:
    """Keeps the events of a run, and where the log stands after them."""

    def __init__(
        self, state: FlowState, standing: Standing | None, *, at_ms: int, sink: Sink | None
    ) -> None:
        self._first = state
        self._standing = standing
        self._events: list[Event] = []
        self._sink = sink
        self.began_ms = at_ms if standing is None else standing.began_ms
        self.latest_ms = at_ms if standing is None else max(at_ms, standing.latest_ms)
        self._writer, header = self._begun()
        if header:
            self._show(None, None, header)

    def _begun(self, *, wanted: bool = False) -> tuple[TailWriter, str]:
        """A writer where this run began, and the header where it is the first."""
        if self._standing is not None:
            position = self._standing.position
            return TailWriter.going_on(self._first, position, accepted_only=True), ""
        header = new_header(self._first, at_ms=self.began_ms, accepted_only=True)
        position = beginning(header, self._first)
        # The line of a large flow takes its time, and mostly nobody asks for it.
        line = header_line(header) if self._sink is not None or wanted else ""
        return TailWriter.going_on(self._first, position, accepted_only=True), line

    def _show(self, event: Event | None, transition: Transition | None, lines: str) -> None:
        if self._sink is not None:
            self._sink(event, transition, lines, self.position)

    def append(self, event: Event, transition: Transition) -> None:
        """Keep an entry; raises FormatError for an event that no log can express."""
        lines = ""
        if isinstance(transition.verdict, Accepted):
            lines = self._writer.entry(event, transition)
            self._events.append(event)
            self.latest_ms = max(self.latest_ms, event.at_ms)
        self._show(event, transition, lines)

    def close(self, state: FlowState) -> None:
        """End the log of a flow that has ended, until something revives it."""
        lines = self._writer.close(state)
        if lines:
            self._show(None, None, lines)

    @property
    def position(self) -> Position:
        """Where the log stands."""
        return self._writer.tail

    def standing(self, state: FlowState) -> Standing:
        """What the next run is given of a flow."""
        return Standing(
            state=state,
            position=self.position,
            began_ms=self.began_ms,
            latest_ms=self.latest_ms,
        )

    def lines(self) -> Iterator[tuple[int, str]]:
        """What this run has added to the log, with the number of the entry."""
        writer, header = self._begun(wanted=True)
        if header:
            yield 0, header
        state = self._first
        for event in self._events:
            transition = reduce(state, event)
            state = transition.state
            lines = writer.entry(event, transition)
            yield writer.tail.entries, lines
        if self.position.closed:
            yield writer.tail.entries, writer.close(state)
