"""What is typed on a terminal, line by line, while somebody is asked.

Rule: a line is what ends with a line feed; what was typed before the question, and what the
end of the input cuts off, is none. Only in the foreground is anything read: in the
background the terminal belongs to others, and whoever reads from it is stopped.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import termios
from contextlib import suppress


class Typed:
    """The lines that are typed on the terminal behind a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unfinished = ""

    def in_front(self) -> bool:
        """Whether the terminal is ours."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return True  # a terminal that is gone belongs to nobody; reading tells so

    def hung_up(self) -> bool:
        """Whether the terminal is gone."""
        return not os.isatty(self._descriptor)

    def forget(self) -> None:
        """Forget what was typed so far."""
        with suppress(termios.error):
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
        self._lines = asyncio.Queue()
        self._unfinished = ""
        self._decoder.reset()

    def listen(self) -> None:
        """Take what is typed from now on."""
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable)

    def rest(self) -> None:
        """Take nothing any more."""
        asyncio.get_running_loop().remove_reader(self._descriptor)

    async def next(self) -> str | None:
        """The next line; None when no more will come."""
        return await self._lines.get()

    def _readable(self) -> None:
        """Take what a terminal hands over: a line, the beginning of one, or nothing at its end."""
        if not self.in_front():
            self.rest()
            return
        try:
            typed = os.read(self._descriptor, 4096)
        except OSError:
            typed = b""
        if not typed:
            self.rest()
            self._lines.put_nowait(None)
            return
        *lines, self._unfinished = (self._unfinished + self._decoder.decode(typed)).split("\n")
        for line in lines:
            self._lines.put_nowait(line)
