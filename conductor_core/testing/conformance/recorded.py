"""The log of a host, as far as it has been written, and what it says.

Rule: only what stands in the log counts here; what a host remembers otherwise does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from conductor_core.codec import encode_state
from conductor_core.commands import CancelFutures, Command, DispatchStep, GenerateSteps
from conductor_core.errors import LogError
from conductor_core.events import Event, StepFinished, TimerFired, is_request
from conductor_core.log import Closed, Entry, Header, Replay, read_log, replay
from conductor_core.reducer import reduce
from conductor_core.state import FlowState, initial_state
from conductor_core.testing.conformance.breakages import Breach, Breakage
from conductor_core.testing.conformance.likeness import told_differences
from conductor_core.testing.conformance.rig import Rig
from conductor_core.verdicts import Accepted

ACCEPTED: Final = Accepted()


@frozen
class LogSoFar:
    """The lines of a log that are whole, and its entries.

    `selective`: what is ignored or rejected now need not stand in it.
    """

    lines: tuple[bytes | str, ...] = ()
    entries: tuple[Entry, ...] = ()
    selective: bool = False

    def commands(self) -> Iterator[Command]:
        """Every command that was recorded, in order."""
        return (command for entry in self.entries for command in entry.commands)

    def accepted(self) -> Iterator[Event]:
        """Every event that counted, in order."""
        return (entry.event for entry in self.entries if entry.verdict == ACCEPTED)

    def facts(self) -> list[Event]:
        """Every fact that counted, in order."""
        return [event for event in self.accepted() if not is_request(event)]

    def dispatches(self) -> dict[str, DispatchStep]:
        """The dispatch of every attempt."""
        dispatches = (c for c in self.commands() if isinstance(c, DispatchStep))
        return {command.attempt: command for command in dispatches}

    def generations(self) -> dict[int, GenerateSteps]:
        """What was asked for of groups, by run."""
        return {c.run: c for c in self.commands() if isinstance(c, GenerateSteps)}

    def finished(self, attempt: str) -> bool:
        """Whether the end of an attempt's work was recorded."""
        ends = (event for event in self.accepted() if isinstance(event, StepFinished))
        return any(event.attempt == attempt for event in ends)

    def cancelled(self) -> frozenset[str]:
        """Every attempt whose work was to be told to give up."""
        told = (c.attempts for c in self.commands() if isinstance(c, CancelFutures))
        return frozenset(attempt for attempts in told for attempt in attempts)


class LogReader:
    """Reads the log of a rig, anew whenever it has grown; `torn`: a line was being written."""

    def __init__(self, rig: Rig) -> None:
        self.torn = False
        self._rig = rig
        self._last = LogSoFar()

    async def read(self) -> LogSoFar:
        """The log as it is now; raises Breach where it is none."""
        read = await self._rig.log()
        lines = tuple(line for line in read if _is_whole(line))
        self.torn = len(lines) < len(read)
        if lines != self._last.lines:
            self._last = _read(lines)
        return self._last


def _is_whole(line: bytes | str) -> bool:
    """Whether a line is in the log, rather than being written to it."""
    return line.endswith(b"\n") if isinstance(line, bytes) else line.endswith("\n")


def _read(lines: tuple[bytes | str, ...]) -> LogSoFar:
    try:
        header, *rest = read_log(lines)
    except LogError as error:
        raise Breach(Breakage.LOG_DIVERGES, f"the log cannot be read: {error}") from None
    closed = isinstance([header, *rest][-1], Closed)
    selective = closed or (isinstance(header, Header) and header.accepted_only)
    return LogSoFar(lines, tuple(line for line in rest if isinstance(line, Entry)), selective)


def verify(recorded: LogSoFar, state: FlowState) -> None:
    """Raise Breach unless a log verifies and leads to the state that the host has."""
    try:
        replayed = replay(recorded.lines)
    except LogError as error:
        raise Breach(Breakage.LOG_DIVERGES, "the log does not verify", [str(error)]) from None
    if replayed.state != state:
        differ = told_differences(encode_state(replayed.state), encode_state(state))
        what = "the state of the host (got) is not what its log leads to (expected)"
        raise Breach(Breakage.LOG_DIVERGES, what, differ)
    for timer, at_ms, due_at_ms in _early(recorded, replayed):
        what = f"timer {timer!r} fired at {at_ms} ms, but was due at {due_at_ms} ms"
        raise Breach(Breakage.EARLY_TIMER, what)


def _early(recorded: LogSoFar, replayed: Replay) -> Iterator[tuple[str, int, int]]:
    """The timers that fired before their time: when, and when they were due."""
    state = initial_state(replayed.header.spec, replayed.header.flow_id)
    for event in recorded.accepted():
        if isinstance(event, TimerFired):
            due_at_ms = dict(state.timers())[event.timer]
            if event.at_ms < due_at_ms:
                yield event.timer, event.at_ms, due_at_ms
        state = reduce(state, event).state
