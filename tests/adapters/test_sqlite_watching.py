"""Who watches flows in a file sees each entry and each state, and measures of what waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_adapters.clock import VirtualClock
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.testing.brief import flow, group
from tests.adapters.processes import play, until
from tests.adapters.sqlite_hosts import (
    ONE,
    Meter,
    host,
    nothing,
)


def test_observers_see_what_their_host_appends(path: Path) -> None:
    """In order, each entry once; what an observer raises is its own affair."""
    seen: list[str] = []

    def observe(event: Event, _transition: Transition) -> None:
        seen.append(type(event).__name__)
        raise ValueError

    async def script() -> None:
        async with host(path, observe=observe) as worker:
            await (await worker.start(ONE, flow_id="f")).wait()

    play(script())
    assert seen == ["FlowStarted", "StepStarted", "StepFinished"]


def test_until_sees_states_that_pass(path: Path) -> None:
    """Also those that did not last."""

    async def script() -> None:
        async with host(path) as worker:
            started = await worker.start(flow(group("g", "a"), group("h", "b")), flow_id="f")
            await started.until(lambda state: state.outcome is not None)
            with pytest.raises(ZeroDivisionError):
                await started.until(lambda _state: bool(1 // 0))

    play(script())


def test_the_age_of_the_outbox_is_measured(path: Path) -> None:
    """So that who watches sees when nobody takes what waits."""

    async def script() -> None:
        clock, meter = VirtualClock(), Meter()
        async with host(path, {}, clock=clock) as client:
            await client.start(ONE, flow_id="f")
        clock.advance(60_000)
        async with host(path, {"b": nothing}, clock=clock, meter=meter, lease_s=0.03):
            await until(lambda: meter.seen.get("conductor.outbox.age") == 60_000)

    play(script())
