"""The standard output and the standard error of a run, and readers who do not read them.

Rule: who writes waits for no reader; a thread does. While MOST_KEPT bytes wait, lines for
people are left out and counted; a prompt is not, nor is anything that programs read. The end
of a run waits for its readers, until it is told to hurry. Once a reader is gone, nothing more
is written for it.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from conductor_adapters.cli.console import counted

MOST_KEPT: Final = 1_000_000
"""Of what is for people so many bytes wait for a reader."""
FLUSH_S: Final = 2.0
"""So long a run that is told to end waits for readers of what is for people."""
LAST_WORD_S: Final = 0.2
"""So long it takes at most to say what was not read."""
CHUNK: Final = 65_536


def told_left_out(lines: int) -> str:
    """Say that lines were left out."""
    return f"({counted(lines, 'line')} left out: nobody read them)\n"


class Writer:
    """Writes to descriptors, one thing after the other, on a thread of its own."""

    def __init__(self) -> None:
        self._left: deque[tuple[int, memoryview]] = deque()
        self._changed = threading.Condition()
        self._kept = 0
        self._lost: set[int] = set()
        self._written: Callable[[], object] | None = None
        self._thread: threading.Thread | None = None

    @property
    def kept(self) -> int:
        """How many bytes nobody has taken yet."""
        return self._kept

    @property
    def lines_kept(self) -> int:
        """How many lines nobody has taken to their ends yet."""
        with self._changed:
            return sum(bytes(data).count(b"\n") for _, data in self._left)

    def write(self, descriptor: int, data: bytes) -> None:
        """Have something written when all before it is."""
        with self._changed:
            if not data or descriptor in self._lost:
                return
            self._left.append((descriptor, memoryview(data)))
            self._kept += len(data)
            if self._thread is None:
                # Nobody waits for this thread: it may wait for a reader for ever.
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self) -> None:
        """Return when all is written."""
        with self._changed:
            self._changed.wait_for(lambda: not self._left)

    async def written(self) -> None:
        """Return when all is written; only one task may wait."""
        done, loop = asyncio.Event(), asyncio.get_running_loop()
        with self._changed:
            if not self._left:
                return
            self._written = lambda: loop.call_soon_threadsafe(done.set)
        await done.wait()

    def _work(self) -> None:
        # A signal that came to this thread would not wake the loop. Only a terminal that does
        # not want to be written to from the background must still be able to say so.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - {signal.SIGTTOU})
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._left)
                descriptor, data = self._left[0]
            taken = _taken(descriptor, data[:CHUNK])
            with self._changed:
                self._take(descriptor, data, taken)
                if not self._left:
                    self._tell_written()

    def _tell_written(self) -> None:
        self._changed.notify_all()
        if self._written is not None:
            with suppress(RuntimeError):  # the loop has closed
                self._written()

    def _take(self, descriptor: int, data: memoryview, taken: int | None) -> None:
        """Note how much of the first thing was written, or that its reader is gone."""
        if taken is None:
            self._lost.add(descriptor)
            self._left = deque(item for item in self._left if item[0] != descriptor)
            self._kept = sum(len(left) for _, left in self._left)
            return
        self._kept -= taken
        if taken < len(data):
            self._left[0] = (descriptor, data[taken:])
        else:
            self._left.popleft()


def _taken(descriptor: int, data: memoryview) -> int | None:
    """Write, however long that takes; returns how much of it, or None if nobody reads any more."""
    try:
        return os.write(descriptor, data)
    except BlockingIOError:
        # Whoever started this process does not want to wait; this thread does.
        select.select([], [descriptor], [])
        return 0
    except OSError:
        return None


class Stream:
    """The standard output (1) or error (2) for people and programs."""

    def __init__(self, descriptor: int, writer: Writer, encoding: str) -> None:
        self._descriptor = descriptor
        self._encoding = encoding
        self._left_out = 0
        self.writer = writer

    def write(self, text: str) -> None:
        """Write whole lines; they are left out and counted while too much is unread."""
        if self.writer.kept < MOST_KEPT:
            self.tell()
            self.show(text)
        else:
            self._left_out += text.count("\n")

    def show(self, text: str) -> None:
        """Write what must not be left out."""
        self.writer.write(self._descriptor, text.encode(self._encoding, "backslashreplace"))
        if not _in_a_loop():
            # There is no flow that could be held up, and the process may end at any time.
            self.writer.wait()

    def tell(self) -> None:
        """Say what was left out."""
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            self.show(told_left_out(left_out))


class Streams:
    """Both streams; what goes to the same place stays in its order."""

    def __init__(self, encoding: str | None = None, *, patient: bool = False) -> None:
        """`patient`: nothing may be left unread, so that it takes two signals to end the wait."""
        shown = encoding or sys.stdout.encoding or "utf-8"
        writer = Writer()
        self.output = Stream(1, writer, shown)
        self.errors = Stream(2, writer if _same_place() else Writer(), shown)
        self._patient = patient
        self._hurried = False
        self._reading: asyncio.Future[list[None]] | None = None

    def hurry(self) -> None:
        """Wait no longer than FLUSH_S at the end and, told so again then, no longer at all."""
        if self._reading is not None and self._hurried:
            self._reading.cancel()
        self._hurried = True
        self._limit()

    async def finish(self) -> None:
        """Wait for the readers; say on the standard error what was not read from the output."""
        self.output.tell()
        self.errors.tell()
        await self._read()
        unread = self.output.writer.lines_kept
        if unread and self.output.writer is not self.errors.writer:
            self.errors.show(told_left_out(unread))
            with suppress(TimeoutError):
                await asyncio.wait_for(self.errors.writer.written(), LAST_WORD_S)

    async def _read(self) -> None:
        writers = {self.output.writer, self.errors.writer}
        self._reading = reading = asyncio.gather(*(writer.written() for writer in writers))
        self._limit()
        with suppress(asyncio.CancelledError):
            await reading

    def _limit(self) -> None:
        if self._reading is not None and self._hurried and not self._patient:
            self._reading.get_loop().call_later(FLUSH_S, self._reading.cancel)


def _same_place() -> bool:
    """Whether both streams end at the same file, pipe or terminal."""
    try:
        output, errors = os.fstat(1), os.fstat(2)
    except OSError:
        return False
    return os.path.samestat(output, errors) or same_terminal()


def same_terminal() -> bool:
    """Whether the standard error is the terminal that the standard output is."""
    return os.isatty(1) and os.isatty(2) and os.fstat(1).st_rdev == os.fstat(2).st_rdev


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
