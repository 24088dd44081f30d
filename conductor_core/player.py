"""A log that is verified entry by entry, for who looks at what happened in between.

Rule: what is verified, and what is wrong, is what `replay` says; here it is only told earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conductor_core.errors import LogError, LogTruncated
from conductor_core.events import Event
from conductor_core.frozen import frozen
from conductor_core.loglines import Header
from conductor_core.rawlines import Raw, read_line
from conductor_core.reducer import Transition
from conductor_core.replay import Replay, Run
from conductor_core.scanners import best
from conductor_core.semantics import REDUCERS, Reducers
from conductor_core.state import FlowState

__all__ = ["Played", "Player"]


@frozen
class Played:
    """One entry of a log that was verified: its event, what became of it, and its digest."""

    seq: int
    event: Event
    transition: Transition
    digest: str


class Player:
    """A log that is verified as it is read: iterating gives each entry when its line was.

    Iterating raises what `replay` raises, at the line in question; what was given before stands.
    """

    def __init__(
        self, lines: Iterable[Raw], *, flow_id: str | None = None, reducers: Reducers = REDUCERS
    ) -> None:
        self._lines = iter(lines)
        self._run = Run(self._lines, flow_id, best(), reducers)
        self._reduce, self._run.reduce = self._run.reduce, self._watched
        self._number = 1
        self._last: tuple[Event, Transition] | None = None
        self._truncated: LogError | None = None

    @property
    def header(self) -> Header:
        """Whose log it is."""
        return self._run.header

    @property
    def state(self) -> FlowState:
        """Where the lines so far have led to."""
        return self._run.state

    def result(self) -> Replay:
        """What a replay of the lines so far comes to."""
        return self._run.result(self._truncated)

    def __iter__(self) -> Iterator[Played]:
        try:
            for raw in self._lines:
                self._number += 1
                if not self._run.follows(raw):
                    self._run.follow(read_line(self._number, raw, self._lines))
                last, self._last = self._last, None
                if last is not None:
                    event, transition = last
                    position = self._run.position
                    yield Played(position.entries, event, transition, position.digest)
        except LogTruncated as error:
            self._truncated = error

    def _watched(self, state: FlowState, event: Event) -> Transition:
        """Reduce, and keep what was reduced: a line that is read again keeps its last reading."""
        transition = self._reduce(state, event)
        self._last = event, transition
        return transition
