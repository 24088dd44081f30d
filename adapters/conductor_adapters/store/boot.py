"""A clock that nobody sets: milliseconds since this machine booted, and which boot that was.

Rule: two processes of one machine read the same clock, and it never goes back; times of
different boots are not compared, for whoever lived in another boot has gone with it.
"""

from __future__ import annotations

import sys
import time
from functools import cache
from pathlib import Path
from typing import Final

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


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
        # Good enough where the kernel does not tell: when the machine booted, by the minute.
        return f"about {round((time.time() - time.monotonic()) / 60)}"
