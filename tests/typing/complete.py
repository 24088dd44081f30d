"""What a user of the package may rely on, as types: the type checkers must be content."""

from __future__ import annotations

from typing import assert_never, assert_type

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    FlowState,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    Transition,
    commands,
    events,
    initial_state,
    interrupted_attempts,
    pending_commands,
    reduce,
)
from conductor_core.verdicts import Accepted, Ignored, Rejected, Verdict

PLAN = StepSpec(key="plan", approval=ApprovalSpec(required=2, approvers=("ana", "bo")))
APPLY = StepSpec(
    key="apply", input={"target": "all"}, needs=("plan",), retry=RetryPolicy(max_auto_retries=2)
)
SPEC = FlowSpec(
    type="deploy",
    groups=(GroupSpec(key="network", steps=(PLAN, APPLY)),),
    options=FlowOptions(on_failure="await-retry"),
)


def play(state: FlowState, history: list[events.Event]) -> Verdict:
    """Play a history and give the last verdict."""
    verdict: Verdict = Accepted()
    for event in history:
        transition = reduce(state, event)
        assert_type(transition, Transition)
        assert_type(transition.commands, tuple[commands.Command, ...])
        state, verdict = transition.state, transition.verdict
    return verdict


def resume(state: FlowState, now_ms: int) -> list[str]:
    """What a host does first when it comes back."""
    assert_type(interrupted_attempts(state), tuple[str, ...])
    return [done(command) for command in pending_commands(state, at_ms=now_ms)]


def done(command: commands.Command) -> str:
    """Carry a command out, as far as a type checker looks."""
    match command:
        case commands.DispatchStep(attempt=attempt, work=work):
            return f"run {work} as {attempt}"
        case commands.RequestApproval(attempt=attempt):
            return f"ask about {attempt}"
        case commands.CancelFutures(attempts=attempts):
            return f"give up {', '.join(attempts)}"
        case commands.ScheduleTimer(timer=timer) | commands.CancelTimer(timer=timer):
            return timer
        case commands.GenerateSteps(flow_type=flow_type):
            return flow_type
        case commands.ContinueAsNew(incarnation=incarnation):
            return f"{incarnation + 1}"
        case commands.FinishFlow(outcome=outcome):
            assert_type(outcome, commands.Outcome)
            return outcome.status
        case _:
            assert_never(command)


def text(verdict: Verdict) -> str:
    """Tell a person what became of a request."""
    match verdict:
        case Accepted():
            return "done"
        case Ignored(reason=reason):
            return reason
        case Rejected(code=code, message=message):
            return f"{code}: {message}"
        case _:
            assert_never(verdict)


assert_type(initial_state(SPEC, flow_id="deploy-42"), FlowState)
