"""Measures what the memory host adds to bare asyncio, per step.

10,000 coroutines that do nothing run once as bare tasks and once as the steps of a flow:
one after another, at most 100 at a time, and all at once. A round runs each candidate once,
in turn, and processor time is counted. In the same rounds `transitions`, a state-machine
library that many know, tells how fast the machine is: the goal is stated for a machine on
which one event of its plain machine takes 7.4 µs.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import sys
from collections.abc import Callable, Coroutine, Iterator
from time import process_time_ns
from typing import Any

from transitions import Machine

from conductor_adapters.memory import MemoryHost
from conductor_adapters.work import StepContext
from conductor_core import FlowSpec, GroupSpec, StepSpec

STEPS = 10_000
GOAL_US = 60.0
REFERENCE_US = 7.4
SHAPES = {"one by one": 1, "100 at a time": 100, "all at once": None}


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


def transitions_us(steps: int) -> float:
    """What one event costs a plain machine of two states, in microseconds."""
    model: Any = type("Model", (), {})()
    arrows = [["go", "a", "b"], ["back", "b", "a"]]
    Machine(model, states=["a", "b"], initial="a", transitions=arrows)

    def play() -> None:
        for _ in range(steps // 2):
            model.go()
            model.back()

    return _timed_us(play) / steps


def _timed_us(run: Callable[[], object]) -> float:
    gc.collect()
    begin = process_time_ns()
    run()
    return (process_time_ns() - begin) / 1_000


def _per_step_us(run: Coroutine[Any, Any, None], steps: int) -> float:
    return _timed_us(lambda: asyncio.run(run)) / steps


def measure(rounds: int, steps: int) -> Iterator[dict[str, Any]]:
    """One row for each shape: medians, and what the overhead is on the reference machine."""
    for shape, limit in SHAPES.items():
        spec = flow(steps, limit)
        alone, hosted, reference = list[float](), list[float](), list[float]()
        for _ in range(rounds):
            alone.append(_per_step_us(bare(steps, limit), steps))
            hosted.append(_per_step_us(by_host(spec), steps))
            reference.append(transitions_us(steps))
        added = statistics.median(hosted) - statistics.median(alone)
        event = statistics.median(reference)
        yield {
            "shape": shape,
            "steps": steps,
            "bare_us": round(statistics.median(alone), 1),
            "host_us": round(statistics.median(hosted), 1),
            "overhead_us": round(added, 1),
            "transitions_us": round(event, 1),
            "overhead_at_reference_us": round(added / event * REFERENCE_US, 1),
            "goal_us": GOAL_US,
        }


def main(arguments: list[str]) -> int:
    """Print the table, or its rows as JSON; 1 when an overhead misses the goal."""
    parser = argparse.ArgumentParser(description="What does the memory host add to asyncio?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = []
    if not options.json:
        print(f"per step, in µs (goal: {GOAL_US:g} where transitions takes {REFERENCE_US})")
        names = f"{'asyncio':>9}{'host':>9}{'overhead':>10}{'transitions':>13}{'at 7.4':>8}"
        print(f"{'shape':<15}{names}")
    for row in measure(options.rounds, options.steps):
        rows.append(row)
        if not options.json:
            told = f"{row['shape']:<15}{row['bare_us']:>9}{row['host_us']:>9}"
            told += f"{row['overhead_us']:>10}{row['transitions_us']:>13}"
            print(f"{told}{row['overhead_at_reference_us']:>8}", flush=True)
    if options.json:
        print(json.dumps(rows, indent=2))
    return 0 if all(row["overhead_at_reference_us"] <= GOAL_US for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
