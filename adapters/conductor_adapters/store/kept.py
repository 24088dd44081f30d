"""A flow as a store keeps it: its state, and the writer that goes on with its log.

Rule: what is loaded is what the lines say. A snapshot is a cache: it counts only while its
digest is its own, its log ends where the entry says, and every line behind it is, to the byte,
the one that is due; where anything else is found it is left aside and all lines are verified.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from io import StringIO
from typing import Any, Final

from attrs import define

from conductor_adapters.store.errors import UnknownFlow
from conductor_adapters.store.protocol import SnapshotRow, Store
from conductor_core import reduce
from conductor_core.codec import decode_event
from conductor_core.digest import digest_of
from conductor_core.errors import ConductorError, FormatError, LogError
from conductor_core.events import Event
from conductor_core.log import LogWriter, Replay, replay, restore, snapshot
from conductor_core.loglines import Position, new_header
from conductor_core.payload import canonical_text
from conductor_core.state import FlowState

SNAPSHOT_EVERY: Final = 200

_logger = logging.getLogger("conductor_adapters.store")


class TailWriter(LogWriter):
    """A writer that tells where its log ends."""

    @property
    def tail(self) -> Position:
        """Where the log ends."""
        return self._position

    def move_back(self, position: Position) -> None:
        """Go on where the log really ends: the last line was not taken."""
        self._position = position

    @classmethod
    def going_on(cls, state: FlowState, position: Position, *, accepted_only: bool) -> TailWriter:
        """A writer that goes on where a log ends that led to a state."""
        header = new_header(state, at_ms=0, accepted_only=accepted_only)
        writer = cls.resume(
            Replay(state=state, header=header, position=position, size=0, terminated=True)
        )
        assert isinstance(writer, cls), "a class method makes its own class"
        return writer


@define
class Kept:
    """A flow in memory.

    Its last entry was at `at_ms` and has its place in the store, its last snapshot was taken
    `fresh` entries ago.
    """

    state: FlowState
    writer: TailWriter
    at_ms: int
    place: int = 0
    accepted_only: bool = False
    fresh: int = 0
    look: int = 0

    @property
    def seq(self) -> int:
        """The number of the last entry."""
        return self.writer.tail.entries

    def follow(self, lines: str) -> None:
        """Go on to what one more row of the log leads to; raises LogError for another row."""
        event = event_of(lines)
        transition = reduce(self.state, event)
        due = self.writer.entry(event, transition)
        if due != lines and transition.state.outcome is not None:
            due += self.writer.close(transition.state)
        if due != lines:
            raise LogError(f"entry {self.seq} is not the one that is due")
        self.state, self.at_ms = transition.state, max(self.at_ms, event.at_ms)
        self.fresh += 1


def begun(state: FlowState, *, at_ms: int) -> Kept:
    """A flow to which nothing has happened."""
    return Kept(state, TailWriter(state, at_ms=at_ms), at_ms)


def loaded(store: Store, flow_id: str) -> Kept:
    """A flow as the store has it; raises UnknownFlow, and LogError for a damaged log."""
    place = store.place(flow_id)
    if place is None:
        raise UnknownFlow(flow_id)
    kept = _read(store, flow_id)
    kept.place = place
    return kept


def _read(store: Store, flow_id: str) -> Kept:
    """A flow from its snapshot and what follows it, or else from all its lines."""
    row = store.snapshot(flow_id)
    if row is not None:
        try:
            return _from_snapshot(store, flow_id, row)
        except ConductorError as error:
            # The next one takes its place.
            _logger.warning("the snapshot of flow %s is not used: %s", flow_id, error)
    return _from_lines(store, flow_id)


def _from_snapshot(store: Store, flow_id: str, row: SnapshotRow) -> Kept:
    state = restore(row.state)
    if state.flow_id != flow_id:
        raise LogError(f"it is that of flow {state.flow_id!r}")
    position, accepted_only = read_position(row.position)
    (seq, lines), *rest = store.entries(flow_id, after=row.seq - 1) or [(-1, "")]
    if (seq, position.entries) != (row.seq, row.seq) or _digest(lines) != position.digest:
        raise LogError(f"it was taken after another entry {row.seq}")
    kept = Kept(
        state,
        TailWriter.going_on(state, position, accepted_only=accepted_only),
        row.at_ms,
        accepted_only=accepted_only,
    )
    for _, lines in rest:
        kept.follow(lines)
    return kept


def _from_lines(store: Store, flow_id: str) -> Kept:
    rows = store.entries(flow_id)
    try:
        replayed = replay(log_lines(rows), flow_id=flow_id)
        # A row is written whole or not at all: what is cut off was cut off by somebody.
        if replayed.truncated is not None:
            raise replayed.truncated
        if replayed.entries != rows[-1][0]:
            raise LogError(f"it has {replayed.entries} entries, expected {rows[-1][0]}")
    except LogError as error:
        raise LogError(f"the log of flow {flow_id!r} cannot be read: {error}") from error
    accepted_only = replayed.header.accepted_only
    writer = TailWriter.going_on(replayed.state, replayed.position, accepted_only=accepted_only)
    at_ms = event_of(rows[-1][1]).at_ms if len(rows) > 1 else replayed.header.at_ms
    fresh = len(rows) - 1
    return Kept(replayed.state, writer, at_ms, accepted_only=accepted_only, fresh=fresh)


def snapshot_of(kept: Kept) -> SnapshotRow | None:
    """A flow to put aside; None for one whose payloads allow no text."""
    try:
        state = snapshot(kept.state)
    except FormatError:
        return None
    position = _told(kept)
    return SnapshotRow(seq=kept.seq, at_ms=kept.at_ms, position=position, state=state)


def is_ripe(kept: Kept, every: int) -> bool:
    """Whether it is time for a snapshot: as many entries passed as there are attempts.

    Attempts are counted rarely, so that all counting costs no more than the entries.
    """
    if kept.fresh < max(every, kept.look):
        return False
    earlier = sum(len(superseded) for superseded in kept.state.superseded)
    attempts = len(kept.state.live) + earlier
    if kept.fresh >= attempts:
        return True
    kept.look = min(attempts, 2 * kept.fresh)
    return False


def _told(kept: Kept) -> str:
    """Where a log stands, as text with a digest of its own."""
    tail = kept.writer.tail
    text = canonical_text(
        {
            "digest": tail.digest,
            "entries": tail.entries,
            "since": tail.since,
            "look": tail.look,
            "closed": tail.closed,
            "accepted_only": kept.accepted_only,
        }
    )
    return f"{digest_of(text)} {text}"


def read_position(told: str) -> tuple[Position, bool]:
    """Where a log stood, and whether it holds accepted events only; raises LogError."""
    digest, _, text = told.partition(" ")
    if digest_of(text) != digest:
        raise LogError("its position has another digest")
    fields: dict[str, Any] = json.loads(text)
    accepted_only = fields.pop("accepted_only")
    return Position(**fields), accepted_only


def log_lines(rows: Iterable[tuple[int, str]]) -> list[str]:
    """The lines of a log, each with its newline."""
    # A line ends with a newline and nothing else: JSON holds other separators as they are.
    return [line for _, lines in rows for line in StringIO(lines, newline="\n")]


def event_of(lines: str) -> Event:
    """The event of an entry; raises LogError."""
    first, _, _ = lines.partition("\n")
    try:
        return decode_event(json.loads(first)["event"], "event")
    except (FormatError, ValueError, KeyError, TypeError) as error:
        raise LogError(f"an entry cannot be read: {error}") from None


def _digest(lines: str) -> str:
    """The digest at the end of the last line."""
    try:
        digest: str = json.loads(lines.rstrip("\n").rpartition("\n")[2])["digest"]
    except (ValueError, KeyError, TypeError) as error:
        raise LogError(f"an entry cannot be read: {error}") from None
    return digest
