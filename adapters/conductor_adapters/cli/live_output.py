"""The terminal as the live view writes to it, and what else would write to it meanwhile.

Rule: nobody waits for a terminal. What it does not take at once (it was stopped with Ctrl-S,
or its window hangs) is kept; once it is gone, nothing is written any more.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TextIO

USUAL_SIZE: Final = (80, 24)
LOCALE: Final = ("LC_ALL", "LC_CTYPE", "LANG")


def encoding() -> str:
    """The encoding of the terminal: Python takes the C locale for one of UTF-8, this does not."""
    locale = next((os.environ[name] for name in LOCALE if os.environ.get(name)), None)
    return "ascii" if locale in ("C", "POSIX") else sys.stdout.encoding


def same_terminal() -> bool:
    """Whether the standard error is the terminal that the standard output is."""
    return os.isatty(2) and os.fstat(1).st_rdev == os.fstat(2).st_rdev


class TerminalOutput:
    """The terminal behind the standard output, opened once more so as not to wait for it.

    That it must not be waited for is a property of the opened file, which others share.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._left = b""
        self._lost = False
        try:
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
            self._descriptor = os.open(os.ttyname(1), flags)
        except OSError:
            # Its name means nothing here, as in some containers; then it is waited for.
            self._descriptor = os.dup(1)

    def write(self, text: str) -> None:
        """Write a text, now or as soon as the terminal takes it."""
        self._left += text.encode(self._encoding, "backslashreplace")
        self.flush()

    def flush(self) -> bool:
        """Write what was left; tells whether all of it was taken."""
        try:
            while self._left and not self._lost:
                self._left = self._left[os.write(self._descriptor, self._left) :]
        except BlockingIOError:
            return False
        except OSError:
            self._lost = True
        return True

    def close(self) -> None:
        """Write what was left, however long that takes, and let go."""
        with suppress(OSError):
            os.set_blocking(self._descriptor, True)
        self.flush()
        os.close(self._descriptor)

    def size(self) -> tuple[int, int]:
        """The columns and lines it has now."""
        try:
            columns, lines = os.get_terminal_size(self._descriptor)
        except OSError:
            return USUAL_SIZE
        return columns or USUAL_SIZE[0], lines or USUAL_SIZE[1]

    def in_front(self) -> bool:
        """Whether the terminal is ours; in the background it belongs to the shell."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return True


class Lines(io.TextIOBase):
    """A standard stream of Python that hands each line to `note` on the thread of the loop."""

    def __init__(
        self, stream: TextIO, loop: asyncio.AbstractEventLoop, note: Callable[[str], None]
    ) -> None:
        self._stream = stream
        self._loop = loop
        self._thread = threading.get_ident()
        self._note = note
        self._unfinished = ""

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def fileno(self) -> int:
        """The descriptor of the stream behind it, for processes that inherit it."""
        return self._stream.fileno()

    def write(self, text: str, /) -> int:
        """Hand on the lines that are complete now."""
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        for line in lines:
            if threading.get_ident() == self._thread:
                self._note(line)
            else:
                with suppress(RuntimeError):  # the loop has closed, and the flow is over
                    self._loop.call_soon_threadsafe(self._note, line)
        return len(text)

    def finish(self) -> None:
        """Hand on the line that was never completed."""
        if self._unfinished:
            self.write("\n")


class Redirection:
    """Has `note` write what Python code prints to the terminal, until it is undone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, note: Callable[[str], None]) -> None:
        self._before = (sys.stdout, sys.stderr)
        self._lines = [Lines(sys.stdout, loop, note)]
        sys.stdout = self._lines[0]
        if same_terminal():
            self._lines.append(Lines(sys.stderr, loop, note))
            sys.stderr = self._lines[1]

    def undo(self) -> None:
        """Give the streams back."""
        if self._lines:
            sys.stdout, sys.stderr = self._before
        while self._lines:
            self._lines.pop().finish()
