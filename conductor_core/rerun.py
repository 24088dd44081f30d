"""Whether a rerun may be, and what it would touch: section 10.

Rule: everything is checked here, in the order of the rules, before anything changes (S10.9);
the answer is either the first code that applies or the layout that the rules carry out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from conductor_core.attempt import Attempt
from conductor_core.building import builder
from conductor_core.draft import Rerun
from conductor_core.errors import shown
from conductor_core.events import RerunRequested
from conductor_core.state import FlowState
from conductor_core.verdicts import Rejected

OPERATIONS: Final = ("retry-step", "skip-step")
ATTEMPT_ID: Final = re.compile(r".+#[1-9][0-9]*")


def lay_out_rerun(state: FlowState, event: RerunRequested) -> Rerun | Rejected:
    """Check a rerun in the order of S10.1 and lay it out."""
    if event.operation not in OPERATIONS:
        expected = " or ".join(OPERATIONS)
        return Rejected("invalid-operation", f"{shown(event.operation)} is not {expected}")
    target = position_named(state, event.step_id)
    if isinstance(target, Rejected):
        return target
    refusal = _beyond_rerun(state) or _not_failed(state, target)
    if refusal is not None:
        return refusal
    layout = _lay_out_operation(state, event, target)
    if isinstance(layout, Rejected):
        return layout
    return _with_additions(state, event, target, layout)


def lay_out_group_retry(state: FlowState, group: int) -> Rerun | Rejected:
    """Check a retry of a group in the order of S10.8 and lay it out."""
    refusal = _beyond_rerun(state)
    if refusal is not None:
        return refusal
    key = state.catalog.groups[group].key
    held_up = state.awaiting or state.parked or state.stop is not None
    if group != state.current or not held_up:
        return Rejected("not-failed", f"group {key!r} is neither parked nor did it stop the flow")
    return _group_refusal(state) or _rerun(whole_group=True)


def position_named(state: FlowState, name: str) -> int | Rejected:
    """The position of a step that is named by its key or by its live attempt."""
    position = state.catalog.position_of(name)
    if position is not None:
        return position
    position = state.position_of(name)
    if position is None or ATTEMPT_ID.fullmatch(name) is None:
        return Rejected("unknown-step", f"no step or attempt is named {shown(name)}")
    live = state.live[position]
    if live.id != name:
        return Rejected("stale-attempt", f"{shown(name)} is not live, {live.id!r} is")
    return position


def _beyond_rerun(state: FlowState) -> Rejected | None:
    """A flow that was cancelled, succeeded or never got its groups (S9.5, S10.7, S12.3)."""
    if state.cancellation is not None:
        return Rejected("flow-cancelled", "the flow was cancelled")
    if state.outcome is not None and state.outcome.status == "success":
        return Rejected("not-failed", "the flow succeeded")
    if state.generating == "failed":
        return Rejected("not-failed", "the flow's groups could not be generated")
    return None


def _not_failed(state: FlowState, target: int) -> Rejected | None:
    attempt = state.live[target]
    if attempt.failed:
        return None
    return Rejected("not-failed", f"{attempt.id!r} is {attempt.status} and holds nothing up")


def _lay_out_operation(state: FlowState, event: RerunRequested, target: int) -> Rerun | Rejected:
    """The operation on the named step alone."""
    step = state.catalog.steps[target]
    if event.operation == "skip-step":
        return _group_running(state) or _not_skippable(state, target) or _rerun()
    if event.stale_plan:
        return _lay_out_replan(state, event, target)
    if step.retry.scope == "group":  # S10.2
        return _group_refusal(state) or _rerun(whole_group=True)
    refusal = (
        _group_running(state)
        or _not_retryable(state, target)
        or _exhausted(state, target)
        or _terminal(state, target)
    )
    return refusal or _rerun(retried=(target,))


def _lay_out_replan(state: FlowState, event: RerunRequested, target: int) -> Rerun | Rejected:
    """From the step that plans to the target, in a new generation (S10.3)."""
    refusal = _not_retryable(state, target)
    if refusal is not None:
        return refusal
    plan = None
    if event.replan_step_id is not None:
        plan = state.catalog.position_of(event.replan_step_id)
    if plan is None or not state.span.start <= plan <= target:
        problem = (
            f"{shown(event.replan_step_id)} is no step of the group that comes before the target"
        )
        return Rejected("invalid-replan-step", problem)
    span = tuple(range(plan, target + 1))
    refusal = (
        _group_running(state)
        or _span_running(state, span)
        or _group_exhausted(state)
        or _terminal(state, target)
    )
    return refusal or _rerun(span=span)


def _with_additions(
    state: FlowState, event: RerunRequested, target: int, layout: Rerun
) -> Rerun | Rejected:
    """What is skipped along (S10.4), and what else stopped the group (S10.5)."""
    named = [target] if event.operation == "skip-step" else []
    for name in event.additional_skip_step_ids:
        position = position_named(state, name)
        if isinstance(position, Rejected):
            return position
        refusal = _not_skippable_along(state, position)
        if refusal is not None:
            return refusal
        named.append(position)
    skipped = tuple(dict.fromkeys(named))
    others: tuple[int, ...] = ()
    if state.outcome is not None and not layout.whole_group:
        others = tuple(_other_deciders(state, {target, *skipped}))
    refusal = next(filter(None, (_blocked_by(state, p, layout.span) for p in others)), None)
    if refusal is not None:
        return refusal
    alone = tuple(position for position in others if position not in layout.span)
    skips = tuple((position, _skip_scope(state, position)) for position in skipped)
    return _rerun(
        retried=(*alone, *layout.retried),
        span=layout.span,
        whole_group=layout.whole_group,
        skips=skips,
    )


def _other_deciders(state: FlowState, spared: set[int]) -> Iterable[int]:
    """The other attempts of the stopped group that decided stop and were never skipped."""
    for position in state.span:
        if position not in spared and state.live[position].decided_stop:
            yield position


def _skip_scope(state: FlowState, position: int) -> str:
    """How far a skip reaches: what nobody approved is never applied (S10.4)."""
    attempt = state.live[position]
    if not attempt.plan_refused and not attempt.awaiting:
        return "step"
    return state.catalog.steps[position].approval_spec.skip_scope


# --- refusals, each of one reason ---


def _group_refusal(state: FlowState) -> Rejected | None:
    """What hinders a retry of the current group (S10.8)."""
    if state.active:
        return _running(next(a for a in state.current_attempts() if a.active))
    failed = [position for position in state.span if state.live[position].failed]
    return (
        next(filter(None, (_not_retryable(state, p) for p in failed)), None)
        or _group_exhausted(state)
        or next(filter(None, (_terminal(state, p) for p in failed)), None)
    )


def _group_running(state: FlowState) -> Rejected | None:
    """Another attempt of a stopped group is still active (S10.1)."""
    if state.stop is None or not state.active:
        return None
    return _running(next(a for a in state.current_attempts() if a.active))


def _span_running(state: FlowState, span: tuple[int, ...]) -> Rejected | None:
    """A step of the span is active, or the whole group is about to be retried (S10.3)."""
    positions = state.span if state.retrying is not None else span
    active = (state.live[position] for position in positions if state.live[position].active)
    return next((_running(attempt) for attempt in active), None)


def _running(attempt: Attempt) -> Rejected:
    return Rejected("group-running", f"{attempt.id!r} is still {attempt.status}")


def _not_retryable(state: FlowState, position: int) -> Rejected | None:
    step = state.catalog.steps[position]
    if step.retryable:
        return None
    return Rejected("not-retryable", f"step {step.key!r} may not be retried by a person")


def _not_skippable(state: FlowState, position: int) -> Rejected | None:
    step = state.catalog.steps[position]
    if step.skippable:
        return None
    return Rejected("not-skippable", f"step {step.key!r} may not be skipped by a person")


def _not_skippable_along(state: FlowState, position: int) -> Rejected | None:
    """An additional skip is of something that is yet to be done (S10.4)."""
    refusal = _not_skippable(state, position)
    attempt = state.live[position]
    yet_to_be_done = attempt.unfinished or attempt.swept or attempt.failed
    if refusal is None and (attempt.active or position < state.span.start or not yet_to_be_done):
        return Rejected("not-skippable", f"{attempt.id!r} is {attempt.status}")
    return refusal


def _exhausted(state: FlowState, position: int) -> Rejected | None:
    attempt, budget = state.live[position], state.catalog.steps[position].retry.max_retries
    if attempt.retry + 1 <= budget:
        return None
    return Rejected("retries-exhausted", f"{attempt.id!r} used up its {budget} retries")


def _group_exhausted(state: FlowState) -> Rejected | None:
    key, budget = state.place.group.key, state.place.max_retries
    if state.generation + 1 <= budget:
        return None
    return Rejected("retries-exhausted", f"group {key!r} used up its {budget} retries")


def _terminal(state: FlowState, position: int) -> Rejected | None:
    attempt = state.live[position]
    if not attempt.terminal or not attempt.failed:
        return None
    return Rejected("terminal-error", f"the error of {attempt.id!r} rules out every retry")


def _blocked_by(state: FlowState, position: int, span: tuple[int, ...]) -> Rejected | None:
    """Another attempt stopped the group too and may not be retried (S10.5)."""
    attempt = state.live[position]
    hindrance = _not_retryable(state, position) or _terminal(state, position)
    if hindrance is None and position not in span:
        hindrance = _exhausted(state, position)
    if hindrance is None:
        return None
    return Rejected("blocked-by", f"{attempt.id!r} stopped the group too: {hindrance.message}")


_rerun: Final = builder(Rerun)
