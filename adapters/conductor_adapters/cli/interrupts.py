"""The signals that ask a run to stop: SIGINT, SIGTERM and, from a terminal that closes, SIGHUP.

Rule: the first asks, the second insists, more change nothing. What they do depends on how far
the run is, so that none is lost. A loop that a coroutine blocks hears nothing: when it has
not heard of a signal for a while, the next one ends the process; what happened is in the log.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Final

HANGUP_ECHO_S: Final = 1.0
"""A terminal that closes may hang up twice: by its shell, then by the kernel."""
DEAF_S: Final = 2.0
DEAF: Final = b"\nstopped at once: a handler blocks the loop of this process\n"


def _nothing() -> None:
    """Do nothing."""


class Interrupts:
    """Hears signals from when it is built; needs a running loop, in the main thread."""

    def __init__(self) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._ask: Callable[[], object] = _nothing
        self._insist: Callable[[], object] = _nothing
        self._asked_s: float | None = None
        self._insisted = False
        self._unheard_s: float | None = None
        # Under nohup a hangup is nothing to heed.
        hangup = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        for number in (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hangup else [])):
            # The loop is woken by a signal only if it has a handler of its own for it.
            loop.add_signal_handler(number, self._hear, number)
            signal.signal(number, self._came)

    def then(
        self, ask: Callable[[], object] = _nothing, insist: Callable[[], object] = _nothing
    ) -> None:
        """Call these from now on, and at once for what came already."""
        self._ask, self._insist = ask, insist
        if self._asked_s is not None:
            ask()
        if self._insisted:
            insist()

    def _came(self, _number: int, _frame: object) -> None:
        """Note that a signal is on its way to the loop, wherever Python is just now."""
        now_s = time.monotonic()
        if self._unheard_s is not None and now_s - self._unheard_s > DEAF_S:
            os.write(2, DEAF)
            os._exit(1)
        self._unheard_s = self._unheard_s or now_s

    def _hear(self, number: int) -> None:
        self._unheard_s = None
        if self._asked_s is None:
            self._asked_s = self._loop.time()
            self._ask()
        elif number != signal.SIGHUP or self._loop.time() - self._asked_s > HANGUP_ECHO_S:
            self._insisted = True
            self._insist()
