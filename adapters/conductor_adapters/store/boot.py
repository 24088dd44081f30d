"""A clock that nobody sets: milliseconds since this machine booted, and which boot that was.

Rule: two processes of one machine read the same clock, and it never goes back; times of
different boots are not compared, for whoever lived in another boot has gone with it.
"""

from __future__ import annotations

import ctypes
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any, Final

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
BOOT_SESSION: Final = b"kern.bootsessionuuid"
"""The same on macOS, asked of `sysctlbyname`."""
LONGEST: Final = 64


def since_boot_ms() -> int:
    """Milliseconds since boot, also those in which the machine slept."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return time.monotonic_ns() // 1_000_000


@cache
def boot_id() -> str:
    """Which boot of which machine this is; the same in all its processes."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        session = _boot_session(ctypes.CDLL(None))
    # Where no kernel tells: when the machine booted, by the minute, which setting its clock moves.
    return session or f"about {round((time.time() - time.monotonic()) / 60)}"


def _boot_session(library: Any) -> str | None:
    """What macOS calls the session since boot; None on other systems."""
    if not hasattr(library, "sysctlbyname"):
        return None
    told, size = ctypes.create_string_buffer(LONGEST), ctypes.c_size_t(LONGEST)
    failed = library.sysctlbyname(BOOT_SESSION, told, ctypes.byref(size), None, 0)
    return None if failed else told.value.decode("ascii") or None
