"""The signals that ask a run to stop: SIGINT, SIGTERM and, from a terminal that closes, SIGHUP.

Rule: the first asks, the second insists, more change nothing. They are heeded until the loop
closes: nothing may keep it from ending the work.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Final

HANGUP_ECHO_S: Final = 1.0
"""A terminal that closes may hang up twice: by its shell, then by the kernel."""


def heed_signals(ask: Callable[[], object], insist: Callable[[], object]) -> None:
    """Call `ask` at the first signal and `insist` at each that follows."""
    loop = asyncio.get_running_loop()
    asked_s: float | None = None

    def heed(number: int) -> None:
        nonlocal asked_s
        if asked_s is None:
            asked_s = loop.time()
            ask()
        elif number != signal.SIGHUP or loop.time() - asked_s > HANGUP_ECHO_S:
            insist()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, heed, number)
    # Under nohup a hangup is nothing to heed.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, heed, signal.SIGHUP)
