"""What a replay of one log came to, small enough to be sent from one process to another.

Rule: a log is streamed, and it is verified to its end even where it has long parted from what
it is held against: of a log that is not true nothing else is said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import frozen

from conductor_adapters.debugger.against import Against, Departure, departure_of
from conductor_core import semantics
from conductor_core.errors import LogError, ReplayDivergence
from conductor_core.log import Player, Replay
from conductor_core.log import replay as replayed
from conductor_core.rawlines import Raw
from conductor_core.state import FlowState

UNENDED: Final = "the last line has no line end; nothing else of it is missing"


@frozen(kw_only=True)
class Verification:
    """What is known of a log that was verified; `truncated` is what its last line lacks."""

    flow_id: str
    status: str
    entries: int
    digest: str
    closed: bool
    truncated: LogError | None

    @classmethod
    def of(cls, replay: Replay, lines: int) -> Verification:
        """What is known after a replay of so many lines."""
        unended = None if replay.terminated else LogError(UNENDED, line=lines)
        return cls(
            flow_id=replay.state.flow_id,
            status=replay.state.status,
            entries=replay.entries,
            digest=replay.digest,
            closed=replay.closed,
            truncated=replay.truncated or unended,
        )


@frozen(kw_only=True)
class Verified:
    """What became of a log: what was found, or what is wrong with it.

    `compared` says that it was held against something, `departure` where it differs from that.
    """

    file: str
    found: Verification | None = None
    error: LogError | None = None
    compared: bool = False
    departure: Departure | None = None

    @property
    def exit_code(self) -> int:
        """0 for a log that verifies, 1 for one that diverges or differs, 2 for no log."""
        if self.error is None:
            return 0 if self.departure is None else 1
        return 1 if isinstance(self.error, ReplayDivergence) else 2


@frozen(kw_only=True)
class Moment:
    """Where a flow stood after an entry, and when that was."""

    state: FlowState
    at_ms: int


class Counted:
    """Lines that are counted as they pass by."""

    def __init__(self, lines: Iterable[Raw]) -> None:
        self._lines = lines
        self.number = 0

    def __iter__(self) -> Iterator[Raw]:
        for line in self._lines:
            self.number += 1
            yield line


def verified(file: str, lines: Iterable[Raw], against: Against | None = None) -> Verified:
    """Replay a log, named by its file, and perhaps hold it against something."""
    counted = Counted(lines)
    try:
        if against is None:
            replay = replayed(counted, reducers=semantics.REDUCERS)
            return Verified(file=file, found=Verification.of(replay, counted.number))
        replay, departure = _compared(Player(counted, reducers=semantics.REDUCERS), against)
    except LogError as error:
        return Verified(file=file, error=error)
    found = Verification.of(replay, counted.number)
    return Verified(file=file, found=found, compared=True, departure=departure)


def _compared(player: Player, against: Against) -> tuple[Replay, Departure | None]:
    entries = iter(player)
    departure = departure_of(entries, *against.begin(player.header))
    deque(entries, maxlen=0)
    return player.result(), departure


def verified_until(
    file: str, lines: Iterable[Raw], until: int | None
) -> tuple[Verified, Moment | None]:
    """Replay a log to an entry, or to its end, and tell where the flow stood then."""
    counted = Counted(lines)
    try:
        player = Player(counted, reducers=semantics.REDUCERS)
        at_ms = _play_until(player, until)
    except LogError as error:
        return Verified(file=file, error=error), None
    replay = player.result()
    if until is not None and replay.entries < until:
        missing = LogError(f"it has {replay.entries:,} entries, and no entry {until:,}")
        return Verified(file=file, error=missing), None
    moment = Moment(state=replay.state, at_ms=at_ms)
    return Verified(file=file, found=Verification.of(replay, counted.number)), moment


def _play_until(player: Player, until: int | None) -> int:
    """Verify a log to an entry, and tell when the last that was verified was made."""
    at_ms = player.header.at_ms
    for played in player if until != 0 else ():
        at_ms = played.event.at_ms
        if played.seq == until:
            break
    return at_ms


def unreadable(file: str, error: OSError) -> Verified:
    """What became of a file that the system does not give."""
    return Verified(file=file, error=LogError(error.strerror or str(error)))
