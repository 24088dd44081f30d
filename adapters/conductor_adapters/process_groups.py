"""Process groups: who is in one, and how one is ended.

Rule: a group has ended when nobody in it runs. A zombie does not, and may stay for ever where
nobody reaps it, as in a container; the system still counts it as a member.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

try:
    import psutil
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "shell steps need the cli extra: pip install 'conductor-core[cli]'", name="psutil"
    ) from None

TERM_GRACE_S: Final = 5.0
KILL_GRACE_S: Final = 5.0
"""What is killed is gone at once, unless the system itself holds it up."""
POLL_S: Final = 0.02
LONGEST_PAUSE_S: Final = 0.2
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


def environment_of(process: psutil.Process) -> Mapping[str, str]:
    """The environment of a process; empty where one is not allowed to look."""
    with suppress(OSError, psutil.Error):
        return process.environ()
    return {}


def began_s(pid: int) -> float | None:
    """When a process began, by the clock; None without one."""
    try:
        return psutil.Process(pid).create_time()
    except (OSError, psutil.NoSuchProcess):
        return None


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
    seen, pause_s = True, POLL_S
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while _signal(group, 0):
                seen_before, seen = seen, _GLANCE.sees(group)
                # What has ended is reaped in a moment, as a rule; what is not is looked at closely.
                if not (seen or seen_before or members(group)):
                    return True
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            return True
    return False


class _Glance:
    """One look at all processes for all who wait: a thousand groups that end are one look."""

    def __init__(self) -> None:
        self._looked_s = -POLL_S
        self._pids: dict[int, list[int]] = {}

    def sees(self, group: int) -> bool:
        """Whether somebody who was in a group a moment ago still runs."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= POLL_S:
            self._looked_s, self._pids = now_s, _pids_by_group()
        return any(_runs(pid) for pid in self._pids.get(group, ()))


_GLANCE: Final = _Glance()


def _pids_by_group() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for pid in psutil.pids():
        with suppress(OSError):
            found.setdefault(os.getpgid(pid), []).append(pid)
    return found


def _runs(pid: int) -> bool:
    with suppress(OSError, psutil.Error):
        return not _has_ended(psutil.Process(pid))
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
