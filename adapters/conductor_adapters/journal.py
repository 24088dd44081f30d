"""Journals of hosts that run in one process: a log file, or none.

Rule: what `append` returned from has left the process, so that its sudden death loses
nothing; only the death of the whole machine may take the last entries along.
"""

from __future__ import annotations

from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from conductor_core.errors import FormatError, LogError
from conductor_core.events import Event
from conductor_core.log import LogWriter
from conductor_core.reducer import Transition
from conductor_core.state import FlowState


class NoJournal:
    """Keeps nothing: the flow ends with its process."""

    def append(self, event: Event, transition: Transition) -> None:
        """Forget the entry."""


class LogFile:
    """Writes the log of one flow to one file."""

    def __init__(self, file: FileIO, writer: LogWriter, state: FlowState) -> None:
        self._file = file
        self._writer = writer
        self._state = state
        self._torn = False

    @classmethod
    def create(cls, path: Path, state: FlowState, *, at_ms: int) -> LogFile:
        """Begin the log of a flow that has not started; FileExistsError if there is one."""
        writer = LogWriter(state, at_ms=at_ms)
        log = cls(FileIO(path, "x"), writer, state)
        try:
            log._write(writer.header())
        except OSError:
            # A log without its header would only stand in the way of the next run.
            log.close()
            path.unlink()
            raise
        return log

    def append(self, event: Event, transition: Transition) -> None:
        """Write an entry."""
        try:
            lines = self._writer.entry(event, transition)
        except LogError as error:
            raise FormatError("", error.reason) from None
        self._write(lines)
        self._state = transition.state

    def close(self) -> None:
        """Give the file back; the log of a flow that has finished says so."""
        with self._file:
            if self._state.outcome is not None and not self._torn:
                self._write(self._writer.close(self._state))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, text: str) -> None:
        """Write all of the text; after a failure the end of the file is in doubt."""
        if self._torn:
            raise LogError(f"{self._file.name}: an earlier entry could not be written")
        self._torn = True
        rest = memoryview(text.encode("utf-8"))
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._file.name)) from None
        self._torn = False
