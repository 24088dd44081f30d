"""What must not count: events that are late, repeated, or about nothing there is.

Rule: every event here is one that the rules refuse in the state it is made for (S4.2, S4.3,
S10.1), whatever the flow declares; which reason they give is theirs to say. So strays lead
nowhere, and a search with them finds a reducer that listens to one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import evolve

from conductor_core import events
from conductor_core.attempt import AttemptStatus
from conductor_core.checking.alphabet import OPERATOR
from conductor_core.checking.properties import Invariant
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.spec import GroupSpec, StepSpec
from conductor_core.state import FlowState

NOBODY: Final = "nobody"
"""The key of a step and of a group that no flow is taken to have."""
NONSENSE: Final = "perhaps"
"""No response, no option and no operation."""
MISFIT: Final = GroupSpec(key=NOBODY, steps=[StepSpec(key=NOBODY, needs=[NOBODY])])
"""A group that cannot be added: its step would need itself."""


def strays(state: FlowState) -> Iterator[Event]:
    """Events that must change nothing in this state."""
    yield from _facts_about_the_flow(state)
    yield from _facts_about_work(state)
    yield from _requests_out_of_season(state)
    yield from _requests_about_nothing(state)
    yield from _requests_about_steps(state)


# --- facts ---


def _facts_about_the_flow(state: FlowState) -> Iterator[Event]:
    if state.started or state.outcome is not None:
        yield events.FlowStarted(at_ms=0)
    if state.generating != "running":
        yield events.GroupsGenerated(at_ms=0)
        yield events.GenerationFailed(at_ms=0)
    for incarnation in (state.incarnation, state.incarnation + 1):
        stale = incarnation != state.incarnation
        if stale or state.suggested or state.continuing:
            yield events.ContinueAsNewSuggested(at_ms=0, incarnation=incarnation)
        if stale or not state.continuing:
            yield events.ContinuedAsNew(at_ms=0, incarnation=incarnation)
    if state.cancellation is None or state.cancellation.due_at_ms is None:
        yield events.TimerFired(at_ms=0, timer="cancel")
    for group in state.catalog.groups:
        for generation in range(state.generation + 1):
            timer = f"backoff:{group.key}@{generation}"
            if timer != state.wait_timer:
                yield events.TimerFired(at_ms=0, timer=timer)


def _facts_about_work(state: FlowState) -> Iterator[Event]:
    """What is told of attempts that are not at work, and of timers that are not open."""
    yield _succeeded(f"{NOBODY}#1")
    for attempt in state.attempts():
        live = state.live[_position(state, attempt.step)]
        if attempt.id != live.id or not attempt.active:
            yield _succeeded(attempt.id)
        elif attempt.status is AttemptStatus.IN_PROGRESS:
            yield events.StepStarted(at_ms=0, attempt=attempt.id)
        open_timer = attempt.timer if attempt.id == live.id else None
        for kind in ("timeout", "backoff", "approval"):
            if f"{kind}:{attempt.id}" != open_timer:
                yield events.TimerFired(at_ms=0, timer=f"{kind}:{attempt.id}")


def _succeeded(attempt: str) -> Event:
    return events.StepFinished(at_ms=0, attempt=attempt, outcome="succeeded")


def _position(state: FlowState, step: str) -> int:
    position = state.catalog.position_of(step)
    assert position is not None, f"{step!r} has attempts"
    return position


# --- requests ---


def _requests_out_of_season(state: FlowState) -> Iterator[Event]:
    """What is asked of a flow too early, too late, or once more."""
    live = state.is_live and not state.is_cancelling
    if state.paused or not live:
        yield events.PauseRequested(at_ms=0, by=OPERATOR)
    if not state.paused or not live:
        yield events.ResumeRequested(at_ms=0, by=OPERATOR)
    if state.cancellation is not None or state.outcome is not None:
        yield events.CancelRequested(at_ms=0, by=OPERATOR)
        yield events.AppendRequested(at_ms=0, by=OPERATOR, groups=(MISFIT,))
    yield events.ApprovalOptionChanged(at_ms=0, option=state.approval, by=OPERATOR)


def _requests_about_nothing(state: FlowState) -> Iterator[Event]:
    """What speaks of things that the flow does not have."""
    yield events.ApprovalOptionChanged(at_ms=0, option=NONSENSE, by=OPERATOR)
    yield events.CancelRequested(at_ms=0, by=OPERATOR, step=NOBODY)
    yield events.CancelRequested(at_ms=0, by=OPERATOR, group=NOBODY)
    yield events.GroupRetryRequested(at_ms=0, by=OPERATOR, group=NOBODY)
    yield events.RetryNowRequested(at_ms=0, by=OPERATOR, step=NOBODY)
    yield events.AppendRequested(at_ms=0, by=OPERATOR)
    yield events.AppendRequested(at_ms=0, by=OPERATOR, groups=(MISFIT,))
    for group in state.catalog.groups:
        yield events.AppendRequested(at_ms=0, by=OPERATOR, groups=(group,))
    nobody = _rerun(state, NOBODY)
    yield nobody
    yield evolve(nobody, operation=NONSENSE)
    yield evolve(nobody, flow_id=f"not-{state.flow_id}")
    yield evolve(nobody, continue_from_idx=state.current + 1)
    yield events.ApprovalResponded(at_ms=0, step=NOBODY, response="approve", by=OPERATOR)


def _requests_about_steps(state: FlowState) -> Iterator[Event]:
    """What is asked about steps that are not in the right condition for it."""
    waits = state.wait_due_at_ms is not None
    for position, attempt in enumerate(state.live):
        step = attempt.step
        response = NONSENSE if attempt.awaiting else "approve"
        yield events.ApprovalResponded(at_ms=0, step=step, response=response, by=OPERATOR)
        yield _rerun(state, f"{step}#{attempt.n + 1}")
        if not attempt.failed:
            yield _rerun(state, step)
        else:
            yield evolve(_rerun(state, step), stale_plan=True)
            yield evolve(_rerun(state, step), additional_skip_step_ids=(NOBODY,))
        in_wait = waits and position in state.span
        if attempt.status is not AttemptStatus.WAITING_TO_RETRY and not in_wait:
            yield events.RetryNowRequested(at_ms=0, step=step, by=OPERATOR)
    held_up = state.awaiting or state.parked or state.stop is not None
    for index, group in enumerate(state.catalog.groups):
        if index != state.current or not held_up:
            yield events.GroupRetryRequested(at_ms=0, group=group.key, by=OPERATOR)


def _rerun(state: FlowState, name: str) -> events.RerunRequested:
    return events.RerunRequested(at_ms=0, by=OPERATOR, flow_id=state.flow_id, step_id=name)


# --- the property ---


def hears_a_stray(before: FlowState, event: Event, after: Transition) -> bool:
    """Whether an event that must not count did something."""
    changes = after.state is not before or bool(after.commands)
    return changes and event in tuple(strays(before))


UNHEARD: Final = Invariant(
    name="strays are unheard",
    statement="what is late, repeated or about nothing there is changes nothing (S4.1, law 2)",
    about=(),
    violates_on=hears_a_stray,
)
"""Worth asking where the alphabet has strays."""
