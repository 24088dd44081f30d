"""What a host that lost its memory must do again (S14.2), and what it may not (S14.3)."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    RetryPolicy,
    StepSpec,
    commands,
    events,
    interrupted_attempts,
    overdue_timers,
    pending_commands,
)
from conductor_core.commands import (
    CancelFutures,
    ContinueAsNew,
    DispatchStep,
    FinishFlow,
    GenerateSteps,
    RequestApproval,
    ScheduleTimer,
)
from conductor_core.events import Event, StepError
from conductor_core.state import FlowState
from conductor_core.testing import given
from conductor_core.testing.brief import (
    START,
    cancelled,
    failed,
    fired,
    flow,
    group,
    retried,
    succeeded,
)

ONCE: Final = StepSpec(key="once", on_recovery="fail")
PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=500))
TIMED: Final = StepSpec(key="timed", timeout_ms=100)
SLOW: Final = StepSpec(
    key="slow", retry=RetryPolicy(max_auto_retries=1, backoff_ms=[1000], jitter=False)
)


def told(state: FlowState, at_ms: int = 0) -> list[str]:
    """The pending commands in brief."""
    return [_brief(command) for command in pending_commands(state, at_ms=at_ms)]


def _brief(command: commands.Command) -> str:
    match command:
        case DispatchStep() | RequestApproval():
            return f"{type(command).__name__} {command.attempt}"
        case ScheduleTimer():
            return f"ScheduleTimer {command.timer} {command.due_at_ms} {command.delay_ms}"
        case CancelFutures():
            return f"CancelFutures {' '.join(command.attempts)}"
        case _:
            return type(command).__name__


def test_before_the_start_nothing_is_pending() -> None:
    """Nothing was commanded yet."""
    assert told(given(flow(group("g", "a"))).state) == []


def test_active_work_is_dispatched_again() -> None:
    """Queued or in progress, with the very command that sent it out first."""
    sent = given(flow(group("g", "a", "b", parallel=True))).when(START)
    assert pending_commands(sent.state, at_ms=9) == sent.commands
    started = given(sent.state, events.StepStarted(at_ms=0, attempt="b#1"), succeeded("a#1"))
    assert told(started.state) == ["DispatchStep b#1"]


def test_timers_get_the_delay_that_is_left_of_them() -> None:
    """The time that has passed is taken off, down to nothing."""
    state = given(flow(group("g", TIMED)), START).state
    assert told(state, 30) == ["DispatchStep timed#1", "ScheduleTimer timeout:timed#1 100 70"]
    assert told(state, 300) == ["DispatchStep timed#1", "ScheduleTimer timeout:timed#1 100 0"]


def test_timers_that_fell_due_are_named_the_earliest_first() -> None:
    """What is due at the very moment counts, what is due later does not."""
    spec = flow(group("g", TIMED, PLAN, SLOW, parallel=True))
    state = given(spec, START, failed("slow#1"), succeeded("plan#1")).state
    assert overdue_timers(state, at_ms=99) == ()
    assert overdue_timers(state, at_ms=500) == ("timeout:timed#1", "approval:plan#1")
    assert overdue_timers(state, at_ms=1000)[2:] == ("backoff:slow#2",)


def test_everything_that_waits_is_asked_for_again() -> None:
    """Work, timers and approvals together, in an order that is safe to follow."""
    spec = flow(group("g", "a", PLAN, SLOW, parallel=True))
    state = given(spec, START, failed("slow#1"), succeeded("plan#1")).state
    assert told(state) == [
        "DispatchStep a#1",
        "ScheduleTimer approval:plan#1 500 500",
        "ScheduleTimer backoff:slow#2 1000 1000",
        "RequestApproval plan#1",
    ]


def test_the_wait_of_a_group_is_scheduled_again() -> None:
    """A group that waits has a timer, and no work until it is over."""
    state = given(flow(group("g", SLOW)), START, failed("slow#1", directive="retry-group")).state
    assert told(state, 400) == ["ScheduleTimer backoff:g@1 1000 600"]


def test_an_open_approval_is_the_one_that_was_asked_for() -> None:
    """The same people are asked about the same subject until the same time."""
    approval = ApprovalSpec(required=2, approvers=["ann", "bob"], timeout_ms=70)
    spec = flow(group("g", evolve(PLAN, approval=approval)))
    asked = given(spec, START).when(succeeded("plan#1", subject="plan-7"))
    assert set(pending_commands(asked.state, at_ms=0)) == set(asked.commands)


def test_what_was_asked_to_cancel_is_not_dispatched_again() -> None:
    """One cancel-futures names it; the grace of the cancel runs on."""
    spec = flow(group("g", "a", "b", TIMED, parallel=True))
    state = given(spec, START, succeeded("b#1"), cancelled(at_ms=5)).state
    assert told(state, 1005) == [
        "CancelFutures a#1 timed#1",
        "ScheduleTimer cancel 30005 29000",
    ]


def test_what_a_stop_asked_to_cancel_stays_asked() -> None:
    """With `fail_fast` siblings are told to give up, again after a crash (S7.2)."""
    spec = flow(group("g", "a", "b", ONCE, parallel=True, fail_fast=True))
    state = given(spec, START, failed("a#1")).state
    assert told(state) == ["CancelFutures b#1 once#1"]
    assert interrupted_attempts(state) == ()


def test_generation_is_asked_for_again_while_it_runs() -> None:
    """Until the last groups came, failed or the flow is cancelled or over."""
    part = events.GroupsGenerated(at_ms=0, groups=[group("g", "a")], complete=False)
    running = given(FlowSpec(), START, part)
    assert told(running.state) == ["DispatchStep a#1", "GenerateSteps"]
    assert told(given(running.state, cancelled()).state) == [
        "CancelFutures a#1",
        "ScheduleTimer cancel 30000 30000",
    ]
    assert told(given(running.state, failed("a#1")).state) == ["FinishFlow"]
    assert told(given(running.state, failed("a#1"), retried("a")).state) == [
        "DispatchStep a#2",
        "GenerateSteps",
    ]
    generate = pending_commands(given(running.state, failed("a#1"), retried("a")).state, at_ms=0)
    assert isinstance(generate[1], GenerateSteps)
    assert generate[1].run == 2
    assert told(given(running.state, events.GenerationFailed(at_ms=0)).state) == [
        "DispatchStep a#1"
    ]


def test_a_continue_as_new_is_asked_for_again() -> None:
    """Until the host runs on with a fresh history, from the same place."""
    spec = flow(group("g", "a"), group("h", "b"), options=FlowOptions(continue_as_new_every=1))
    state = given(spec, START, succeeded("a#1")).state
    assert pending_commands(state, at_ms=0) == (
        ContinueAsNew(start_from_group_idx=1, incarnation=0),
    )
    continued = given(state, events.ContinuedAsNew(at_ms=0, incarnation=0)).state
    assert told(continued) == ["DispatchStep b#1"]


ENDS: Final[dict[str, list[Event]]] = {
    "success": [START, succeeded("a#1")],
    "error": [START, failed("a#1")],
    "cancelled": [cancelled()],
}


@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_a_flow_is_told_again(end: str) -> None:
    """A flow that is over has nothing pending but its end."""
    state = given(flow(group("g", "a")), *ENDS[end]).state
    assert state.outcome is not None
    assert state.outcome.status == end
    assert pending_commands(state, at_ms=0) == (FinishFlow(outcome=state.outcome, run=1),)


# --- what must not run twice unseen (S14.3) ---


def test_what_must_not_run_twice_is_named_instead() -> None:
    """Its dispatch is left out, its timer is not; the host answers for it."""
    spec = flow(group("g", "a", evolve(ONCE, timeout_ms=70), parallel=True))
    state = given(spec, START).state
    assert interrupted_attempts(state) == ("once#1",)
    assert told(state) == ["DispatchStep a#1", "ScheduleTimer timeout:once#1 70 70"]


def test_an_interruption_is_a_failure_like_any_other() -> None:
    """Section 6 decides what follows, here a retry that runs at once."""
    step = evolve(ONCE, retry=RetryPolicy(max_auto_retries=1, backoff_ms=[]))
    state = given(flow(group("g", step)), START).state
    interrupted = StepError(message="the host restarted", type="interrupted")
    again = given(state).when(failed("once#1", error=interrupted)).then_dispatched("once#2")
    assert interrupted_attempts(again.state) == ("once#2",)


@pytest.mark.parametrize(
    "history",
    [
        [],
        [START, succeeded("once#1")],
        [START, failed("once#1")],
        [START, cancelled()],
        [START, cancelled(), fired("cancel")],
    ],
)
def test_only_active_work_was_interrupted(history: list[Event]) -> None:
    """Before it runs, when it is over, or when it was told to give up, nothing is missing."""
    assert interrupted_attempts(given(flow(group("g", ONCE, "b")), *history).state) == ()
