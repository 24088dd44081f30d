"""One command that runs: takes what it prints, and notices its end.

Rule: secrets are hidden before anything else is done with what a command prints. What comes
is dealt with before more is read, so that a command which prints faster than that waits, and
nothing piles up here.
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Callable
from typing import Final

from conductor_adapters.captured import Capture, Kept
from conductor_adapters.masking import Secrets

OUTPUT_KEPT: Final = 65_536
ERRORS_KEPT: Final = 4_096


class Command(asyncio.SubprocessProtocol):
    """Takes what a command prints, and notices its end.

    `exited` is set when the shell has ended, `drained` when nobody can print any more.
    """

    def __init__(
        self, *, show: Callable[[str], None], capture: Capture | None, secrets: Secrets
    ) -> None:
        self.printed = Kept(OUTPUT_KEPT)
        self.complained = Kept(ERRORS_KEPT)
        self.exited = asyncio.Event()
        self.drained = asyncio.Event()
        self._show = show
        self._capture = capture
        self._streams = {
            1: _Stream(self.printed, secrets),
            2: _Stream(self.complained, secrets),
        }

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Deal with what came."""
        self._take(self._streams[fd], data, is_end=False)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Deal with what was held back."""
        self._take(self._streams[fd], b"", is_end=True)

    def process_exited(self) -> None:
        """The shell has ended."""
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The shell has ended and nobody can print any more."""
        self.drained.set()

    def close(self) -> None:
        """Take what was held back, and nothing that comes later."""
        for stream in self._streams.values():
            self._take(stream, b"", is_end=True)
        if self._capture is not None:
            self._capture.close()

    def _take(self, stream: _Stream, data: bytes, *, is_end: bool) -> None:
        if stream.has_ended:
            return
        stream.has_ended = is_end
        content = stream.masker.feed(data) + (stream.masker.flush() if is_end else b"")
        stream.kept.add(content)
        if self._capture is not None:
            self._capture.add(content)
        text = stream.decoder.decode(content, final=is_end)
        if text:
            self._show(text)


class _Stream:
    """What one stream of a command goes through."""

    def __init__(self, kept: Kept, secrets: Secrets) -> None:
        self.kept = kept
        self.masker = secrets.masker()
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.has_ended = False
