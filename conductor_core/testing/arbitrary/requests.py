"""Any request, as people make them: fitting, mistaken, repeated.

Rule: each function is a `Maker`: it makes one kind of request that fits a state, mostly.
"""

from __future__ import annotations

from typing import Final

from conductor_core import events
from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.events import Event
from conductor_core.spec import GroupSpec
from conductor_core.state import FlowState
from conductor_core.testing.arbitrary.choices import Choose, chance, one_of, weighted
from conductor_core.testing.arbitrary.flows import any_groups, broken_groups
from conductor_core.testing.arbitrary.names import (
    NOBODY,
    any_attempt,
    any_group,
    any_step,
    approver,
    mostly,
    person,
    request_id,
)

RESPONSES: Final = (
    (50, "approve"),
    (9, "deny"),
    (14, "skip-current"),
    (8, "skip-current-and-dependents"),
    (14, "retry"),
    (3, "shrug"),
)
OPERATIONS: Final = ((60, "retry-step"), (35, "skip-step"), (2, "sing"))
OPTIONS: Final = ((5, "prompt"), (3, "approve-all"), (1, "perhaps"))


def approval_responded(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """An answer to an approval that is open, or to none."""
    approvals = state.open_approvals()
    steps = [attempt.step for attempt in approvals]
    step = mostly(choose, steps, (any_step(choose, state),))
    return events.ApprovalResponded(
        at_ms=at_ms,
        step=step,
        response=weighted(choose, RESPONSES),
        by=approver(choose, state, step),
        note="looks good" if chance(choose, 5) else None,
        subject=_subject(choose, approvals, step) if chance(choose, 30) else None,
        request_id=request_id(choose),
    )


def _subject(choose: Choose, approvals: tuple[Attempt, ...], step: str) -> str | None:
    """What was asked about, mostly."""
    asked = [a.result.subject for a in approvals if a.step == step and a.result is not None]
    return mostly(choose, asked, ("plan-1",))


def approval_option_changed(choose: Choose, _state: FlowState, at_ms: int) -> Event:
    """Another approval option, the same, or one that does not exist."""
    return events.ApprovalOptionChanged(
        at_ms=at_ms,
        option=weighted(choose, OPTIONS),
        by=person(choose),
        request_id=request_id(choose),
    )


def cancel_requested(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """A cancel of the flow, of a group or of a step."""
    return events.CancelRequested(
        at_ms=at_ms,
        by=person(choose),
        group=any_group(choose, state) if chance(choose, 30) else None,
        step=any_step(choose, state) if chance(choose, 30) else None,
        reason="wrong account" if chance(choose, 50) else None,
        request_id=request_id(choose),
    )


def rerun_requested(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """A retry or a skip of a step that failed, or of one that did not."""
    failed = [attempt for attempt in state.live if attempt.failed]
    step = mostly(choose, [attempt.step for attempt in failed], (any_step(choose, state),))
    attempt = mostly(choose, [attempt.id for attempt in failed], (any_attempt(choose, state),))
    second_leg = chance(choose, 25 if state.continuing or state.is_cancelling else 2)
    return events.RerunRequested(
        at_ms=at_ms,
        by=person(choose),
        flow_id="another" if chance(choose, 2) else state.flow_id,
        step_id=attempt if chance(choose, 20) else step,
        operation=weighted(choose, OPERATIONS),
        stale_plan=chance(choose, 20),
        replan_step_id=any_step(choose, state) if chance(choose, 50) else None,
        continue_from_idx=mostly(choose, (state.current,), (1, 2)) if second_leg else 0,
        additional_skip_step_ids=_skipped_along(choose, state) if chance(choose, 25) else (),
        request_id=request_id(choose),
    )


def _skipped_along(choose: Choose, state: FlowState) -> tuple[str, ...]:
    """One or two more steps to skip; a step may be named by its attempt."""
    names = [any_step(choose, state) for _ in range(1 + choose(2))]
    return (*names, any_attempt(choose, state)) if chance(choose, 10) else tuple(names)


def group_retry_requested(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """A retry of the current group, or of another."""
    return events.GroupRetryRequested(
        at_ms=at_ms,
        group=any_group(choose, state),
        by=person(choose),
        request_id=request_id(choose),
    )


def retry_now_requested(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """An end to a wait, or to none."""
    waiting = [a.step for a in state.live if a.status is AttemptStatus.WAITING_TO_RETRY]
    return events.RetryNowRequested(
        at_ms=at_ms,
        step=mostly(choose, waiting, (any_step(choose, state), NOBODY)),
        by=person(choose),
        request_id=request_id(choose),
    )


def pause_requested(choose: Choose, _state: FlowState, at_ms: int) -> Event:
    """A pause."""
    by = person(choose)
    return events.PauseRequested(at_ms=at_ms, by=by, request_id=request_id(choose))


def resume_requested(choose: Choose, _state: FlowState, at_ms: int) -> Event:
    """An end to a pause."""
    by = person(choose)
    return events.ResumeRequested(at_ms=at_ms, by=by, request_id=request_id(choose))


def append_requested(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """More groups: new ones, known ones, broken ones, or none."""
    known = tuple(state.catalog.groups)
    kind = one_of(choose, ("new", "new", "new", "none", "known", "broken"))
    groups: tuple[GroupSpec, ...] = ()
    if kind == "broken":
        groups = broken_groups(choose, known)
    elif kind != "none":
        groups = any_groups(choose, known)
    if kind == "known":
        groups = (*groups, *known[:1])
    return events.AppendRequested(
        at_ms=at_ms, by=person(choose), groups=groups, request_id=request_id(choose)
    )
