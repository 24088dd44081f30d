"""A log in memory: every entry with the state behind it.

Rule: it was verified whole; states share what did not change, so that all of them together are
little more than the last.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from conductor_core.errors import LogError
from conductor_core.log import Header, Played, Player, Replay
from conductor_core.rawlines import Raw
from conductor_core.semantics import REDUCERS, Reducer, Reducers
from conductor_core.state import FlowState, initial_state

__all__ = ["Recording", "record"]


@frozen
class Recording:
    """A log that was verified; `name` is what errors and pages call it.

    `reduce` is the reducer of the semantics that the log was made by.
    """

    name: str
    entries: tuple[Played, ...]
    replay: Replay
    reduce: Reducer

    @property
    def header(self) -> Header:
        """Whose log it is."""
        return self.replay.header

    def state_at(self, seq: int) -> FlowState:
        """Where the flow stood after an entry; after 0, before anything happened."""
        if not 0 <= seq <= len(self.entries):
            raise LogError(f"{self.name} has {len(self.entries):,} entries, and no entry {seq:,}")
        if seq == 0:
            return initial_state(self.header.spec, self.header.flow_id)
        return self.entries[seq - 1].transition.state

    def at_ms(self, seq: int) -> int:
        """When an entry was made; of 0, when the log began."""
        return self.entries[seq - 1].event.at_ms if seq else self.header.at_ms


def record(name: str, lines: Iterable[Raw], *, reducers: Reducers = REDUCERS) -> Recording:
    """Verify a log and keep all of it; raises LogError or ReplayDivergence as `replay` does."""
    player = Player(lines, reducers=reducers)
    entries = tuple(player)
    return Recording(name, entries, player.result(), reducers[player.header.semantics])
