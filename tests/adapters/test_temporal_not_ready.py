"""A request that met a task which failed is made again, and counts once."""

from __future__ import annotations

import asyncio
from typing import Any

from google.protobuf.any_pb2 import Any as Packed
from temporalio.api.common.v1 import GrpcStatus
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowUpdateInput,
    WorkflowUpdateHandle,
)
from temporalio.service import RPCError, RPCStatusCode

from conductor_adapters.temporal import TemporalClient, conductor_worker
from conductor_adapters.work import StepContext
from conductor_core import FlowSpec, GroupSpec, StepSpec
from tests.adapters.processes import play
from tests.services.temporal import Temporal

QUEUE = "not-ready"
WAITS = FlowSpec(groups=[GroupSpec(key="g", steps=[StepSpec(key="a")])])
FAILURE = "type.googleapis.com/temporal.api.errordetails.v1.WorkflowNotReadyFailure"
"""What a server says where a signal came in just as a run was about to end."""


class NotReadyAtFirst(Interceptor):
    """Has a server answer the first requests so."""

    def __init__(self, times: int) -> None:
        self.times = times

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - theirs
        """Stand between a client and its server."""
        return _Between(next, self)


class _Between(OutboundInterceptor):
    def __init__(self, inner: OutboundInterceptor, settings: NotReadyAtFirst) -> None:
        super().__init__(inner)
        self._settings = settings

    async def start_workflow_update(
        self,
        input: StartWorkflowUpdateInput,  # noqa: A002 - theirs
    ) -> WorkflowUpdateHandle[Any]:
        if self._settings.times > 0:
            self._settings.times -= 1
            status = GrpcStatus(code=9, details=[Packed(type_url=FAILURE)])
            raise RPCError(
                "not ready", RPCStatusCode.FAILED_PRECONDITION, status.SerializeToString()
            )
        return await super().start_workflow_update(input)


async def wait(_context: StepContext) -> None:
    """Do not come to an end."""
    await asyncio.Event().wait()


def test_a_request_is_made_again_that_met_a_task_which_failed(temporal: Temporal) -> None:
    """Who asks does not hear of it."""
    play(_asked(temporal.url))


async def _asked(url: str) -> None:
    server = NotReadyAtFirst(times=2)
    connection = await Client.connect(url, interceptors=[server])
    client = TemporalClient(connection, task_queue=QUEUE, query_s=0)
    async with conductor_worker(connection, {"a": wait}, task_queue=QUEUE):
        flow = await client.start(WAITS, flow_id="not-ready/1")
        assert str(await flow.pause(by="ana")) == "accepted"
        assert server.times == 0
        await flow.cancel(by="ana")
        await flow.wait()
