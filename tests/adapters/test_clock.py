"""Clocks: nothing rings early, and virtual time passes only when it is told to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from conductor_adapters.clock import VirtualClock, WallClock


def test_the_wall_clock_rings_at_the_time_of_day() -> None:
    """An alarm of the wall clock rings once, when its time has come and not before."""

    async def script() -> tuple[int, int]:
        clock = WallClock()
        rang: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        due_ms = clock.now_ms() + 20
        clock.call_at(due_ms, lambda: rang.set_result(time.time_ns() // 1_000_000))
        return due_ms, await asyncio.wait_for(rang, 10)

    due_ms, rang_ms = asyncio.run(script())
    assert rang_ms >= due_ms


def test_an_alarm_that_wakes_early_sleeps_on() -> None:
    """When the time of day was set back, or the sleep was short, an alarm waits on."""

    class Slow(WallClock):
        """Says twice that nothing of the time has passed yet."""

        def __init__(self) -> None:
            self.times = iter([0, 0, 5, 10])

        def now_ms(self) -> int:
            return next(self.times)

    async def script() -> list[str]:
        rang: list[str] = []
        Slow().call_at(10, lambda: rang.append("rang"))
        while not rang:
            await asyncio.sleep(0.001)
        return rang

    assert asyncio.run(asyncio.wait_for(script(), 10)) == ["rang"]


def test_a_cancelled_alarm_is_silent() -> None:
    """An alarm that was forgotten does not ring, on either clock."""

    async def script() -> list[str]:
        rang: list[str] = []
        wall, virtual = WallClock(), VirtualClock()
        wall.call_at(wall.now_ms(), lambda: rang.append("wall")).cancel()
        virtual.call_at(5, lambda: rang.append("virtual")).cancel()
        virtual.advance(10)
        await asyncio.sleep(0.01)
        return rang

    assert asyncio.run(script()) == []


def test_virtual_alarms_ring_in_the_order_of_their_times() -> None:
    """Each alarm sees its own time, also one that is set by another that rings."""
    clock = VirtualClock(now_ms=100)
    seen: list[tuple[str, int]] = []

    def note(name: str) -> Callable[[], None]:
        return lambda: seen.append((name, clock.now_ms()))

    def chain() -> None:
        note("first")()
        clock.call_at(clock.now_ms() + 5, note("chained"))

    clock.call_at(130, note("late"))
    clock.call_at(110, chain)
    clock.call_at(50, note("overdue"))
    clock.call_at(141, note("never"))
    clock.advance(40)
    assert seen == [("overdue", 100), ("first", 110), ("chained", 115), ("late", 130)]
    assert clock.now_ms() == 140
