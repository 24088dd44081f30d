"""Keeps what a command prints: its end in memory, its beginning and its end in a file.

Rule: whatever is printed, what is kept has a size; and a file that takes nothing more is no
reason for a step to fail.
"""

from __future__ import annotations

import logging
import os
from io import FileIO
from pathlib import Path
from typing import Final

HEAD_KEPT: Final = 8 * 1024 * 1024
TAIL_KEPT: Final = 65_536
AGAIN: Final = b"[dispatched again: its host went away]\n"

_logger = logging.getLogger(__name__)


class Kept:
    """The end of what was printed; of 1 GB, as much as fits."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = bytearray()
        self.dropped = 0

    def add(self, chunk: bytes) -> None:
        """Keep a chunk, and drop what is too much from the front."""
        self._bytes += chunk
        excess = len(self._bytes) - self._most
        if excess > 0:
            del self._bytes[:excess]
            self.dropped += excess

    def content(self) -> bytes:
        """What was kept, after a line about what was not."""
        gap = f"[{self.dropped} bytes left out]\n" if self.dropped else ""
        return gap.encode() + bytes(self._bytes)

    def text(self) -> str:
        """What was kept, after a line about what was not, as text."""
        return self.content().decode("utf-8", "replace")


class Capture:
    """What an attempt prints, in a file: the first `head` bytes, and the last `tail`.

    The last ones are written when the attempt ends. A file that is there already is that of
    an earlier dispatch, whose host went away: it is continued.
    """

    def __init__(self, path: Path, *, head: int = HEAD_KEPT, tail: int = TAIL_KEPT) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._room = head
        self._tail = Kept(tail)
        self._last = b"\n"
        try:
            self._file, is_new = _opened(path)
            if not is_new:
                self._room = max(0, head - path.stat().st_size)
                self._last = _last_byte(path)
                self._write_line(AGAIN)
        except OSError as error:
            self._give_up(error)

    def add(self, chunk: bytes) -> None:
        """Keep a chunk of what was printed."""
        if self._file is not None:
            head, rest = chunk[: self._room], chunk[self._room :]
            self._room -= len(head)
            self._write(head)
            self._tail.add(rest)

    def close(self) -> None:
        """Write the end of what was printed, and give the file back."""
        write = self._write_line if self._tail.dropped else self._write
        write(self._tail.content())
        self._close()

    def _write_line(self, line: bytes) -> None:
        """Write something that begins a line of its own."""
        self._write(line if self._last == b"\n" else b"\n" + line)

    def _write(self, content: bytes) -> None:
        """Write as much as the disk takes; after the first failure, nothing."""
        rest = memoryview(content)
        try:
            while rest and self._file is not None:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._give_up(error)
        self._last = content[-1:] or self._last

    def _give_up(self, error: OSError) -> None:
        _logger.warning("%s takes no more output: %s", self._path, error.strerror)
        self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError as error:
            _logger.warning("%s may lack output: %s", self._path, error.strerror)


def _opened(path: Path) -> tuple[FileIO, bool]:
    """A file to append to, which nobody else may read, and whether it is a new one."""
    try:
        return FileIO(path, "x", opener=_private), True
    except FileExistsError:
        return FileIO(path, "a", opener=_private), False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _last_byte(path: Path) -> bytes:
    """The last byte of a file; of an empty one, an end of line."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read(1) or b"\n"
