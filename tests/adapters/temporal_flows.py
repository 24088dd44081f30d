"""What tests of the Temporal host share: a server's client, a worker in this process, a story.

Rule: everything runs in one loop, and ends with it; the library wants a moment for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar
from uuid import uuid4

from attrs import frozen
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from conductor_adapters.observing import Observer
from conductor_adapters.temporal import Settings, TemporalClient, conductor_worker
from conductor_adapters.work import StepContext
from conductor_adapters.workers import Handler

T = TypeVar("T")
LINGER_S: Final = 0.1
HEARS_S: Final = 0.1
LONGEST_S: Final = 60.0


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run a story to its end, which comes soon."""

    async def whole() -> T:
        try:
            return await asyncio.wait_for(story, LONGEST_S)
        finally:
            await asyncio.sleep(LINGER_S)

    return asyncio.run(whole())


def new_id(name: str) -> str:
    """An id that no flow of the server has."""
    return f"{name}-{uuid4().hex[:8]}"


@frozen
class Scene:
    """A client of flows, on a task queue of its own, and how workers of it are made."""

    client: Client
    flows: TemporalClient
    queue: str

    @asynccontextmanager
    async def worker(
        self, handlers: Mapping[str, Handler], *, observe: Observer | None = None, **options: Any
    ) -> AsyncGenerator[None]:
        """A worker in this loop."""
        options = {"hears_s": HEARS_S, "grace_s": 0.1, **options}
        async with conductor_worker(
            self.client, handlers, task_queue=self.queue, observe=observe, **options
        ):
            yield


async def scene(url: str, *, settings: Settings | None = None, **options: Any) -> Scene:
    """A scene on a server."""
    client = await Client.connect(url)
    queue = new_id("queue")
    flows = TemporalClient(client, settings=settings, task_queue=queue, **options)
    return Scene(client, flows, queue)


async def reset(on: Scene, flow_id: str) -> None:
    """Reset a flow to its last task, as people do in Temporal."""
    handle = on.client.get_workflow_handle(flow_id)
    tasks = [
        event.event_id
        for event in (await handle.fetch_history()).events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    ]
    known = await handle.describe()
    request = ResetWorkflowExecutionRequest(
        namespace=on.client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=known.id, run_id=known.run_id),
        workflow_task_finish_event_id=tasks[-1],
        request_id=new_id("reset"),
        reason="try again",
    )
    await on.client.workflow_service.reset_workflow_execution(request)


async def done(context: StepContext) -> Mapping[str, str]:
    """Work that is done at once."""
    return {"done": context.attempt}


class Gates:
    """Handlers that wait until they are let go on, by the step."""

    def __init__(self) -> None:
        self._open: dict[str, asyncio.Event] = {}
        self.begun: list[str] = []

    def _gate(self, step: str) -> asyncio.Event:
        return self._open.setdefault(step, asyncio.Event())

    async def work(self, context: StepContext) -> str:
        """Wait, then succeed."""
        self.begun.append(context.attempt)
        await self._gate(context.step).wait()
        return context.attempt

    def open(self, step: str) -> None:
        """Let the work of a step go on."""
        self._gate(step).set()
