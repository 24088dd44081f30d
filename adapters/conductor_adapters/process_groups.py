"""Process groups: who is in one, and how one is ended.

Rule: a group has ended when nobody in it runs. A zombie does not, and may stay for ever where
nobody reaps it, as in a container; the system still counts it as a member.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import Final

import psutil

TERM_GRACE_S: Final = 5.0
KILL_GRACE_S: Final = 5.0
"""What is killed is gone at once, unless the system itself holds it up."""
POLL_S: Final = 0.02
LOOKS: Final = 5


def members(group: int) -> list[psutil.Process]:
    """The processes of a group that run.

    Nothing lists them in one moment: a process may begin another and end before it is looked
    at, and the other be too young to be in the list. So while the system says that there is
    a group, one look that finds nobody is not believed.
    """
    for _ in range(LOOKS):
        found = _seen(group)
        if found or not _signal(group, 0):
            return found
    return []


def _seen(group: int) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for pid in psutil.pids():
        # Processes come and go while they are looked at.
        with suppress(OSError, psutil.Error):
            if os.getpgid(pid) == group and not _has_ended(process := psutil.Process(pid)):
                found.append(process)
    return found


def _has_ended(process: psutil.Process) -> bool:
    if process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
        return False
    try:
        # The first thread of a process may end before the others.
        return process.num_threads() <= 1
    except psutil.ZombieProcess:
        return True


async def end_group(group: int, *, grace_s: float) -> bool:
    """End a group: politely, then for good; tells whether that was its end."""
    try:
        if _signal(group, signal.SIGTERM):
            # What was stopped hears of it only when it goes on.
            _signal(group, signal.SIGCONT)
            await has_gone(group, within_s=grace_s)
    finally:
        # From here on nobody in the group can begin another process.
        _signal(group, signal.SIGKILL)
    return await has_gone(group, within_s=KILL_GRACE_S)


async def has_gone(group: int, *, within_s: float) -> bool:
    """Wait for the end of a group; tells whether it came in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while _signal(group, 0) and members(group):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(POLL_S)
            return True
    return False


def _signal(group: int, number: int) -> bool:
    """Send a signal to a group; tells whether there is one."""
    assert group > 1, "0 is one's own group, 1 that of the whole system"
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Somebody else's processes, or on some systems only zombies.
        return True
    return True
