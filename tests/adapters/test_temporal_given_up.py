"""What a flow on Temporal gives up on at its end leaves a history that replays."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio.client import Client

from conductor_adapters.temporal import TemporalClient, conductor_worker
from conductor_core import FlowSpec, GroupSpec
from conductor_core.commands import GenerateSteps
from conductor_core.log import replay
from tests.adapters.processes import play
from tests.services.temporal import Temporal

QUEUE = "given-up"
ADMITTED_S = 0.5
"""So long a request takes at most to be with the server."""


async def never(_command: GenerateSteps) -> Sequence[GroupSpec]:
    """Make no groups, ever."""
    await asyncio.Event().wait()
    return ()


def test_a_flow_may_be_cancelled_before_its_generator_has_left(temporal: Temporal) -> None:
    """Both come in the first task of the workflow, after which nothing more is written."""
    play(_cancelled_at_once(temporal.url))


async def _cancelled_at_once(url: str) -> None:
    connection = await Client.connect(url)
    client = TemporalClient(connection, task_queue=QUEUE, query_s=0)
    flow = await client.start(FlowSpec(type="made"), flow_id="given-up/1")
    asking = asyncio.create_task(flow.cancel(by="ana"))
    await asyncio.sleep(ADMITTED_S)
    async with conductor_worker(connection, {}, generators={"made": never}, task_queue=QUEUE):
        await asking
        state = await flow.until(lambda state: state.outcome is not None)
    assert replay(await flow.log()).state == state
    assert state.status == "cancelled"
