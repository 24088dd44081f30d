"""How long the conformance kit waits."""

from __future__ import annotations

import asyncio
import time

from conductor_core.testing.conformance.patience import AT_MOST, MOST_S, Patience


def test_patience_ends() -> None:
    """When nothing happens the limit is waited for, in ever longer pauses."""

    async def script() -> int:
        patience, looks = Patience(0.1), 0
        while patience.lasts("the same"):
            await patience.pause()
            looks += 1
        return looks

    assert 2 < asyncio.run(script()) < 50


def test_patience_begins_anew_when_something_happens() -> None:
    """Whatever is new gets the whole limit, but not without end."""

    async def script() -> int:
        patience, looks = Patience(0.001), 0
        while patience.lasts(looks):
            await patience.pause()
            looks += 1
        return looks

    assert 2 < asyncio.run(script()) <= AT_MOST


def test_a_busy_machine_costs_no_patience() -> None:
    """Time in which the kit itself could not run counts as a single look."""

    async def script() -> bool:
        patience = Patience(MOST_S + 0.1)
        assert patience.lasts(0)
        asyncio.get_running_loop().call_soon(time.sleep, 2 * MOST_S)
        await patience.pause()
        return patience.lasts(0)

    assert asyncio.run(script())
