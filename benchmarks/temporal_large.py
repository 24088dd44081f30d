"""A flow of many groups: how long it takes, and how large its histories and its state become.

Run as a process: `temporal_large.py SERVER GROUPS` prints that.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from time import perf_counter

from temporalio.client import Client, WorkflowHistory

from benchmarks.children import tell
from benchmarks.temporal_apps import Flows, ended, histories, let_go
from benchmarks.temporal_names import GROUP_SIZE
from conductor_core import FlowSpec, GroupSpec, StepSpec


def large(groups: int) -> FlowSpec:
    """A flow of so many parallel groups."""
    return FlowSpec(
        groups=[
            GroupSpec(
                key=f"g{group}",
                parallel=True,
                steps=[
                    StepSpec(key=f"g{group}-s{step}", work="nothing") for step in range(GROUP_SIZE)
                ],
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


async def main(server: str, groups: str) -> None:
    """Print what is found."""
    client = await Client.connect(server)
    spec, name = large(int(groups)), uuid.uuid4().hex
    begin = perf_counter()
    await ended(await Flows(client).begin(spec, name))
    took = perf_counter() - begin
    runs = await histories(client, name)
    tell(
        seconds=took,
        runs=len(runs),
        events=max(len(run.events) for run in runs),
        size=max(map(size_of, runs)),
        input=max(map(input_of, runs)),
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    let_go()
