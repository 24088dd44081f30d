"""A group of a flow, handed to a child host as a flow of its own.

A flow may be longer than one history of its host can be. The parent then hands its current group
to a child, which runs the same reducer on what `cut` leaves of the state, and is told of what
happens to the flow in the form that `relayed` gives it.

Rule: cutting and reducing commute. For every state whose current group is delegated, and for
every event, as long as the group is not over,

    cut(reduce(state, event)) == reduce(cut(state), relayed(state, event))

with the same verdict and the same commands about the group; what is not relayed leaves the
cut as it is. So a parent that reduces in the child's order what the child accepted,
its own events as they were before they were relayed, comes to the state that the child has.

The cut is of the size of the group, not of the flow. Later groups are left out: while a group
runs nothing looks behind it. Of the earlier ones the steps that the group needs remain, as one
group, since their outputs are dispatched (S2.3); attempt ids, generations, counters and due times
are those of the flow, so that idempotency keys and waits are too. Ids of requests are
left out: whether a request came before (S4.5) the parent knows, which hears of all of them, and an
append that counts has to leave no trace in the child.

Nothing here decides what a flow does: what the child can judge is relayed unjudged, so that it
is judged in the order in which it reaches the child.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

from attrs import evolve

from conductor_core import events
from conductor_core.attempt import Approval, Attempt, AttemptStatus, Result
from conductor_core.catalog import Catalog
from conductor_core.events import Event, Fact, Request, is_request
from conductor_core.generation import Delivery, delivery_of
from conductor_core.positions import PositionSet
from conductor_core.rerun import position_named
from conductor_core.spec import GroupSpec, StepSpec
from conductor_core.state import NONE, FlowState
from conductor_core.vector import Vector

# --- the state of the child ---


def cut(state: FlowState, group_key: str) -> FlowState:
    """The state of the child that runs the current group of a flow that has started."""
    group = state.catalog.group_of(group_key)
    assert group == state.current, f"{group_key!r} is not the current group"
    assert state.started, f"{group_key!r} is not to be run yet"
    earlier = _earlier_attempts(state)
    groups = (*_earlier_group(state, earlier), state.place.group)
    catalog = Catalog().extend(groups)
    place = catalog.place(_child_index(state))
    past = state.superseded.slice(state.span.start, state.span.stop)
    return evolve(
        state,
        spec=evolve(state.spec, groups=groups),
        catalog=catalog,
        live=Vector((*earlier, *state.current_attempts())),
        superseded=Vector((*(NONE for _ in earlier), *past)),
        current=_child_index(state),
        place=place,
        span=place.span,
        pending=_pending(state, len(earlier)),
        retrying=None if state.retrying is None else state.retrying - _offset(state, earlier),
        request_ids=(),
    )


def is_over(state: FlowState, group_key: str) -> bool:
    """Whether a group has nothing left to be done, asked of the flow or of the child."""
    group = state.catalog.group_of(group_key)
    assert group is not None, f"{group_key!r} is no group"
    return state.outcome is not None or state.current > group


def _child_index(state: FlowState) -> int:
    """The index of the group in the child: behind all that came before, which is one group."""
    return min(state.current, 1)


def _offset(state: FlowState, earlier: tuple[Attempt, ...]) -> int:
    """How far the positions of the group are apart in the flow and in the child."""
    return state.span.start - len(earlier)


def _earlier_group(state: FlowState, earlier: tuple[Attempt, ...]) -> Iterator[GroupSpec]:
    """What is left of all earlier groups, under the key of the last of them."""
    if state.current:
        key = state.catalog.groups[state.current - 1].key
        yield GroupSpec(key=key, steps=[StepSpec(key=attempt.step) for attempt in earlier])


def _earlier_attempts(state: FlowState) -> tuple[Attempt, ...]:
    """Of each earlier step that the group needs what is handed on, in the order of the flow."""
    if not state.current:
        return ()
    needed = sorted(_needed(state))
    if not needed:  # No group is without a step.
        return (_left_out(state.live[state.span.start - 1]),)
    return tuple(_handed_on(state.live[position]) for position in needed)


def _needed(state: FlowState) -> set[int]:
    """The positions of the earlier steps that the group needs."""
    keys = {need for step in state.place.group.steps for need in step.needs}
    positions = (state.catalog.position_of(key) for key in keys)
    return {p for p in positions if p is not None and p < state.span.start}


def _left_out(attempt: Attempt) -> Attempt:
    """A finished attempt of which nothing is handed on."""
    return Attempt(attempt.step, status=AttemptStatus.DISCARDED)


def _handed_on(attempt: Attempt) -> Attempt:
    """A finished attempt with nothing but what a dispatch takes from it (S2.3)."""
    if attempt.status is not AttemptStatus.SUCCESS:
        return _left_out(attempt)
    found = attempt.result
    return Attempt(
        attempt.step,
        status=AttemptStatus.SUCCESS,
        result=None if found is None else Result(output=found.output, subject=found.subject),
        approval=None if attempt.approval is None else APPROVED,
    )


APPROVED: Final = Approval(requested_at_ms=0)
"""That a step had an approval; who gave it when matters to nothing that follows."""


def _pending(state: FlowState, earlier: int) -> PositionSet:
    """The positions in the child whose live attempt is pending: some of the group's."""
    pending = PositionSet().extend(0, earlier + len(state.span))
    for position in range(earlier):
        pending = pending.remove(position)
    for position, attempt in enumerate(state.current_attempts(), earlier):
        if attempt.status is not AttemptStatus.PENDING:
            pending = pending.remove(position)
    return pending


# --- what the child hears of ---


def relayed(state: FlowState, event: Event) -> Event | None:
    """What the child of the current group is told of an event; None where it makes none of it.

    The state may be behind what the child's own work and timers have led to, but not behind an
    event that was relayed before: that one may have added groups, or come from the same request.
    """
    if not state.span:
        return None
    return _relayed_request(state, event) if is_request(event) else _relayed_fact(state, event)


def _relayed_fact(state: FlowState, fact: Fact) -> Event | None:
    match fact:
        case events.StepStarted() | events.StepFinished():
            return fact if _is_attempt_here(state, fact.attempt) else None
        case events.TimerFired():
            return fact if _is_timer_here(state, fact.timer) else None
        case events.GroupsGenerated():
            return _relayed_delivery(state, fact)
        case events.GenerationFailed() | events.ContinueAsNewSuggested() | events.ContinuedAsNew():
            return fact
        case events.FlowStarted():
            return None
        case _:
            assert_never(fact)


def _relayed_delivery(state: FlowState, delivery: events.GroupsGenerated) -> Event | None:
    """Whether groups are still to come; which groups they are is of no interest (S12.2)."""
    if delivery_of(state.catalog, delivery.groups) is Delivery.INVALID:
        return events.GenerationFailed(at_ms=delivery.at_ms)
    return evolve(delivery, groups=()) if delivery.complete else None


def _relayed_request(state: FlowState, request: Request) -> Event | None:
    """A request that is new, without its id (S4.5)."""
    if request.request_id is not None and request.request_id in state.request_ids:
        return None
    form = _form_of(state, request)
    return None if form is None else evolve(form, request_id=None)


def _form_of(state: FlowState, request: Request) -> Request | None:
    match request:
        case events.ApprovalResponded() | events.RetryNowRequested():
            return request if _is_step_here(state, request.step) else None
        case events.GroupRetryRequested():
            return request if request.group == state.place.group.key else None
        case events.CancelRequested():
            return _relayed_cancel(state, request)
        case events.RerunRequested():
            return _relayed_rerun(state, request)
        case events.ApprovalOptionChanged() | events.PauseRequested() | events.ResumeRequested():
            return request
        case events.AppendRequested():
            return None
        case _:
            assert_never(request)


def _relayed_cancel(state: FlowState, cancel: events.CancelRequested) -> Request | None:
    """Whatever is cancelled, the flow is (S9.1); what has finished elsewhere cannot be."""
    step, group = cancel.step, cancel.group
    if step is not None and not _is_step_here(state, step):
        if not _is_step_unfinished(state, step):
            return None
        step = None
    if group is not None and group != state.place.group.key:
        if not _is_group_unfinished(state, group):
            return None
        group = None
    return evolve(cancel, step=step, group=group)


def _relayed_rerun(state: FlowState, rerun: events.RerunRequested) -> Request | None:
    """A rerun of a step of the group, without the later ones that are skipped along (S10.4)."""
    if rerun.continue_from_idx > 0:
        return _relayed_second_leg(state, rerun)
    names = rerun.additional_skip_step_ids
    here = tuple(name for name in names if _is_named_here(state, name))
    elsewhere = (name for name in names if not _is_named_here(state, name))
    refused = any(not _is_skippable_later(state, name) for name in elsewhere)
    if refused or not _is_named_here(state, rerun.step_id):
        return None
    return evolve(rerun, additional_skip_step_ids=here)


def _relayed_second_leg(state: FlowState, rerun: events.RerunRequested) -> Request | None:
    """A continued run takes over at the index that the group has in the child (S10.6)."""
    if rerun.continue_from_idx != state.current:
        return None
    return evolve(rerun, continue_from_idx=_child_index(state))


# --- what is part of the group, and what is not ---


def _is_here(state: FlowState, position: int | None) -> bool:
    return position is not None and position in state.span


def _is_step_here(state: FlowState, key: str) -> bool:
    return _is_here(state, state.catalog.position_of(key))


def _is_attempt_here(state: FlowState, attempt_id: str) -> bool:
    """Whether an id is that of an attempt of the group, or would be if there were so many."""
    return _is_here(state, state.position_of(attempt_id))


def _is_named_here(state: FlowState, name: str) -> bool:
    """Whether a step key or an attempt id, such as a rerun names, speaks of the group."""
    return _is_step_here(state, name) or _is_attempt_here(state, name)


def _is_timer_here(state: FlowState, timer: str) -> bool:
    """Whether a timer is that of a cancel, of the group, or of an attempt of it (S14.1)."""
    if timer == "cancel" or timer.startswith(f"backoff:{state.place.group.key}@"):
        return True
    return _is_attempt_here(state, timer.partition(":")[2])


def _is_step_unfinished(state: FlowState, key: str) -> bool:
    position = state.catalog.position_of(key)
    return position is not None and state.live[position].unfinished


def _is_group_unfinished(state: FlowState, key: str) -> bool:
    group = state.catalog.group_of(key)
    return group is not None and any(attempt.unfinished for attempt in state.live_of(group))


def _is_skippable_later(state: FlowState, name: str) -> bool:
    """Whether a step of a later group may be skipped along with one that failed (S10.4)."""
    position = position_named(state, name)
    if not isinstance(position, int) or position < state.span.stop:
        return False
    attempt = state.live[position]
    return state.catalog.steps[position].skippable and (attempt.unfinished or attempt.swept)
