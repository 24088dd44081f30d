"""Flows beside a workflow that is written by hand, timed by the wall from the client.

Run as a process: `temporal_runs.py SERVER STEPS ROUNDS PID PID` prints for each kind what a step
takes both, in microseconds, and what is in their histories. The two processes are the workers,
whose processor time is told too.

Rule: both do as many steps, in turn, by workers that have worked before; the shorter a run is,
the more of them there are. Whoever waits for an end is told of it by Temporal itself.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import uuid
from time import perf_counter
from typing import Any, Final

import psutil
from attrs import define, field
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from benchmarks.children import tell
from benchmarks.rounds import times_to_reach
from benchmarks.temporal_apps import Side, ended, histories, let_go, sides
from benchmarks.temporal_names import KINDS, PROCESSOR, TASKS, TOTAL, WALL

AT_LEAST: Final = 100
"""So many steps are in one round, in several runs if need be."""
WARM_STEPS: Final = 20
OF_TASKS: Final = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
    }
)


@define
class Timed:
    """One of the two, and what was seen of it."""

    client: Client
    side: Side
    worker: psutil.Process
    wall: list[float] = field(factory=list)
    processor: list[float] = field(factory=list)
    last: str = ""

    async def once(self, kind: str, steps: int) -> None:
        """Do so many steps."""
        self.last = uuid.uuid4().hex
        await ended(await self.side.start(kind, steps, self.last))

    async def timing(self, kind: str, steps: int) -> None:
        """Do so many steps while the clock runs."""
        spent, begin = self._spent_s(), perf_counter()
        await self.once(kind, steps)
        each_us = 1_000_000 / steps
        self.wall.append((perf_counter() - begin) * each_us)
        self.processor.append((self._spent_s() - spent) * each_us)

    def _spent_s(self) -> float:
        times = self.worker.cpu_times()
        return times.user + times.system

    async def found(self) -> dict[str, float]:
        """What a step takes, and how many events the last run has."""
        runs = await histories(self.client, self.last)
        kinds = [event.event_type for run in runs for event in run.events]
        return {
            WALL: statistics.median(self.wall),
            # Its clock is a coarse one.
            PROCESSOR: statistics.fmean(self.processor),
            TOTAL: len(kinds),
            TASKS: sum(kind in OF_TASKS for kind in kinds),
        }


async def compared(
    client: Client, kind: str, steps: int, rounds: int, workers: list[psutil.Process]
) -> dict[str, Any]:
    """What is found of both."""
    both = {
        name: Timed(client, side, worker)
        for (name, side), worker in zip(sides(client).items(), workers, strict=True)
    }
    for timed in both.values():
        await timed.once(kind, WARM_STEPS)
    for _ in range(rounds * times_to_reach(AT_LEAST, steps)):
        for timed in both.values():
            await timed.timing(kind, steps)
    return {name: await timed.found() for name, timed in both.items()}


async def main(server: str, steps: str, rounds: str, *pids: str) -> None:
    """Print what is found."""
    client = await Client.connect(server)
    workers = [psutil.Process(int(pid)) for pid in pids]
    tell(**{kind: await compared(client, kind, int(steps), int(rounds), workers) for kind in KINDS})


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    let_go()
