"""Flows that end in one way only, however their messages come: for trials without deaths.

Rule: what the reducer makes of such a flow by itself is what every host must come to, but for
times (`likeness`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

from conductor_adapters.work import StepContext, StepFailure, StepResult, raised, returned
from conductor_adapters.workers import Handler
from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    FlowState,
    GroupSpec,
    StepSpec,
    events,
    initial_state,
    reduce,
)
from conductor_core.commands import (
    Command,
    ContinueAsNew,
    DispatchStep,
    GenerateSteps,
    RequestApproval,
    ScheduleTimer,
)
from conductor_core.events import Event
from conductor_core.spec import RetryPolicy
from property_tests.worker_crash_flows import MADE, every
from property_tests.worker_crash_work import Works

BY: Final = "ana"
RETRY: Final = RetryPolicy(max_auto_retries=2, backoff_ms=(10,))

GROUPS: Final = (
    GroupSpec(
        key="first",
        steps=[
            StepSpec(key="plan", work="ok", approval=ApprovalSpec()),
            StepSpec(key="apply", work="fail", needs=["plan"], retry=RETRY),
        ],
    ),
    GroupSpec(
        key="wide",
        parallel=True,
        max_parallel=4,
        steps=[
            StepSpec(key=f"w{n}", work="fail" if n == 3 else "ok", retry=RETRY) for n in range(8)
        ],
    ),
    GroupSpec(key="last", steps=[StepSpec(key="publish", work="ok")]),
)


def spec_of(number: int) -> FlowSpec:
    """What a flow does, by its number; some have their groups made, or continue as new."""
    generated = every(2, number)
    return FlowSpec(
        type=MADE if generated else "flow",
        groups=() if generated else GROUPS,
        options=FlowOptions(continue_as_new_every=1 if every(3, number) else None),
    )


def wide(steps: int) -> FlowSpec:
    """A flow of parallel steps that do nothing."""
    members = [StepSpec(key=f"s{n}", work="ok") for n in range(steps)]
    return FlowSpec(type="wide", groups=[GroupSpec(key="wide", parallel=True, steps=members)])


def specs(kind: str, number: int) -> list[FlowSpec]:
    """So many `flows`, or one that is so `wide`."""
    return [wide(number)] if kind == "wide" else [spec_of(n) for n in range(number)]


# --- what is done ---


def work_of(context: StepContext) -> StepResult:
    """What the work of an attempt comes to; raises StepFailure."""
    if context.work == "fail" and context.attempt.endswith("#1"):
        raise StepFailure("not yet")
    return StepResult(output={"attempt": context.attempt}, subject="plan")


def handlers_of(works: Works) -> Mapping[str, Handler]:
    """The same for workers, who write down what they do."""

    def work(context: StepContext) -> StepResult:
        works.tell("begin", context)
        try:
            return work_of(context)
        finally:
            works.tell("end", context)

    return {"ok": work, "fail": work}


def foreseen(spec: FlowSpec, flow_id: str) -> FlowState:
    """The end of a flow, as the reducer says by itself."""
    state = initial_state(spec, flow_id)
    waiting: deque[Event] = deque([events.FlowStarted(at_ms=0)])
    while waiting:
        transition = reduce(state, waiting.popleft())
        state = transition.state
        for command in transition.commands:
            waiting.extend(_answers(command, flow_id))
    assert state.outcome is not None, f"{flow_id} has an end"
    return state


def _answers(command: Command, flow_id: str) -> Iterator[Event]:
    match command:
        case DispatchStep():
            context = StepContext(flow_id=flow_id, command=command)
            try:
                yield returned(command.attempt, work_of(context))(at_ms=0)
            except StepFailure as error:
                yield raised(command.attempt, error)(at_ms=0)
        case GenerateSteps():
            yield events.GroupsGenerated(at_ms=0, groups=GROUPS)
        case RequestApproval(attempt=attempt):
            step = attempt.rpartition("#")[0]
            yield events.ApprovalResponded(
                at_ms=0, step=step, response="approve", by=BY, request_id=f"{flow_id}-approve"
            )
        case ScheduleTimer(timer=timer, due_at_ms=due_at_ms):
            yield events.TimerFired(at_ms=due_at_ms, timer=timer)
        case ContinueAsNew(incarnation=incarnation):
            yield events.ContinuedAsNew(at_ms=0, incarnation=incarnation)
        case _:
            pass
