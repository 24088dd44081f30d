"""Plays of flows that have gone through some of their groups, where anything may happen next.

Rule: what is hurried through is played too, by a host whose work succeeds and by people who
approve; so every state that is reached is one that such a flow may come to.
"""

from __future__ import annotations

from typing import Final

from conductor_core import events
from conductor_core.events import Event
from conductor_core.reducer import reduce
from conductor_core.state import FlowState, initial_state
from conductor_core.testing.arbitrary.choices import Choose, chance, one_of
from conductor_core.testing.arbitrary.facts import OUTPUTS, SUBJECTS
from conductor_core.testing.arbitrary.flows import any_flow, any_groups
from conductor_core.testing.arbitrary.names import approver
from conductor_core.testing.arbitrary.plays import Play, play_on

HURRIED: Final = 60
"""So many events at most are spent on what comes before."""


def any_late_play(choose: Choose, length: int) -> Play:
    """Any flow that is in one of its groups, and about as many events as `length` says."""
    state = _started(choose)
    last = len(state.catalog.groups) - 1
    aim = max(0, last - choose(2))
    for _ in range(HURRIED):
        event = _next(choose, state) if state.current < aim else None
        if event is None:
            break
        state = reduce(state, event).state
    return play_on(choose, state, length)


def _started(choose: Choose) -> FlowState:
    """Any flow that has started and has groups, though perhaps not all."""
    start = initial_state(any_flow(choose), flow_id="flow")
    state = reduce(start, events.FlowStarted(at_ms=0)).state
    if state.generating != "running":
        return state
    made = events.GroupsGenerated(
        at_ms=0, groups=any_groups(choose), complete=not chance(choose, 60)
    )
    return reduce(state, made).state


def _next(choose: Choose, state: FlowState) -> Event | None:
    """What leads on, if anything does that is no failure."""
    if state.continuing:
        return events.ContinuedAsNew(at_ms=0, incarnation=state.incarnation)
    active = next((a for a in state.current_attempts() if a.active), None)
    if active is not None:
        _, subject = one_of(choose, SUBJECTS)
        return events.StepFinished(
            at_ms=0,
            attempt=active.id,
            outcome="succeeded",
            output=one_of(choose, OUTPUTS),
            subject=subject,
        )
    asked = state.open_approvals()
    if not asked:
        return None
    step = asked[0].step
    by = approver(choose, state, step)
    return events.ApprovalResponded(at_ms=0, step=step, response="approve", by=by)
