"""Lists of flows: what Temporal's visibility knows, and what each flow says of itself.

Rule: visibility lags behind by some moments and knows no statuses of ours; whoever needs to be
sure asks the flow.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio.api.enums.v1 import PendingActivityState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowQueryFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from conductor_adapters.store.protocol import GENERATE, STEP, FlowRow
from conductor_adapters.temporal import names

AT_ONCE: Final = 20
QUERY_S: Final = 2.0
QUERY: Final = f'WorkflowType = "{names.FLOW}" AND ExecutionStatus != "ContinuedAsNew"'
TOO_LATE: Final = (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)
_FORCED: Final = {
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.COMPLETED: "success",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed-out",
}


class Asking:
    """Asks flows, one list long: where one finds no worker, none of its queue is asked."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._unanswered: set[str] = set()

    async def summary(self, known: WorkflowExecution) -> dict[str, Any] | None:
        """What a flow says of itself, if a worker lives that tells."""
        if known.task_queue in self._unanswered:
            return None
        handle = self._client.get_workflow_handle(known.id)
        try:
            told: dict[str, Any] = await handle.query(
                names.SUMMARY, rpc_timeout=timedelta(seconds=QUERY_S)
            )
        except WorkflowQueryFailedError:
            return None
        except RPCError as error:
            if error.status in TOO_LATE:
                self._unanswered.add(known.task_queue)
            return None
        return told


class Listing:
    """What is known of the flows of a namespace."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def flows(
        self, *, statuses: Sequence[str], after: FlowRow | None, limit: int
    ) -> Sequence[FlowRow]:
        """Rows in the order in which flows began."""
        room, asking = asyncio.Semaphore(AT_ONCE), Asking(self._client)

        async def row(known: WorkflowExecution) -> FlowRow:
            async with room:
                return await self._row(known, asking)

        rows = await asyncio.gather(*(row(known) for known in (await self._latest()).values()))
        rows = sorted(rows, key=_place)
        behind = [it for it in rows if after is None or _place(it) > _place(after)]
        return [it for it in behind if not statuses or it.status in statuses][:limit]

    async def _latest(self) -> dict[str, WorkflowExecution]:
        """The last run of each flow."""
        found: dict[str, WorkflowExecution] = {}
        async for known in self._client.list_workflows(QUERY):
            other = found.get(known.id)
            if other is None or other.start_time < known.start_time:
                found[known.id] = known
        return found

    async def _row(self, known: WorkflowExecution, asking: Asking) -> FlowRow:
        memo = await known.memo()
        changed_ms = int((known.close_time or known.start_time).timestamp() * 1000)
        status = "in-progress"
        if known.status is WorkflowExecutionStatus.FAILED:
            status = await self._failed(known)
        elif known.status is not None and known.status in _FORCED:
            status = _FORCED[known.status]
        elif (told := await asking.summary(known)) is not None:
            status, changed_ms = told["status"], told["changed_ms"]
        return FlowRow(
            flow_id=known.id,
            type=str(memo.get(names.FLOW_TYPE, "")),
            status=status,
            began_ms=int(memo.get(names.BEGAN, changed_ms)),
            changed_ms=changed_ms,
            accepted_only=True,
        )

    async def _failed(self, known: WorkflowExecution) -> str:
        """Whether a flow failed, or was cancelled by those who work with it."""
        handle = self._client.get_workflow_handle(known.id, run_id=known.run_id)
        try:
            await handle.result(follow_runs=False)
        except WorkflowFailureError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == "cancelled":
                return "cancelled"
        except RPCError:
            # Its history is gone by now; that it failed is known.
            pass
        return "error"

    async def waiting_works(self) -> Sequence[tuple[str, str, int]]:
        """The kinds and names of work that no worker has taken."""
        waiting: Counter[tuple[str, str]] = Counter()
        for flow_id, known in (await self._latest()).items():
            if known.status is WorkflowExecutionStatus.RUNNING:
                waiting.update([name async for name in self._waiting(flow_id)])
        return [(kind, name, count) for (kind, name), count in sorted(waiting.items())]

    async def _waiting(self, workflow_id: str) -> AsyncIterator[tuple[str, str]]:
        """The work of a flow, and of the children that have groups of it, that nobody has taken."""
        handle = self._client.get_workflow_handle(workflow_id)
        described = (await handle.describe()).raw_description
        for each in described.pending_activities:
            if each.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED:
                yield _work(each.activity_type.name)
        for child in described.pending_children:
            async for work in self._waiting(child.workflow_id):
                yield work

    async def has_pollers(self, task_queue: str) -> bool:
        """Whether a worker asks for tasks of flows."""
        told = await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=task_queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            )
        )
        return bool(told.pollers)


def _place(row: FlowRow) -> tuple[int, str]:
    return row.began_ms, row.flow_id


def _work(activity: str) -> tuple[str, str]:
    """The kind and the name of the work of an activity."""
    if activity.startswith(names.GENERATE):
        return GENERATE, activity.removeprefix(names.GENERATE)
    return STEP, activity
