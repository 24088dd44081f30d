"""The log of a run: written as it goes, verified when it is replayed.

Rule: nothing here does I/O. A host appends what a LogWriter gives it before it carries the
commands out (the log is ahead of the world, never behind), and hands the lines of its file to
`replay`, best as bytes and with a bound:
`iter(lambda: file.readline(LONGEST_LINE + 1), b"")`. What the lines say stands in `loglines`.

`closed` says that the host is done with a finished run. After it an event that is ignored
or rejected leaves no line; one that is accepted can only be a rerun that revives the flow
(S10.5): it opens the log again, and `closed` may follow anew.
"""

from __future__ import annotations

from conductor_core.errors import LogError
from conductor_core.events import Event
from conductor_core.loglines import (
    FORMAT,
    LONGEST_LINE,
    SEMANTICS,
    Checkpoint,
    Closed,
    Entry,
    Header,
    Line,
    Position,
    after_checkpoint,
    after_closing,
    after_entry,
    after_header,
    at_checkpoint,
    header_line,
    new_header,
)
from conductor_core.player import Played, Player
from conductor_core.rawlines import Raw
from conductor_core.reducer import Transition
from conductor_core.replay import Replay, read_log, replay
from conductor_core.snapshot import restore, snapshot
from conductor_core.state import FlowState, initial_state
from conductor_core.verdicts import Accepted

__all__ = [
    "FORMAT",
    "LONGEST_LINE",
    "SEMANTICS",
    "Checkpoint",
    "Closed",
    "Entry",
    "Header",
    "Line",
    "LogWriter",
    "Played",
    "Player",
    "Position",
    "Raw",
    "Replay",
    "read_log",
    "replay",
    "restore",
    "snapshot",
]


class LogWriter:
    """Writes the log of one run: each method gives what the host is to append, perhaps nothing.

    A method that raises has written nothing and may be called again with something else.
    """

    def __init__(self, state: FlowState, *, at_ms: int, accepted_only: bool = False) -> None:
        if state != initial_state(state.spec, state.flow_id):
            raise LogError("a log begins with a state to which nothing has happened")
        self._header = new_header(state, at_ms=at_ms, accepted_only=accepted_only)
        _, self._position = after_header(self._header, state)
        self._glue = ""

    @classmethod
    def resume(cls, replay: Replay) -> LogWriter:
        """A writer that goes on after a replayed log, once its file is cut to `replay.size`."""
        writer = cls.__new__(cls)
        writer._header, writer._position = replay.header, replay.position
        writer._glue = "" if replay.terminated else "\n"
        return writer

    def header(self) -> str:
        """The first line."""
        return header_line(self._header)

    def entry(self, event: Event, transition: Transition) -> str:
        """The line of an event and of what became of it; with a checkpoint when one is due."""
        accepted = isinstance(transition.verdict, Accepted)
        if not accepted and (self._header.accepted_only or self._position.closed):
            return ""
        lines, position = after_entry(
            self._position, event, transition.verdict, transition.commands
        )
        due, position = at_checkpoint(position, transition.state)
        if due:
            line, position = after_checkpoint(position, transition.state)
            lines += line
        return self._moved_on(lines, position)

    def close(self, state: FlowState) -> str:
        """The line that ends the log of a finished flow; nothing if it has ended already."""
        if state.outcome is None:
            raise LogError("only the log of a finished flow can be closed")
        if self._position.closed:
            return ""
        return self._moved_on(*after_closing(self._position, state))

    def _moved_on(self, lines: str, position: Position) -> str:
        """Take the new position; a file that does not end with a newline gets one first."""
        lines, self._glue = self._glue + lines, ""
        self._position = position
        return lines
