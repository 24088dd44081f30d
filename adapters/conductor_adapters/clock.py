"""The time a host lives by: the real one, or one that a test moves on.

Rule: an alarm never rings before its time by the clock that `now_ms` reads.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["Alarm", "Clock", "VirtualClock", "WallClock"]

LONGEST_SLEEP_S: Final = 60.0


class Alarm(Protocol):
    """A timer that was set."""

    def cancel(self) -> None:
        """Forget it; harmless when it rang already."""
        ...


class Clock(Protocol):
    """Tells the time and wakes."""

    def now_ms(self) -> int:
        """Milliseconds since some epoch."""
        ...

    def call_at(self, due_ms: int, ring: Callable[[], object]) -> Alarm:
        """Call `ring` once when it is `due_ms`, never from within this call."""
        ...


class WallClock:
    """The time of day; alarms need a running asyncio loop."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def call_at(self, due_ms: int, ring: Callable[[], object]) -> Alarm:
        """Set an alarm by the time of day."""
        return _WallAlarm(self, due_ms, ring)


class _WallAlarm:
    """Sleeps in short stretches: the time of day may be set, and machines are suspended."""

    def __init__(self, clock: WallClock, due_ms: int, ring: Callable[[], object]) -> None:
        self._clock = clock
        self._due_ms = due_ms
        self._ring = ring
        self._sleep()

    def cancel(self) -> None:
        self._handle.cancel()

    def _sleep(self) -> None:
        left_s = max(0, self._due_ms - self._clock.now_ms()) / 1000
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(min(left_s, LONGEST_SLEEP_S), self._wake)

    def _wake(self) -> None:
        if self._clock.now_ms() < self._due_ms:
            self._sleep()
        else:
            self._ring()


class VirtualClock:
    """A time that stands still until `advance` is called: days pass in no time."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms
        self._alarms: list[tuple[int, int, _VirtualAlarm]] = []
        self._numbers = itertools.count()

    def now_ms(self) -> int:
        """Milliseconds since the start of the test."""
        return self._now_ms

    def call_at(self, due_ms: int, ring: Callable[[], object]) -> Alarm:
        """Set an alarm that `advance` rings."""
        alarm = _VirtualAlarm(ring)
        heapq.heappush(self._alarms, (due_ms, next(self._numbers), alarm))
        return alarm

    def advance(self, by_ms: int) -> None:
        """Move on; every alarm that falls due rings at its time, earliest first.

        Alarms that are set by those that ring count too; work that they begin runs when
        the loop is given a chance.
        """
        end_ms = self._now_ms + by_ms
        while self._alarms and self._alarms[0][0] <= end_ms:
            due_ms, _, alarm = heapq.heappop(self._alarms)
            self._now_ms = max(self._now_ms, due_ms)
            if alarm.ring is not None:
                alarm.ring()
        self._now_ms = end_ms


class _VirtualAlarm:
    def __init__(self, ring: Callable[[], object]) -> None:
        self.ring: Callable[[], object] | None = ring

    def cancel(self) -> None:
        self.ring = None
