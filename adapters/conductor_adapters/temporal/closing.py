"""What the last event of a history says of how its flow ended.

Rule: whatever the run left is read here; where it left nothing, its history has to be replayed.
"""

from __future__ import annotations

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from conductor_adapters.temporal.carried import Standing, standing_left
from conductor_adapters.temporal.history import Run


async def left_by(client: Client, run: Run) -> Standing | None:
    """Where a flow stands after a run that has ended, if the run could leave that."""
    payloads = _payloads(run)
    if not payloads:
        return None
    (told,) = await client.data_converter.decode(payloads)
    return standing_left(told)


def _payloads(run: Run) -> list[Payload]:
    """The payloads of the result of a run, or of the details of its failure."""
    last = run.events[-1]
    if last.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
        return list(last.workflow_execution_completed_event_attributes.result.payloads)
    if last.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
        failure = last.workflow_execution_failed_event_attributes.failure
        return list(failure.application_failure_info.details.payloads)
    return []
