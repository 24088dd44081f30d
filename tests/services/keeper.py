"""Clears up after a service whose owner is gone: `keeper.py FOLDER`.

Rule: it ends when its input does, which the system sees to however the owner dies; then the
processes that were named to it, a line `PID SIGNAL` each, get their signal, and soon after
SIGKILL, and the folder goes. What the owner has ended is named with the signal 0.

It imports nothing but the standard library, so that it is there within milliseconds.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

GRACE_S: Final = 10.0
POLL_S: Final = 0.02


def named(lines: Iterable[str]) -> dict[int, int]:
    """The processes that are not known to have ended, and the signal for each."""
    processes: dict[int, int] = {}
    for line in lines:
        pid, number = map(int, line.split())
        processes[pid] = number
    return {pid: number for pid, number in processes.items() if number}


def told(pid: int, number: int) -> bool:
    """Send a signal; whether there was a process to take it."""
    # There may be another by now, of somebody else.
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
        return True
    return False


def end(processes: dict[int, int]) -> None:
    """End processes, those first that were named last: they need the others."""
    for pid, number in reversed(processes.items()):
        told(pid, number)
        give_up = time.monotonic() + GRACE_S
        while told(pid, 0) and time.monotonic() < give_up:
            time.sleep(POLL_S)
        # They are the first of their groups, which may hold more than them.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def main(folder: str) -> None:
    """Wait for the end of the owner."""
    end(named(sys.stdin))
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
