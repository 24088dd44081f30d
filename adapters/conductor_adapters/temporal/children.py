"""What the child that has a group of a flow has accepted, and not reported yet.

Rule: the histories of flow and child are one journal. A child's comes first: what it has accepted
has happened, though its flow hears of it only when somebody needs to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from conductor_adapters.store.errors import UnknownFlow
from conductor_adapters.store.kept import TailWriter
from conductor_adapters.temporal.carried import decode_handed, decode_report
from conductor_adapters.temporal.history import Run, Seen, replay_run, run_of
from conductor_adapters.temporal.names import GROUP, REPORT
from conductor_core import reduce
from conductor_core.errors import ConductorError
from conductor_core.events import Event
from conductor_core.verdicts import Accepted

_ENDS: Final = {
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED: (
        "start_child_workflow_execution_failed_event_attributes"
    ),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: (
        "child_workflow_execution_completed_event_attributes"
    ),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: (
        "child_workflow_execution_failed_event_attributes"
    ),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED: (
        "child_workflow_execution_canceled_event_attributes"
    ),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT: (
        "child_workflow_execution_timed_out_event_attributes"
    ),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED: (
        "child_workflow_execution_terminated_event_attributes"
    ),
}


async def add_unreported(client: Client, run: Run, seen: Seen) -> None:
    """Go on with what the child of the run has accepted, if one has a group."""
    child = open_child(run.events)
    if child is None:
        return
    taken = await _taken(client, run.events, child)
    writer = TailWriter.going_on(seen.state, seen.position, accepted_only=True)
    for number, event in await _entries(client, child):
        if number < taken:
            continue
        if number > taken:
            # What lies between came in, and waits to be taken in, where nobody works.
            return
        taken += 1
        transition = reduce(seen.state, event)
        if isinstance(transition.verdict, Accepted):
            seen.see(event, transition, writer.entry(event, transition), writer.tail)


def open_child(events: Sequence[HistoryEvent]) -> str | None:
    """The child that has been started and has not ended, by the history of its flow."""
    started: dict[int, str] = {}
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
            told = event.start_child_workflow_execution_initiated_event_attributes
            started[event.event_id] = told.workflow_id
        elif event.event_type in _ENDS:
            ended = getattr(event, _ENDS[event.event_type])
            started.pop(ended.initiated_event_id, None)
    return next(reversed(started.values()), None)


async def _taken(client: Client, events: Sequence[HistoryEvent], child: str) -> int:
    """How many entries of a child's reports its flow has taken in."""
    for event in reversed(events):
        told = event.workflow_execution_signaled_event_attributes
        if (
            event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
            and told.signal_name == REPORT
        ):
            decoded = await client.data_converter.decode(told.input.payloads)
            # Anybody may send a signal, and what is no report is dropped by the flow too.
            with suppress(ConductorError):
                report = decode_report(decoded[0] if decoded else None)
                if report.child == child:
                    return report.after + len(report.entries)
    return 0


async def _entries(client: Client, child: str) -> list[tuple[int, Event]]:
    """The events of a child's reports that it may not have sent, with their numbers."""
    try:
        run = await run_of(client, child, kind=GROUP)
    except UnknownFlow:
        return []
    sent = decode_handed(run.told).sent
    heard: list[tuple[int, Event]] = []
    if run.events:
        await replay_run(client, run, listener=lambda *each: heard.append(each))
    assert all(number >= sent for number, _ in heard), "a run goes on where the last one was"
    return heard
