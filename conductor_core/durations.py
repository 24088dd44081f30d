"""How long something takes, for people.

Rule: no more than two units, and never less than there is: what is due in 23:59:59.2 is
due in 24 h.
"""

from __future__ import annotations

from typing import Final

UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
DAYS_FROM_S: Final = 2 * 86_400
"""Shorter than this, people count in hours."""


def told_duration(ms: int) -> str:
    """Tell a duration: `0.3 s`, `1 min 30 s`, `24 h`, `2 d 3 h`."""
    if ms < 10_000:
        return f"{max(ms, 0) / 1000:g} s"
    left = -(-ms // 1000)
    parts = []
    for unit, seconds in UNITS if left >= DAYS_FROM_S else UNITS[1:]:
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def told_elapsed(ms: int) -> str:
    """Tell how long something has taken so far, with a tenth while it is short: `0.3 s`, `12 s`."""
    if ms < 10_000:
        return f"{max(ms, 0) // 100 / 10:.1f} s"
    return told_duration(ms // 1000 * 1000)


def told_countdown(ms: int) -> str:
    """Tell how long something is still to take, in whole seconds: `1 s` until it is due."""
    return told_duration(max(-(-ms // 1000), 0) * 1000)
