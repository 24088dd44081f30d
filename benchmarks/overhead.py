"""What the memory host adds to bare asyncio, per step.

Coroutines that do nothing run once as bare tasks and once as the steps of a flow: one after
another, at most 100 at a time, and all at once. In the same rounds `transitions`, a
state-machine library that many know, tells how fast the machine is: the goal is stated for
a machine on which one event of its plain machine takes 7.4 µs.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

from transitions import Machine

from benchmarks.parts import Part, run
from benchmarks.rounds import Candidate, Play, medians, played
from benchmarks.rows import Row
from benchmarks.scale import Scale
from conductor_adapters.memory import MemoryHost
from conductor_adapters.work import StepContext
from conductor_core import FlowSpec, GroupSpec, StepSpec

GOAL_US: Final = 60.0
REFERENCE_US: Final = 7.4
SHAPES: Final = {"one by one": 1, "100 at a time": 100, "all at once": None}


async def nothing(_context: StepContext | None) -> None:
    """Do nothing."""


def flow(steps: int, limit: int | None) -> FlowSpec:
    """A flow of one group, which is parallel unless its limit is 1."""
    parallel = limit != 1
    group = GroupSpec(
        key="g",
        parallel=parallel,
        max_parallel=limit if parallel else None,
        steps=[StepSpec(key=f"s{number}", work="nothing") for number in range(steps)],
    )
    return FlowSpec(groups=[group])


async def by_host(spec: FlowSpec) -> None:
    """Run a flow on the memory host."""
    async with MemoryHost({"nothing": nothing}) as host:
        outcome = await (await host.start(spec, flow_id="bench")).wait()
    assert outcome.status == "success"


async def bare(steps: int, limit: int | None) -> None:
    """Run as many tasks, at most so many at a time."""
    loop = asyncio.get_running_loop()
    if limit == 1:
        for _ in range(steps):
            await loop.create_task(nothing(None))
        return
    room = asyncio.Semaphore(limit or steps)

    async def one() -> None:
        async with room:
            await nothing(None)

    await asyncio.gather(*(loop.create_task(one()) for _ in range(steps)))


def plain_machine(steps: int) -> Play:
    """As many events of a plain machine of two states."""
    model: Any = type("Model", (), {})()
    arrows = [["go", "a", "b"], ["back", "b", "a"]]
    Machine(model, states=["a", "b"], initial="a", transitions=arrows)

    def play() -> None:
        for _ in range(steps // 2):
            model.go()
            model.back()

    return play


def measure(scale: Scale) -> Iterator[Row]:
    """For each shape what the host adds to a step, as it were on the reference machine."""
    for shape, limit in SHAPES.items():
        costs = medians(_candidates(scale.host_steps, limit), scale.rounds)
        added = costs["host"] - costs["bare"]
        yield Row(
            part="overhead",
            what=f"{shape}, {scale.host_steps:,} steps, where transitions takes {REFERENCE_US} µs",
            figure=added / costs["transitions"] * REFERENCE_US,
            unit="µs a step",
            goal=GOAL_US,
            note=", ".join(f"{name} {cost:.1f}" for name, cost in costs.items()),
        )


def _candidates(steps: int, limit: int | None) -> list[Candidate]:
    spec = flow(steps, limit)
    return [
        played("bare", steps, lambda: [_running(lambda: bare(steps, limit))]),
        played("host", steps, lambda: [_running(lambda: by_host(spec))]),
        played("transitions", steps, lambda: [plain_machine(steps)]),
    ]


def _running(make: Callable[[], Coroutine[Any, Any, None]]) -> Play:
    return lambda: asyncio.run(make())


PART: Final = Part("overhead", "what the memory host adds to bare asyncio", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
