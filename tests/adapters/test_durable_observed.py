"""Who observes a flow need not hold on to it, and a flow that has ended holds on to nobody."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path

from conductor_adapters.sqlite import SqliteFlow
from conductor_adapters.work import StepContext
from conductor_core import StepSpec
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.testing.brief import flow, group
from tests.adapters.processes import play, until
from tests.adapters.sqlite_hosts import HANDLERS, host

STEPS = flow(group("g", "a", "b"), group("h", StepSpec(key="c", work="w")))


class Observed:
    """What somebody saw of a flow."""

    def __init__(self, entries: list[Event], ended: asyncio.Event) -> None:
        self.entries = entries
        self.ended = ended

    def see(self, event: Event, transition: Transition) -> None:
        """Take note of an entry."""
        self.entries.append(event)
        if transition.state.outcome is not None:
            self.ended.set()


def test_who_observes_sees_all_to_the_end_without_a_handle(path: Path) -> None:
    """The handle lives as long as the flow does; then nothing keeps it, nor who observed."""
    go_on = asyncio.Event()

    async def wait(_context: StepContext) -> None:
        await go_on.wait()

    async def script() -> None:
        seen: list[Event] = []
        ended = asyncio.Event()
        observed = Observed(seen, ended)
        who = weakref.ref(observed)
        async with host(path, HANDLERS | {"w": wait}) as one:
            handle: weakref.ref[SqliteFlow] = weakref.ref(
                await one.start(STEPS, flow_id="f", observe=observed.see)
            )
            await until(lambda: len(seen) >= 6)
            gc.collect()
            assert handle() is not None
            go_on.set()
            await ended.wait()
            await asyncio.sleep(0)
            gc.collect()
            assert handle() is None
            # The header of a log is no entry, nor is its end.
            assert len(seen) == len(await one.log("f")) - 2
            del observed
            gc.collect()
            assert who() is None

    play(script())


def test_a_flow_that_nobody_observes_is_kept_by_nobody(path: Path) -> None:
    """It runs all the same."""

    async def script() -> None:
        async with host(path, HANDLERS) as one:
            handle = weakref.ref(await one.start(flow(group("g", "a")), flow_id="f"))
            gc.collect()
            assert handle() is None
            assert (await (await one.flow("f")).wait()).status == "success"

    play(script())
