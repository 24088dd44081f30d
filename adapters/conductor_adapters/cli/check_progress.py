"""A search under way: how far it is, how much memory it takes, and whether to give up.

Rule: the search asks now and then; nothing here interrupts it. Only numbers are drawn, on one
line of the standard error, and only for people at a terminal; nothing of it is left behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Final, Literal, Self, TypeAlias

import click

from conductor_core.checking.question import Progress
from conductor_core.durations import told_elapsed

REDRAW_S: Final = 0.2
SAMPLE_S: Final = 0.5
MIB: Final = 1024 * 1024
CLEAR: Final = "\r\x1b[K"

Cause: TypeAlias = Literal["memory", "interrupt"]
Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None


def memory_now() -> int:
    """The bytes of memory that this process and its children hold together."""
    import psutil  # noqa: PLC0415 - on POSIX it imports what Windows lacks

    this = psutil.Process()
    children = this.children(recursive=True)
    if not children:
        return this.memory_info().rss
    held = 0
    for process in (this, *children):
        # One that has ended meanwhile holds nothing.
        with suppress(psutil.Error):
            full = process.memory_full_info()
            # Of what processes share each has its part, where the system tells it.
            held += getattr(full, "pss", full.uss)
    return held


def watched_by_people() -> bool:
    """Whether the standard error is a terminal that can rewrite a line."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Watch:
    """Watches over a search from when it is entered.

    The first Ctrl-C asks the search to stop, the second one ends it at once.
    """

    def __init__(self, *, max_memory: int | None, draws: bool) -> None:
        self.cause: Cause | None = None
        self.peak = 0
        self._max_memory = max_memory
        self._draws = draws
        self._begun_s = time.monotonic()
        self._sampled_s = self._drawn_s = 0.0
        self._held = 0
        self._before: Handler = None

    @property
    def seconds(self) -> float:
        """How long it has been watched."""
        return time.monotonic() - self._begun_s

    def enough(self) -> bool:
        """Whether the search is to give up."""
        # What other processes hold can no longer be seen once the search has stopped.
        if self.cause is not None or time.monotonic() - self._sampled_s >= SAMPLE_S:
            self.sample()
        return self.cause is not None

    def sample(self) -> None:
        """Look how much memory is held now, and whether that is too much."""
        self._sampled_s = time.monotonic()
        self._held = memory_now()
        self.peak = max(self.peak, self._held)
        if self.cause is None and self._max_memory is not None and self.peak > self._max_memory:
            self.cause = "memory"

    def progress(self, far: Progress) -> None:
        """Draw how far it is, unless that was done a moment ago."""
        now_s = time.monotonic()
        if not self._draws or now_s - self._drawn_s < REDRAW_S:
            return
        self._drawn_s = now_s
        rate = far.transitions / max(self.seconds, REDRAW_S)
        told = (
            f"{far.states:,} states, {far.frontier:,} to look at, {rate:,.0f} transitions/s, "
            f"{self._held // MIB:,} MiB, {told_elapsed(round(self.seconds * 1000))}"
        )
        columns = shutil.get_terminal_size().columns
        self._write(f"{CLEAR}{told[: columns - 1]}")

    def _write(self, text: str) -> None:
        click.echo(text, err=True, nl=False)

    def _came(self, _number: int, _frame: object) -> None:
        """Ask the search to stop; the next Ctrl-C ends the command."""
        if self.cause == "interrupt":
            raise KeyboardInterrupt
        self.cause = "interrupt"

    def __enter__(self) -> Self:
        with suppress(ValueError):  # only the main thread may
            self._before = signal.signal(signal.SIGINT, self._came)
        self.sample()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        self.peak = max(self.peak, memory_now())
        if self._drawn_s:
            self._write(CLEAR)
