"""How many processes are worth it on this machine.

Rule: what comes out never depends on that number, only how soon.
"""

from __future__ import annotations

import os


def cores() -> int:
    """The cores that this process may use; one where processes cannot be forked."""
    if not hasattr(os, "fork"):
        return 1
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1
