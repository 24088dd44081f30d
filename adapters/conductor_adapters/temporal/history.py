"""The log of a flow, made again from the histories of its runs by Temporal's own Replayer.

Rule: a history is the journal, and nothing in it is interpreted here: the workflow itself is
replayed, and tells what became of every event. The order of a history is not the one in which
events were reduced, so that no other way is safe.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any, Final

from attrs import define, field, frozen
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory

from conductor_adapters.temporal.carried import Standing, decode_carried
from conductor_adapters.temporal.errors import TemporalError, told
from conductor_adapters.temporal.names import FLOW
from conductor_adapters.temporal.worker import conductor_replayer
from conductor_core.errors import shown
from conductor_core.events import Event
from conductor_core.loglines import Position, after_header, new_header
from conductor_core.reducer import Transition
from conductor_core.state import FlowState

COMMANDED: Final = frozenset(
    {
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_TIMER_CANCELED,
        EventType.EVENT_TYPE_MARKER_RECORDED,
        EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
        EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
        EventType.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    }
)
"""What a worker decides, in the events that follow the task in which it did."""


@frozen(kw_only=True)
class Run:
    """One run of a flow's workflow, as far as it has been decided."""

    flow_id: str
    run_id: str
    began_ms: int
    told: dict[str, Any]
    events: Sequence[HistoryEvent]

    @property
    def previous(self) -> str | None:
        """The run before."""
        return self.told.get("previous")

    @property
    def begins_after(self) -> int:
        """The number of the last entry of the log before this run."""
        found: int = self.told["log"]["entries"] if "log" in self.told else -1
        return found


@define
class Seen:
    """What a replay has shown of a run: the lines by the number of their entry, and the state."""

    state: FlowState
    position: Position
    began_ms: int
    latest_ms: int
    lines: list[tuple[int, str]] = field(factory=list)

    def see(
        self, event: Event | None, transition: Transition | None, lines: str, position: Position
    ) -> None:
        """Take note of what an event led to, of the header, or of the end of the log."""
        if event is not None and transition is not None and lines:
            self.state = transition.state
            self.latest_ms = max(self.latest_ms, event.at_ms)
        self.position = position
        # An entry and its checkpoint come together.
        self.lines += [(position.entries, line) for line in StringIO(lines, newline="\n")]

    def standing(self) -> Standing:
        """What another run would be given."""
        return Standing(
            state=self.state,
            position=self.position,
            began_ms=self.began_ms,
            latest_ms=self.latest_ms,
        )


async def run_of(
    client: Client, flow_id: str, run_id: str | None = None, *, kind: str = FLOW
) -> Run:
    """A run of a flow, the last one unless another is named; raises UnknownFlow."""
    handle = client.get_workflow_handle(flow_id, run_id=run_id)
    with told(client.service_client.config.target_host, flow_id):
        history = await handle.fetch_history()
    return await run_from(client, history, kind=kind)


async def run_from(client: Client, history: WorkflowHistory, *, kind: str = FLOW) -> Run:
    """The run of a history; raises TemporalError for one of another workflow."""
    start = history.events[0].workflow_execution_started_event_attributes
    if start.workflow_type.name != kind:
        raise TemporalError(
            f"{shown(history.workflow_id)} is no flow but a workflow of type "
            f"{shown(start.workflow_type.name)}"
        )
    (input_told,) = await client.data_converter.decode(start.input.payloads)
    return Run(
        flow_id=history.workflow_id,
        run_id=start.original_execution_run_id,
        began_ms=history.events[0].event_time.ToMilliseconds(),
        told=input_told,
        events=list(decided(history.events)),
    )


def decided(events: Sequence[HistoryEvent]) -> Iterator[HistoryEvent]:
    """The part of a history that a worker has taken in, and what it decided upon that.

    What came later has no order yet, and an end by force is nothing that a worker decided.
    """
    last = max(
        (
            index
            for index, event in enumerate(events)
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        ),
        default=-1,
    )
    for index, event in enumerate(events):
        if index <= last or event.event_type in COMMANDED:
            yield event


async def replayed(client: Client, run: Run) -> Seen:
    """What a run came to; raises TemporalError where its history does not replay."""
    seen = _nothing_seen(run)
    if run.events:
        await replay_run(client, run, sink=seen.see)
    return seen


async def replay_run(client: Client, run: Run, **wants: Any) -> None:
    """Replay a run for who wants to see or hear of it; raises TemporalError."""
    replayer = conductor_replayer(data_converter=client.data_converter, **wants)
    history = WorkflowHistory(workflow_id=run.flow_id, events=run.events)
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    if result.replay_failure is not None:
        raise TemporalError(
            f"flow {shown(run.flow_id)}: the history of its run {run.run_id} does not replay: "
            f"{result.replay_failure}"
        )


def _nothing_seen(run: Run) -> Seen:
    """Where a run begins."""
    carried = decode_carried(run.told)
    standing, lines = carried.standing, list[tuple[int, str]]()
    if standing is None:
        header = new_header(carried.state, at_ms=run.began_ms, accepted_only=True)
        line, position = after_header(header, carried.state)
        if not run.events:
            # What replays says so itself.
            lines.append((0, line))
        standing = Standing(
            state=carried.state, position=position, began_ms=run.began_ms, latest_ms=run.began_ms
        )
    return Seen(
        state=standing.state,
        position=standing.position,
        began_ms=standing.began_ms,
        latest_ms=standing.latest_ms,
        lines=lines,
    )
