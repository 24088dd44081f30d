"""The workers that are measured, and how work gets to them: `temporal_apps.py SERVER QUEUE`.

Rule: a worker is as it is unless somebody says otherwise. One serves flows, another one what is
written by hand, so that neither waits for the other.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any, Final, Protocol

from attrs import frozen
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Replayer, Worker

from benchmarks.overhead import flow, nothing
from benchmarks.temporal_by_hand import OneByOne, Together
from benchmarks.temporal_by_hand import nothing as nothing_by_hand
from benchmarks.temporal_names import BY_HAND, FLOWS, SEQUENTIAL
from conductor_adapters.temporal import TemporalClient, conductor_replayer, conductor_worker
from conductor_core import FlowSpec

PATIENCE_S: Final = 1_200.0
LETS_GO_S: Final = 0.5


class Side(Protocol):
    """One of the two that are compared."""

    async def start(self, kind: str, steps: int, name: str) -> WorkflowHandle[Any, Any]:
        """Start so many steps."""
        ...

    def replayer(self) -> Replayer:
        """What replays their histories."""
        ...


@frozen
class Flows:
    """Flows, as their client starts them."""

    client: Client

    async def start(self, kind: str, steps: int, name: str) -> WorkflowHandle[Any, Any]:
        """Start a flow of one group."""
        return await self.begin(flow(steps, 1 if kind == SEQUENTIAL else None), name)

    async def begin(self, spec: FlowSpec, name: str) -> WorkflowHandle[Any, Any]:
        """Start a flow."""
        await TemporalClient(self.client, task_queue=FLOWS).start(spec, flow_id=name)
        return self.client.get_workflow_handle(name)

    def replayer(self) -> Replayer:
        """What replays their histories."""
        return conductor_replayer()


@frozen
class ByHand:
    """What is written by hand."""

    client: Client

    async def start(self, kind: str, steps: int, name: str) -> WorkflowHandle[Any, Any]:
        """Start a workflow."""
        run = OneByOne.run if kind == SEQUENTIAL else Together.run
        return await self.client.start_workflow(run, args=[0, steps], id=name, task_queue=BY_HAND)

    def replayer(self) -> Replayer:
        """What replays their histories."""
        return Replayer(workflows=[OneByOne, Together])


def sides(client: Client) -> dict[str, Side]:
    """The two by the queues of their workers; the peer goes first."""
    return {BY_HAND: ByHand(client), FLOWS: Flows(client)}


async def ended(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait for the end of a workflow and all that it went on as; raises unless that is good."""
    await asyncio.wait_for(handle.result(), PATIENCE_S)


async def histories(client: Client, name: str) -> Sequence[WorkflowHistory]:
    """The histories of all runs of a workflow, the first one first."""
    run_id = (await client.get_workflow_handle(name).describe()).raw_info.first_run_id
    found: list[WorkflowHistory] = []
    while run_id:
        found.append(await client.get_workflow_handle(name, run_id=run_id).fetch_history())
        last = found[-1].events[-1]
        run_id = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found


def let_go() -> None:
    """Wait before a client ends: the library aborts a process whose end meets its threads."""
    time.sleep(LETS_GO_S)


async def serve(server: str, queue: str) -> None:
    """Be a worker."""
    client = await Client.connect(server)
    if queue == FLOWS:
        worker = conductor_worker(client, {"nothing": nothing}, task_queue=queue)
    else:
        worker = Worker(
            client,
            task_queue=queue,
            workflows=[OneByOne, Together],
            activities=[nothing_by_hand],
        )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
