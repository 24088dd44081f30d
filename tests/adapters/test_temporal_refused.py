"""A request that is refused keeps nothing from happening that came with it."""

from __future__ import annotations

import asyncio

from temporalio.client import Client

from conductor_adapters.temporal import TemporalClient, conductor_worker
from conductor_core import FlowSpec, GroupSpec, StepSpec
from conductor_core.log import replay
from tests.adapters.processes import play
from tests.services.temporal import Temporal

QUEUE = "refused"
ADMITTED_S = 0.5
"""So long a request takes at most to be with the server."""
ENDS_S = 20.0
NOTHING_TO_DO = FlowSpec(groups=[GroupSpec(key="g", steps=[StepSpec(key="a", skipped=True)])])


def test_a_flow_may_end_just_before_a_request_is_refused(temporal: Temporal) -> None:
    """Both come in one task of the workflow, which ends all the same."""
    play(_refused_at_the_end(temporal.url))


async def _refused_at_the_end(url: str) -> None:
    connection = await Client.connect(url)
    client = TemporalClient(connection, task_queue=QUEUE, query_s=0)
    flow = await client.start(NOTHING_TO_DO, flow_id="refused/1")
    asking = asyncio.create_task(flow.resume(by="ana"))
    await asyncio.sleep(ADMITTED_S)
    async with conductor_worker(connection, {}, task_queue=QUEUE):
        assert str(await asking) == "rejected(flow-finished)"
        # A history says what a worker should have done; the server knows what it did.
        await asyncio.wait_for(connection.get_workflow_handle(flow.flow_id).result(), ENDS_S)
    assert replay(await flow.log()).closed
