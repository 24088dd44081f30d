"""What befalls a flow from outside, and what a host must come to all the same.

Rule: weather changes nothing of what a flow comes to, but for work that must not run twice
unseen: where hosts go down while it runs, it is answered for as interrupted (S14.3).
"""

from __future__ import annotations

from enum import StrEnum


class Weather(StrEnum):
    """How deliveries and hosts fare while a case is played."""

    CALM = "calm"
    """Nothing goes wrong."""
    DUPLICATED = "duplicated"
    """Every fact that counted is delivered again, at once and later; requests are sent twice."""
    DELAYED = "delayed"
    """Answers come late, some when the flow has gone on or ended."""
    REORDERED = "reordered"
    """Work that runs at the same time is answered in the order opposite to that of its calls."""
    LOST = "lost"
    """The first answer of every attempt is lost: it must be delivered again."""
    CRASHING = "crashing"
    """The host goes down in the middle of everything: when an attempt has just begun or was just
    asked to give up, when a request was just made, while a timer is open, while the flow
    continues as new, and whenever the flow is quiet."""

    @property
    def interrupts(self) -> bool:
        """Whether work goes down with its host."""
        return self in (Weather.LOST, Weather.CRASHING)


def weathers() -> tuple[Weather, ...]:
    """Every weather."""
    return tuple(Weather)
