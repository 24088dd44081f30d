"""What Python code prints while a flow runs, line by line on the screen of the run.

Rule: it goes the way of all that is written, so that it neither waits for a reader nor tears
the lines of others. A process that is forked writes for itself.
"""

from __future__ import annotations

import asyncio
import codecs
import io
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO, TypeAlias

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Show: TypeAlias = Callable[[str], None]
"""Writes a line; it is called on the thread of the loop alone."""

CODEC: Final = "utf-8"


class Prints:
    """Has what Python code prints shown, until it is undone; needs a running loop."""

    def __init__(self, output: Show, errors: Show) -> None:
        self._before = (sys.stdout, sys.stderr)
        for stream in self._before:
            with suppress(OSError):
                stream.flush()
        self._lines = [_Lines(sys.stdout, output), _Lines(sys.stderr, errors)]
        sys.stdout, sys.stderr = map(_text, self._lines)

    def undo(self) -> None:
        """Give the streams back."""
        if self._lines:
            sys.stdout, sys.stderr = self._before
        while self._lines:
            self._lines.pop(0).finish()


def _text(lines: _Lines) -> TextIO:
    """A stream as Python code expects it, with an encoding and a buffer."""
    return io.TextIOWrapper(lines, CODEC, "backslashreplace", write_through=True)  # type: ignore[type-var]  # of a buffer only `write` and `flush` are needed


class _Lines(io.RawIOBase):
    """Cuts what is written in place of a stream into lines, and has them shown."""

    def __init__(self, stream: TextIO, show: Show) -> None:
        self._stream = stream
        self._show = show
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._process = os.getpid()
        self._decoder = codecs.getincrementaldecoder(CODEC)("replace")
        self._unfinished = ""

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def fileno(self) -> int:
        """The descriptor of the stream behind it, for processes that inherit it."""
        return self._stream.fileno()

    def write(self, data: ReadableBuffer, /) -> int:
        """Hand on the lines that are complete now."""
        text = self._decoder.decode(bytes(data))
        if os.getpid() != self._process:
            self._stream.write(text)
            self._stream.flush()
        else:
            *lines, self._unfinished = (self._unfinished + text).split("\n")
            for line in lines:
                self._hand_on(line)
        return len(bytes(data))

    def _hand_on(self, line: str) -> None:
        if threading.get_ident() == self._thread:
            self._show(line)
        else:
            with suppress(RuntimeError):  # the loop has closed, and the flow is over
                self._loop.call_soon_threadsafe(self._show, line)

    def finish(self) -> None:
        """Hand on the line that was never completed."""
        if self._unfinished:
            self.write(b"\n")
