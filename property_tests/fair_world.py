"""A world that does what it is asked for: workers succeed, timers fire, people help.

Rule: it looks at the state alone and knows no history, so that it can take over anywhere; what
it sends must be accepted. It never cancels unless nothing else is left to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conductor_core import FlowState, Transition, events, reduce
from conductor_core.attempt import Attempt
from conductor_core.events import Event
from conductor_core.spec import GroupSpec, StepSpec
from conductor_core.testing.arbitrary.flows import PEOPLE
from conductor_core.verdicts import Accepted

HELPER: Final = "helper"


def drive(state: FlowState, *, at_ms: int, most: int = 1_000) -> Iterator[Transition]:
    """Lead the flow to its end, one helpful event at a time."""
    for _ in range(most):
        if state.outcome is not None:
            return
        transition = help_on(state, at_ms)
        yield transition
        state = transition.state
    raise AssertionError(f"the flow has not ended after {most} helpful events: {state!r}")


def help_on(state: FlowState, at_ms: int) -> Transition:
    """The transition of the first helpful event that is accepted."""
    for event in _helpful(state, at_ms):
        transition = reduce(state, event)
        if isinstance(transition.verdict, Accepted):
            return transition
    raise AssertionError(f"no event leads on from {state!r}")


def _helpful(state: FlowState, at_ms: int) -> Iterator[Event]:
    """What may lead on from a state, the most helpful first."""
    yield from helpful_facts(state, at_ms)
    yield from helpful_requests(state, at_ms)


def helpful_facts(state: FlowState, at_ms: int) -> Iterator[Event]:
    """What a host has to tell when all goes well."""
    if not state.started:
        yield events.FlowStarted(at_ms=at_ms)
    if state.continuing:
        yield events.ContinuedAsNew(at_ms=at_ms, incarnation=state.incarnation)
    for attempt in state.live:
        if attempt.active:
            yield events.StepFinished(at_ms=at_ms, attempt=attempt.id, outcome="succeeded")
    for timer, due_at_ms in state.timers():
        if not timer.startswith("approval:"):
            yield events.TimerFired(at_ms=max(at_ms, due_at_ms), timer=timer)
    if state.generating == "running":
        groups = () if state.live else (GroupSpec(key="late", steps=(StepSpec(key="late"),)),)
        yield events.GroupsGenerated(at_ms=at_ms, groups=groups)


def helpful_requests(state: FlowState, at_ms: int) -> Iterator[Event]:
    """What people can do for a flow; to cancel it is the last that they think of."""
    if state.paused:
        yield events.ResumeRequested(at_ms=at_ms, by=HELPER)
    for attempt in state.live:
        if attempt.awaiting:
            yield from _approvals(state, attempt, at_ms)
        if attempt.parked:
            yield from _reruns(state, attempt, at_ms)
    yield events.CancelRequested(at_ms=at_ms, by=HELPER, reason="nothing else is left to do")


def _approvals(state: FlowState, attempt: Attempt, at_ms: int) -> Iterator[Event]:
    position = state.position_of(attempt.id)
    assert position is not None, f"{attempt.id} has no position"
    approval = state.catalog.steps[position].approval
    named = None if approval is None else approval.approvers
    for by in (*PEOPLE, HELPER) if named is None else named:
        yield events.ApprovalResponded(at_ms=at_ms, step=attempt.step, response="approve", by=by)


def _reruns(state: FlowState, attempt: Attempt, at_ms: int) -> Iterator[Event]:
    for operation in ("skip-step", "retry-step"):
        yield events.RerunRequested(
            at_ms=at_ms,
            by=HELPER,
            flow_id=state.flow_id,
            step_id=attempt.step,
            operation=operation,
        )
