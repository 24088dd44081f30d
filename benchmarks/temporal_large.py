"""A flow of many groups: how long it takes, how large its histories become, how they replay.

Run as a process: `temporal_large.py SERVER GROUPS SIZE flow|children` prints that; histories
are those of children too.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Sequence
from time import perf_counter
from typing import Final

from temporalio.client import Client, WorkflowHistory

from benchmarks.children import tell
from benchmarks.rounds import medians
from benchmarks.temporal_apps import Flows, ended, histories, let_go
from benchmarks.temporal_names import CHILDREN, FLOWS, LOG
from benchmarks.temporal_replays import Recorded
from conductor_adapters.temporal import TemporalClient
from conductor_core import FlowSpec, GroupSpec, StepSpec

ROUNDS: Final = 3


def large(groups: int, size: int, *, children: bool = False) -> FlowSpec:
    """A flow of so many parallel groups of so many steps, perhaps each run by a child."""
    said = {"host": {"temporal": {"child": True}}} if children else {}
    return FlowSpec(
        groups=[
            GroupSpec(
                key=f"g{group}",
                parallel=True,
                metadata=said,
                steps=[StepSpec(key=f"g{group}-s{step}", work="nothing") for step in range(size)],
            )
            for group in range(groups)
        ]
    )


def size_of(run: WorkflowHistory) -> int:
    """The bytes of a history."""
    return sum(event.ByteSize() for event in run.events)


def input_of(run: WorkflowHistory) -> int:
    """The bytes of what a run was given."""
    start = run.events[0].workflow_execution_started_event_attributes
    return sum(len(payload.data) for payload in start.input.payloads)


async def led(server: str, spec: FlowSpec, steps: int) -> tuple[dict[str, float], Recorded]:
    """Lead a flow to its end; what that took, and what is left of it."""
    client = await Client.connect(server)
    name = uuid.uuid4().hex
    flows = Flows(client)
    begin = perf_counter()
    await ended(await flows.begin(spec, name))
    took = perf_counter() - begin
    runs = await histories(client, name)
    groups = [run for child in children_of(runs) for run in await histories(client, child)]
    found = {
        "seconds": took,
        "runs": len(runs),
        "events": max(len(run.events) for run in (*runs, *groups)),
        "size": max(map(size_of, (*runs, *groups))),
        "input": max(map(input_of, (*runs, *groups))),
    }
    log = [line.encode() for line in await TemporalClient(client).log(name)]
    return found, Recorded(steps, {FLOWS: (flows.replayer(), runs)}, log)


def children_of(runs: Sequence[WorkflowHistory]) -> list[str]:
    """The workflows of the groups that a flow handed over."""
    started = (
        event.start_child_workflow_execution_initiated_event_attributes
        for run in runs
        for event in run.events
    )
    return [each.workflow_id for each in started if each.workflow_id]


def main(server: str, groups: str, size: str, run_by: str) -> None:
    """Print what is found."""
    spec = large(int(groups), int(size), children=run_by == CHILDREN)
    found, recorded = asyncio.run(led(server, spec, int(groups) * int(size)))
    replays = medians(recorded.candidates(), ROUNDS)
    tell(**found, replays=replays[FLOWS] / replays[LOG])


if __name__ == "__main__":
    main(*sys.argv[1:])
    let_go()
