"""Journals of hosts that run in one process: a log file, or none.

Rule: what `append` returned from has left the process, so that its sudden death loses
nothing; the death of the whole machine may take the last entries along, unless `fsync` is
asked for. A log file has one writer: it is locked for as long as it is open, and a writer
that died has let go of it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from errno import EEXIST
from functools import partial
from io import SEEK_END, FileIO
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from conductor_core.errors import FormatError, LogError
from conductor_core.events import Event
from conductor_core.log import LONGEST_LINE, LogWriter, Replay, replay
from conductor_core.reducer import Transition
from conductor_core.state import FlowState

__all__ = ["LogFile", "NoJournal"]

if sys.platform != "win32":
    import fcntl

LOCK_PATIENCE_S: Final = 2.0
"""What a host that died had just begun to start may hold its lock for a moment longer."""
POLL_S: Final = 0.02


class NoJournal:
    """Keeps nothing: the flow ends with its process."""

    def append(self, event: Event, transition: Transition) -> None:
        """Forget the entry."""


class LogFile:
    """Writes the log of one flow to one file."""

    def __init__(
        self, file: FileIO, writer: LogWriter, state: FlowState, *, fsync: bool = False
    ) -> None:
        self._file = file
        self._writer = writer
        self._state = state
        self._fsync = fsync
        self._size: int | None = None
        self._torn = False

    @classmethod
    def create(cls, path: Path, state: FlowState, *, at_ms: int, fsync: bool = False) -> LogFile:
        """Begin the log of a flow that has not started; FileExistsError if there is one.

        A file that holds nothing, as a writer leaves that dies at once, is as good as none.
        """
        writer = LogWriter(state, at_ms=at_ms)
        log = cls(_new_file(path), writer, state, fsync=fsync)
        try:
            log._write(writer.header())
            if fsync:
                _sync_folder(path.parent)
        except OSError:
            # A log without its header would only stand in the way of the next run.
            log.close()
            if path.is_file():
                path.unlink()
            raise
        return log

    @classmethod
    def resume(
        cls, path: Path, *, flow_id: str | None = None, fsync: bool = False
    ) -> tuple[LogFile, Replay]:
        """Take up the log of a host that is gone, verified, perhaps that of one flow.

        Raises LogError, also while another writer holds the log. What was cut off at its end
        stays until something is written.
        """
        file = FileIO(path, "r+")
        try:
            _lock(file, path)
            replayed = replay(_lines(file), flow_id=flow_id)
        except BaseException:
            file.close()
            raise
        log = cls(file, LogWriter.resume(replayed), replayed.state, fsync=fsync)
        log._size = replayed.size
        return log, replayed

    @property
    def descriptor(self) -> int:
        """The open file; whoever inherits it holds the lock as well."""
        return self._file.fileno()

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
        if self._file.closed:
            return
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
        if not text:
            return
        self._torn = True
        rest = memoryview(text.encode("utf-8"))
        try:
            self._cut()
            while rest:
                rest = rest[self._file.write(rest) :]
            if self._fsync:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._file.name)) from None
        self._torn = False

    def _cut(self) -> None:
        """Cut off, before the first line that follows, what the last writer did not finish."""
        if self._size is not None:
            self._file.truncate(self._size)
            self._file.seek(0, SEEK_END)
            self._size = None


def _new_file(path: Path) -> FileIO:
    """A file that holds nothing yet, locked."""
    file = FileIO(path, "a")
    try:
        _check_empty(file)
        _lock(file, path)
        _check_empty(file)
    except BaseException:
        file.close()
        raise
    return file


def _check_empty(file: FileIO) -> None:
    if os.fstat(file.fileno()).st_size:
        raise FileExistsError(EEXIST, os.strerror(EEXIST), str(file.name))


def _sync_folder(folder: Path) -> None:
    """Let the name of a new file reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines(file: FileIO) -> Iterator[bytes]:
    """The lines of a file, none of them longer than a log allows."""
    with open(file.fileno(), "rb", closefd=False) as lines:
        yield from iter(partial(lines.readline, LONGEST_LINE + 1), b"")


def _lock(file: FileIO, path: Path) -> None:
    """Hold a file alone, or raise LogError; also where another has taken its place meanwhile."""
    if sys.platform == "win32":
        raise LogError("a log is written with flock, which this system lacks")
    patience_s = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > patience_s:
                raise LogError("another run is writing this log") from None
            time.sleep(POLL_S)
        else:
            break
    if not _is_there(file, path):
        raise LogError("the file was replaced while it was opened")


def _is_there(file: FileIO, path: Path) -> bool:
    """Whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
