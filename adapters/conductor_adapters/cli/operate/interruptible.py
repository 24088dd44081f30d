"""Ctrl-C while a command waits: what is open is closed, and the command has been interrupted.

Rule: the signal ends the coroutine as a cancellation, never in the midst of the loop, so that a
store is let go of as at any other end.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


async def interruptible(run: Coroutine[Any, Any, T]) -> T:
    """Run to the end, or raise KeyboardInterrupt when SIGINT came and all is closed."""
    if threading.current_thread() is not threading.main_thread():
        return await run  # signals reach the main thread alone
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(run)
    interrupted = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        # The loop sleeps on: only what comes this way wakes it.
        loop.call_soon_threadsafe(task.cancel)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        if interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
