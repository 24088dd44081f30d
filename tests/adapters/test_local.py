"""The performer of this process: what comes twice is carried out once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from functools import partial
from typing import Any

from conductor_adapters.calls import Calls
from conductor_adapters.clock import VirtualClock
from conductor_adapters.host import Unstamped
from conductor_adapters.local import LocalPerformer
from conductor_adapters.work import StepContext
from conductor_adapters.workers import Workers
from conductor_core import FlowSpec, GroupSpec, StepSpec, commands, events, initial_state
from conductor_core.payload import EMPTY

STATE = initial_state(FlowSpec(groups=(GroupSpec(key="g", steps=(StepSpec(key="a"),)),)), "f")

DISPATCH = commands.DispatchStep(
    attempt="a#1", work="a", input=EMPTY, outputs=EMPTY, subjects=EMPTY,
    idempotency_key="f/a#1", retry=0, generation=0, timeout_ms=None,
)  # fmt: skip
GENERATE = commands.GenerateSteps(flow_id="f", flow_type="g", metadata=EMPTY, run=1)


class World:
    """A performer, and what it reports."""

    def __init__(self, **workers: Any) -> None:
        self.clock = VirtualClock()
        self.reported: list[events.Event] = []
        self.failures: list[Exception] = []
        self.performer = LocalPerformer(
            STATE,
            workers=Workers(**workers),
            calls=Calls(threads=4),
            clock=self.clock,
            report=self._report,
            give_up=self.failures.append,
        )

    def _report(self, what: Unstamped[events.Event]) -> None:
        self.reported.append(what(at_ms=self.clock.now_ms()))

    def kinds(self) -> list[str]:
        """What was reported, by the names of the classes."""
        return [type(event).__name__ for event in self.reported]

    async def settle(self) -> None:
        """Wait until nothing runs any more."""
        while self.performer.under_way():
            await asyncio.wait(self.performer.under_way())
            if all(task.done() for task in self.performer.under_way()):
                break
        await asyncio.sleep(0)


async def nothing(_context: StepContext) -> None:
    """Work that is done at once."""


def test_a_dispatch_that_comes_twice_runs_once() -> None:
    """Work that is under way is not begun again under the same attempt."""

    async def script() -> World:
        world = World(handlers={"a": nothing})
        world.performer.dispatch_step(DISPATCH)
        world.performer.dispatch_step(DISPATCH)
        await world.settle()
        return world

    assert asyncio.run(script()).kinds() == ["StepStarted", "StepFinished"]


def test_a_timer_that_comes_twice_fires_once() -> None:
    """The second of two timers with one id takes the place of the first."""

    async def script() -> World:
        world = World(handlers={})
        for due_ms in (10, 20):
            command = commands.ScheduleTimer(timer="t", due_at_ms=due_ms, delay_ms=due_ms)
            world.performer.schedule_timer(command)
        world.clock.advance(30)
        world.performer.cancel_timer(commands.CancelTimer(timer="t"))
        return world

    assert asyncio.run(script()).reported == [events.TimerFired(at_ms=20, timer="t")]


def test_a_generation_that_comes_twice_runs_once() -> None:
    """Groups are made once for each run of the flow."""
    calls: list[int] = []

    async def generator(command: commands.GenerateSteps) -> list[GroupSpec]:
        calls.append(command.run)
        return []

    async def script() -> World:
        world = World(handlers={}, generators={"g": generator})
        world.performer.generate_steps(GENERATE)
        world.performer.generate_steps(GENERATE)
        await world.settle()
        return world

    assert asyncio.run(script()).kinds() == ["GroupsGenerated"]
    assert calls == [1]


def test_work_that_is_not_here_has_given_up() -> None:
    """A cancel of work that went down with an earlier host is answered at once."""

    async def script() -> World:
        world = World(handlers={"a": nothing})
        world.performer.cancel_futures(commands.CancelFutures(attempts=("a#1",)))
        return world

    assert asyncio.run(script()).reported == [
        events.StepFinished(at_ms=0, attempt="a#1", outcome="cancelled")
    ]


def test_a_cancel_in_the_thread_reaches_the_coroutine_after_it() -> None:
    """A function that is asked to give up and then returns a coroutine has it cancelled."""
    entered, go_on = threading.Event(), threading.Event()

    def promise(_context: StepContext) -> Awaitable[object]:
        entered.set()
        go_on.wait(20)
        return asyncio.sleep(60)

    async def script() -> World:
        world = World(handlers={"a": promise})
        world.performer.dispatch_step(DISPATCH)
        await asyncio.to_thread(entered.wait)
        world.performer.cancel_futures(commands.CancelFutures(attempts=("a#1",)))
        go_on.set()
        await world.settle()
        return world

    last = asyncio.run(asyncio.wait_for(script(), 20)).reported[-1]
    assert last == partial(events.StepFinished, attempt="a#1", outcome="cancelled")(at_ms=0)


def test_groups_that_nobody_here_makes_are_a_failed_generation() -> None:
    """A flow of a type that nobody knows here fails; it does not wait for ever."""

    async def script() -> World:
        world = World(handlers={})
        world.performer.generate_steps(GENERATE)
        await world.settle()
        return world

    (failed,) = asyncio.run(script()).reported
    assert isinstance(failed, events.GenerationFailed)
    assert failed.error.type == "unknown-type"
