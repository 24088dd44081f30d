"""The process of a run: its loop, and its end, which nothing that ran here may put off.

Rule: when the run is over its exit code is due. Coroutines that will not be cancelled and
threads that do not return are left behind after a moment; all that counts is in the log.
Threads that were there before the run are of whoever called it, and nobody waits for them.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

LAST_S: Final = 1.0
"""So long the process waits for what is still under way when the run is over."""


def ran(run: Coroutine[Any, Any, int]) -> int:
    """Run to the end and return the exit code, or end the process with it."""
    others = set(threading.enumerate())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    threads = ThreadPoolExecutor()
    loop.set_default_executor(threads)
    try:
        code = loop.run_until_complete(run)
    except BaseException:
        # Its threads would keep whoever goes on in this process waiting.
        loop.close()
        raise
    threads.shutdown(wait=False, cancel_futures=True)
    if not (_tasks_ended(loop) and _threads_ended(others)):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    return code


def _tasks_ended(loop: asyncio.AbstractEventLoop) -> bool:
    """Cancel what still runs on the loop; tells whether it ended soon."""
    tasks = asyncio.all_tasks(loop)
    if not tasks:
        return True
    for task in tasks:
        task.cancel()
    _, late = loop.run_until_complete(asyncio.wait(tasks, timeout=LAST_S))
    return not late


def _threads_ended(others: set[threading.Thread]) -> bool:
    """Wait for the threads of the run that Python would wait for; tells whether they ended soon."""
    end_s = time.monotonic() + LAST_S
    own = [thread for thread in threading.enumerate() if not thread.daemon and thread not in others]
    for thread in own:
        thread.join(max(0.0, end_s - time.monotonic()))
    return not any(thread.is_alive() for thread in own)
