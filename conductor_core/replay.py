"""Reading a log: every line decoded, or every entry played again and verified.

Rule: the reducer is asked again what it says to each event, and the log must say the same,
to the byte or at least in meaning. A last line that was cut off while it was written is
reported and the lines before it stand; anything else that cannot be read is a LogError with
its line. One line and one state are held at a time, however long the log is.

A line is first read in a hurry, leniently, and the line that is due is written. If the two are
the same to the byte, nothing else needs to be looked at: what is due is within all limits, has
every key once and in its place, and no number, escape or digest could be written otherwise,
so that a strict reader, given these bytes, finds the event that was found in a hurry. Any
other line, a damaged one too, takes the strict path from its bytes on, as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, TypeAlias

from conductor_core.codec import decode_event, lean_event, reader, writer
from conductor_core.differences import differences
from conductor_core.digest import chain
from conductor_core.errors import FormatError, LogError, LogTruncated, ReplayDivergence
from conductor_core.frozen import frozen
from conductor_core.json_text import loads
from conductor_core.lean import MISREAD
from conductor_core.loglines import (
    Checkpoint,
    Closed,
    Entry,
    Header,
    Line,
    Position,
    after_checkpoint,
    after_closing,
    after_entry,
    at_checkpoint,
    entry_line,
    pinned_text,
)
from conductor_core.openings import begun, opened
from conductor_core.rawlines import Raw, Row, bytes_of, first_of, is_terminated, read_line
from conductor_core.scanners import Scanner, best
from conductor_core.semantics import REDUCERS, Reducers
from conductor_core.state import FlowState
from conductor_core.verdicts import Accepted

_Kind: TypeAlias = type[Entry] | type[Checkpoint] | type[Closed]

_EVENT: Final = b'"event":'
"""What comes before the event in the line of an entry."""

TOLD: Final = 20
"""So many differences of one entry are told."""


@frozen(kw_only=True)
class Replay:
    """A log that was verified, and the state it leads to.

    `truncated` tells of a last line that was cut off; `size` is the number of bytes before
    it, to which a file must be cut before it is written on. `closed`: the host had said that
    it was done.
    """

    state: FlowState
    header: Header
    position: Position
    size: int
    terminated: bool
    truncated: LogError | None = None

    @property
    def entries(self) -> int:
        """How many entries were verified."""
        return self.position.entries

    @property
    def digest(self) -> str:
        """The digest that pins the header and all lines."""
        return self.position.digest

    @property
    def closed(self) -> bool:
        """Whether the log ends with `closed`."""
        return self.position.closed


def replay(
    lines: Iterable[Raw],
    *,
    flow_id: str | None = None,
    scanner: Scanner | None = None,
    reducers: Reducers = REDUCERS,
) -> Replay:
    """Play a log again and verify every line of it, perhaps that it is the log of one flow.

    The best scanner is used where none is given; it makes no difference but to the speed.
    `reducers` are those of the semantics that are known.
    """
    rest = iter(lines)
    run = Run(rest, flow_id, best() if scanner is None else scanner, reducers)
    truncated: LogError | None = None
    try:
        for number, raw in enumerate(rest, 2):
            if not run.follows(raw):
                run.follow(read_line(number, raw, rest))
    except LogTruncated as error:
        truncated = error
    return run.result(truncated)


def read_log(lines: Iterable[Raw]) -> Iterator[Line]:
    """The header and the lines of a log as records, unverified; a cut-off end raises."""
    rest = iter(lines)
    header, *_ = opened(read_line(1, first_of(rest), rest), REDUCERS)
    yield header
    for number, raw in enumerate(rest, 2):
        row = read_line(number, raw, rest)
        kind = _kind_of(row)
        try:
            record = reader(kind)(row.data, kind)
        except FormatError as error:
            raise LogError(str(error), line=row.number) from None
        yield record


def _kind_of(row: Row) -> _Kind:
    for key, kind in _KINDS.items():
        if key in row.data:
            return kind
    raise LogError(f"expected a line with one of {', '.join(_KINDS)}", line=row.number)


_KINDS: Final[dict[str, _Kind]] = {
    "seq": Entry,
    "checkpoint": Checkpoint,
    "closed": Closed,
}


# --- a replay under way ---


class Run:
    """A state that follows the lines of its log.

    Where the log stands is a Position, taken apart: it changes with every entry.
    """

    def __init__(
        self, lines: Iterator[Raw], flow_id: str | None, scanner: Scanner, reducers: Reducers
    ) -> None:
        raw = first_of(lines)
        self._scan = scanner.event
        beginning = begun(raw, scanner, reducers) or opened(read_line(1, raw, lines), reducers)
        self.header, self.state, self.position = beginning
        self.reduce = reducers[self.header.semantics]
        if flow_id is not None and self.header.flow_id != flow_id:
            found = self.header.flow_id
            raise LogError(f"the log of flow {found!r}, expected {flow_id!r}", line=1)
        self.last = raw
        self.size = len(bytes_of(raw))

    @property
    def position(self) -> Position:
        """Where the log stands."""
        return Position(
            digest=self._digest,
            entries=self._entries,
            since=self._entries - self._pinned,
            look=self._look_at - self._pinned,
            closed=self._closed,
        )

    @position.setter
    def position(self, position: Position) -> None:
        self._digest, self._entries = position.digest, position.entries
        self._pinned = position.entries - position.since
        self._look_at = self._pinned + position.look
        self._closed = position.closed

    def follows(self, raw: Raw) -> bool:
        """Follow a line that is, to the byte, the entry that is due; tell whether it is."""
        try:
            line = bytes_of(raw)
            event = lean_event(self._scan(line, line.find(_EVENT) + len(_EVENT)))
        except MISREAD:
            return False
        transition = self.reduce(self.state, event)
        verdict, seq = transition.verdict, self._entries + 1
        if self._closed or (self.header.accepted_only and verdict.__class__ is not Accepted):
            return False
        due, digest = entry_line(self._digest, seq, event, verdict, transition.commands)
        if line != due.encode():
            return False
        self.state, self._digest, self._entries = transition.state, digest, seq
        if seq >= self._look_at:
            _, self.position = at_checkpoint(self.position, self.state)
        self.last = raw
        self.size += len(line)
        return True

    def follow(self, row: Row) -> None:
        """Verify one more line and go on to what it leads to."""
        kind = _kind_of(row)
        try:
            if kind is Entry:
                self._follow_entry(row)
            else:
                self._follow_checkpoint(row, kind)
        except FormatError as error:
            raise LogError(str(error), line=row.number) from None
        self.last = row.raw
        self.size += len(bytes_of(row.raw))

    def result(self, truncated: LogError | None) -> Replay:
        """What the lines so far have led to."""
        return Replay(
            state=self.state,
            header=self.header,
            position=self.position,
            size=self.size,
            terminated=is_terminated(self.last),
            truncated=truncated,
        )

    def _follow_entry(self, row: Row) -> None:
        if "event" not in row.data:
            raise FormatError("", "missing key 'event'")
        event = decode_event(row.data["event"], "event")
        transition = self.reduce(self.state, event)
        line, position = after_entry(self.position, event, transition.verdict, transition.commands)
        self._verify(row, Entry, line)
        if not isinstance(transition.verdict, Accepted):
            if self._closed:
                raise LogError("only a rerun may follow the end of the log", line=row.number)
            if self.header.accepted_only:
                raise LogError(
                    "the header says that only accepted events are in it", line=row.number
                )
        _, self.position = at_checkpoint(position, transition.state)
        self.state = transition.state

    def _follow_checkpoint(self, row: Row, kind: _Kind) -> None:
        if self._closed:
            raise LogError("only a rerun may follow the end of the log", line=row.number)
        if kind is Closed and self.state.outcome is None:
            raise LogError("the log is closed, but its flow has not finished", line=row.number)
        after = after_checkpoint if kind is Checkpoint else after_closing
        line, position = after(self.position, self.state)
        self._verify(row, kind, line)
        self.position = position

    def _verify(self, row: Row, kind: _Kind, line: str) -> None:
        """Compare a line with the one that is due: by its text, or else by its meaning."""
        if row.raw == (line.encode() if isinstance(row.raw, bytes) else line):
            return
        logged = writer(kind)(reader(kind)(row.data, kind))
        due = loads(line)
        counter = next(iter(due))
        if logged[counter] != due[counter]:
            problem = f"{counter} is {logged[counter]}, expected {due[counter]}"
            raise LogError(problem, line=row.number)
        if logged["digest"] != chain(self._digest, pinned_text(logged)):
            header = ", or the header before it" if row.number == 2 else ""
            raise LogError(f"broken digest chain: the line was changed{header}", line=row.number)
        self._diverges(row, logged, due)

    def _diverges(self, row: Row, logged: dict[str, Any], due: dict[str, Any]) -> None:
        """Raise ReplayDivergence if a line says anything else than the one that is due."""
        del logged["digest"], due["digest"]
        found = list(islice(differences(logged, due), TOLD + 1))
        if not found:
            return
        told = [f"  {difference}" for difference in found[:TOLD]]
        if len(found) > TOLD:
            told.append("  and more")
        if "event" in logged:
            told.insert(0, f"  on {logged['event']['type']} at {logged['event']['at_ms']} ms")
        raise ReplayDivergence(
            "\n".join(told),
            entry=logged.get("seq", self._entries),
            expected=logged,
            actual=due,
            line=row.number,
        )
