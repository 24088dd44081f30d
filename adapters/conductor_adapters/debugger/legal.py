"""Every event that counts now: what the host may report of a flow, and what people may ask of it.

Rule: whether an event counts is for the judge alone to say. Here are only candidates, one for
everything in the flow that an event could be about; whoever looks for a kind of event that is
accepted finds one of that kind here, at a time at which it may happen.

Not told apart is what makes no other event of it: what work says besides its outcome, who asks and
with which note or id, the key or the attempt by which a step is named, a cancel that names a part
(it cancels the flow, S9.1), and who is skipped along where nobody has to be. In a parallel group no
step comes before another, and none is planned anew from one on. Where groups are needed there is an
example of one. Of very many attempts that failed the first MANY are spoken of.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from attrs import evolve

from conductor_core import events
from conductor_core.attempt import Attempt
from conductor_core.events import (
    Event,
    Fact,
    Request,
    RerunRequested,
    WorkOutcome,
    is_request,
)
from conductor_core.explain import ANYBODY, MANY, Explanation
from conductor_core.legality import ACCEPTED, judge
from conductor_core.rerun import OPERATIONS
from conductor_core.spec import GroupSpec, StepSpec
from conductor_core.state import FlowState
from conductor_core.verdicts import Rejected

OUTCOMES: Final[tuple[WorkOutcome, ...]] = ("succeeded", "failed", "cancelled")
DECIDERS: Final = 20
"""Of so many attempts that stopped a group those are found that must be skipped along."""


def legal_facts(state: FlowState, now_ms: int) -> Iterator[Fact]:
    """What the host may report now; timers in the order in which they are due."""
    return (fact for fact in _facts(state, now_ms) if judge(state, fact) is ACCEPTED)


def legal_requests(state: FlowState, explained: Explanation, now_ms: int) -> Iterator[Request]:
    """What people may ask now: what an explanation says, and what is asked seldom."""
    for event in explained.legal:
        if is_request(event):
            yield evolve(event, at_ms=now_ms)
    yield from (it for it in _seldom(state, now_ms) if judge(state, it) is ACCEPTED)


def example_group(state: FlowState, name: str) -> GroupSpec:
    """A group of one step, of which the flow has no key yet."""
    key, number = name, 1
    step = f"{name}-step"
    while state.catalog.group_of(key) is not None or state.catalog.position_of(step) is not None:
        number += 1
        key, step = f"{name}-{number}", f"{name}-step-{number}"
    return GroupSpec(key=key, steps=[StepSpec(key=step)])


# --- facts ---


def _facts(state: FlowState, now_ms: int) -> Iterator[Fact]:
    yield events.FlowStarted(at_ms=now_ms)
    for attempt in state.current_attempts() if state.active else ():
        yield from _about_work(attempt, now_ms)
    for timer, due_at_ms in sorted(state.timers(), key=lambda timer: (timer[1], timer[0])):
        yield events.TimerFired(at_ms=max(now_ms, due_at_ms), timer=timer)
    if state.generating == "running":
        yield from _about_generation(state, now_ms)
    yield events.ContinuedAsNew(at_ms=now_ms, incarnation=state.incarnation)
    yield events.ContinueAsNewSuggested(at_ms=now_ms, incarnation=state.incarnation)


def _about_work(attempt: Attempt, now_ms: int) -> Iterator[Fact]:
    if attempt.active:
        yield events.StepStarted(at_ms=now_ms, attempt=attempt.id)
        for outcome in OUTCOMES:
            yield events.StepFinished(at_ms=now_ms, attempt=attempt.id, outcome=outcome)


def _about_generation(state: FlowState, now_ms: int) -> Iterator[Fact]:
    """The last groups, some groups, no more groups, or none at all."""
    groups = (example_group(state, "generated"),)
    yield events.GroupsGenerated(at_ms=now_ms, groups=groups)
    yield events.GroupsGenerated(at_ms=now_ms, groups=groups, complete=False)
    yield events.GroupsGenerated(at_ms=now_ms)
    yield events.GenerationFailed(at_ms=now_ms)


# --- requests ---


def _seldom(state: FlowState, now_ms: int) -> Iterator[Request]:
    for attempt in islice((a for a in state.current_attempts() if a.failed), MANY):
        for operation in OPERATIONS:
            plain = _rerun(state, attempt.step, now_ms, operation)
            yield from _skipping_along(state, plain)
        yield from _planned_anew(state, _rerun(state, attempt.step, now_ms))
    groups = (example_group(state, "appended"),)
    yield events.AppendRequested(at_ms=now_ms, by=ANYBODY, groups=groups)
    if state.continuing and state.current > 0:
        yield evolve(_rerun(state, "", now_ms), continue_from_idx=state.current)


def _rerun(
    state: FlowState, step: str, now_ms: int, operation: str = "retry-step"
) -> RerunRequested:
    return RerunRequested(
        at_ms=now_ms, by=ANYBODY, flow_id=state.flow_id, step_id=step, operation=operation
    )


def _planned_anew(state: FlowState, plain: RerunRequested) -> Iterator[RerunRequested]:
    """A retry of a step from every step on that comes before it, and may have planned it (S10.3).

    In a group of many steps the last MANY of these.
    """
    target = state.catalog.position_of(plain.step_id)
    assert target is not None, f"{plain.step_id!r} failed"
    if state.catalog.groups[state.current].parallel:
        return
    for position in range(max(state.span.start, target + 1 - MANY), target + 1):
        step = state.catalog.steps[position].key
        again = evolve(plain, stale_plan=True, replan_step_id=step)
        yield again
        yield from _skipping_along(state, again)


def _skipping_along(state: FlowState, plain: RerunRequested) -> Iterator[RerunRequested]:
    """A rerun that others are in the way of, with those skipped along that are (S10.5)."""
    blocked = _blocked(state, plain)
    others = [it.step for it in state.current_attempts() if it.decided_stop]
    for step in others[:DECIDERS] if blocked else ():
        # The first who is in the way is named: who is another one makes no difference.
        along = evolve(plain, additional_skip_step_ids=(*plain.additional_skip_step_ids, step))
        if _blocked(state, along) != blocked:
            plain, blocked = along, _blocked(state, along)
    if plain.additional_skip_step_ids:
        yield plain


def _blocked(state: FlowState, event: Event) -> str | None:
    """Who is in the way of a rerun, if somebody is."""
    verdict = judge(state, event)
    return (
        verdict.message if isinstance(verdict, Rejected) and verdict.code == "blocked-by" else None
    )
