"""What must hold of flows on Temporal after whoever worked on them was killed.

Rule: three witnesses are heard and must agree: the logs, replayed by the pure reducer; the
histories and what the client says of them; and the files in which the processes wrote down
what they did.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from attrs import field, frozen
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecutionStatus

from conductor_adapters.temporal import TemporalClient
from conductor_core import FlowState
from conductor_core.errors import ConductorError
from conductor_core.log import Entry, read_log, replay
from property_tests.celery_recovery import (
    Outage,
    Recovery,
    deaths_in,
    done_in,
    standstills,
)
from property_tests.temporal_crash_flows import ended_well
from property_tests.temporal_crash_people import numbers_in
from property_tests.temporal_crash_plan import handed
from property_tests.worker_crash_checks import (
    CrashError,
    Left,
    Words,
    check_done,
    check_said,
    told,
    words_of,
)
from property_tests.worker_crash_flows import name_of, ran, tries_of

CLOSING: Final = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
}
"""What ends an activity, and never comes before another delivery of it."""

ENDED: Final = (WorkflowExecutionStatus.COMPLETED, WorkflowExecutionStatus.FAILED)


@frozen(kw_only=True)
class Ended:
    """What the witnesses say of one flow."""

    state: FlowState
    log: list[Entry] = field(repr=False)
    done: Words = field(repr=False)
    handed: Words = field(repr=False)
    runs: int
    closed_ms: Mapping[str, int] = field(repr=False)


@frozen
class Result:
    """What became of all flows: what is told of every host, the runs, and how long work stood."""

    left: Left
    runs: int
    attempts: int
    recovery: Recovery


async def checked(client: TemporalClient, folder: Path, outages: Sequence[Outage]) -> Result:
    """See that everything came out as it should; raises CrashError."""
    names = [name_of(number) for number in sorted(numbers_in(folder / "begun"))]
    flows = [await ended(client, folder, name) for name in names]
    for flow in flows:
        check_done(flow.state, flow.log, flow.done)
        check_not_again(flow)
    logs = {flow.state.flow_id: flow.log for flow in flows}
    check_said(logs, words_of(folder / "said"))
    return Result(
        left=told([it.state for it in flows], logs, {it.state.flow_id: it.done for it in flows}),
        runs=sum(flow.runs for flow in flows),
        attempts=sum(len(list(flow.state.attempts())) for flow in flows),
        recovery=recovery_of(folder, flows, outages),
    )


async def ended(client: TemporalClient, folder: Path, name: str) -> Ended:
    """What is said of a flow, which must have ended as one that was left alone."""
    described = await client.client.get_workflow_handle(name).describe()
    if described.status not in ENDED:
        raise CrashError(f"{name} has not ended in Temporal: {described.status!r}")
    try:
        lines = await client.log(name)
        found = replay(lines, flow_id=name)
    except ConductorError as error:
        raise CrashError(f"the log of {name} does not replay: {error}") from error
    state = found.state
    if not found.closed or found.truncated is not None or not ended_well(state):
        raise CrashError(f"{name} ended otherwise: {state.status}, {tries_of(state)}")
    if await client.look(name) != state:
        raise CrashError(f"{name} is not where its log leads")
    runs = [run async for run in client.histories(name)]
    return Ended(
        state=state,
        log=[line for line in read_log(lines) if isinstance(line, Entry)],
        done=words_of(folder / ran(name)),
        handed=words_of(folder / handed(name)),
        runs=len(runs),
        # The first end of each counts, and the last run comes first.
        closed_ms={
            attempt: at_ms for run in runs for attempt, at_ms in reversed([*closings(run.events)])
        },
    )


# --- what stood in the history ---


def check_not_again(flow: Ended) -> None:
    """See that nothing was handed to a worker whose end stood in the history.

    Who was handed it before may begin late, as one that stood still does.
    """
    for attempt, at_ms in flow.handed:
        late_ms = int(at_ms) - flow.closed_ms.get(attempt, int(at_ms))
        if late_ms > 0:
            raise CrashError(
                f"{flow.state.flow_id}: {attempt} ran again {late_ms} ms after its end "
                "stood in the history"
            )


def closings(events: Sequence[HistoryEvent]) -> Iterator[tuple[str, int]]:
    """The activities of a history that have ended, and when."""
    scheduled = {
        event.event_id: event.activity_task_scheduled_event_attributes.activity_id
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    }
    for event in events:
        at_ms = event.event_time.ToMilliseconds()
        if event.event_type in CLOSING:
            closing = getattr(event, CLOSING[event.event_type])
            yield scheduled[closing.scheduled_event_id], at_ms
        elif event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
            yield local_of(event), at_ms


def local_of(event: HistoryEvent) -> str:
    """The activity of which a marker says that the worker of the flow has done it."""
    (data,) = event.marker_recorded_event_attributes.details["data"].payloads
    told: Any = json.loads(data.data)
    name: str = told["activity_id"]
    return name


# --- how long work stood still ---


def recovery_of(folder: Path, flows: Sequence[Ended], outages: Sequence[Outage]) -> Recovery:
    """How long work stood still in all flows."""
    deaths = deaths_in(folder)
    found = [it for flow in flows for it in standstills(deaths, done_in(flow.done), flow.log)]
    return Recovery(
        times=len(found),
        median_s=median([it.seconds for it in found] or [0.0]),
        longest_s=max((it.seconds for it in found if not it.meets(outages)), default=0.0),
        in_outage_s=max((it.seconds for it in found if it.meets(outages)), default=0.0),
    )
