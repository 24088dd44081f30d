"""How a flow goes on: it begins, passes from group to group, continues as new, dispatches."""

from __future__ import annotations

from collections.abc import Callable

from conductor_core.attempt import AttemptStatus
from conductor_core.backoff import backoff_ms
from conductor_core.commands import Outcome
from conductor_core.draft import Draft
from conductor_core.orders import continuation_of, dispatch_of, generation_of
from conductor_core.rules.endings import failure, finish
from conductor_core.rules.group import close, retry_group
from conductor_core.spec import GroupSpec


def begin(draft: Draft) -> None:
    """When the flow has just started: ask for its groups if it declares none (S12.1)."""
    draft.generating = "complete"
    if not draft.spec.groups:
        draft.generating = "running"
        ask_for_groups(draft)


def ask_for_groups(draft: Draft) -> None:
    """Tell the host to generate the groups of the flow (S12.1, S10.5)."""
    draft.emit(generation_of(draft))


def begin_group_retry(draft: Draft) -> None:
    """When a group retry was decided and nothing is active: retry the group (S7.2)."""
    assert draft.retrying is not None, "nobody wants to retry the group"
    decider = draft.live[draft.retrying]
    n = draft.generation + 1
    token = f"{draft.flow_id}/{draft.group.key}@{n}"
    policy = draft.place.step_at(draft.retrying).retry
    retry_group(draft, wait_ms=backoff_ms(policy, n, token, decider.error))


def pass_group(draft: Draft) -> None:
    """When no step of the group is unfinished: the next one is current (S7.3, S5.1)."""
    draft.enter(draft.current + 1)
    draft.groups_since += 1


def finish_last(draft: Draft) -> None:
    """When no group is left and none will come: end the flow (S7.5, S12.2)."""
    if len(draft.catalog.groups):
        finish(draft, Outcome(status="success"))
    else:
        finish(draft, failure("no-steps"))


def continue_as_new(draft: Draft) -> None:
    """When enough groups finished and one follows, or the host suggests it: continue as new.

    It waits until nothing is active and comes before any dispatch (S13.1, S13.2).
    """
    draft.continuing, draft.suggested, draft.groups_since = True, False, 0
    draft.emit(continuation_of(draft))


def continuation_is_due(draft: Draft) -> bool:
    """Whether enough groups finished since the last one, and another follows (S13.1)."""
    every = draft.spec.options.continue_as_new_every
    return every is not None and draft.groups_since >= every and bool(draft.span)


def next_dispatch(draft: Draft) -> Callable[[Draft], None] | None:
    """What becomes of the first pending step of the group, if it is its turn (S5.2 to S5.5).

    A step declared `skipped` is skipped at its turn and takes no room (S5.4).
    """
    place, position = draft.place, draft.pending.first
    is_parallel = place.group.parallel
    if not is_parallel and (draft.active or draft.waiting or draft.awaiting or draft.parked):
        return None
    if position >= place.span.stop or draft.paused or draft.continuing:
        return None
    if draft.retrying is not None or draft.wait_due_at_ms is not None:
        return None
    if place.step_at(position).skipped:
        return skip_declared
    return dispatch_next if not is_parallel or _has_room(draft, place.group) else None


def _has_room(draft: Draft, group: GroupSpec) -> bool:
    """Whether one more attempt of a parallel group may be active (S5.3)."""
    limit = group.max_parallel or draft.spec.options.max_parallel
    return limit is None or draft.active < limit


def skip_declared(draft: Draft) -> None:
    """When it is the turn of a step that is declared skipped: skip it (S5.4)."""
    close(draft, draft.pending.first, AttemptStatus.AUTO_SKIPPED, "continue", "skipped")


def dispatch_next(draft: Draft) -> None:
    """When the group has a pending step and room: dispatch it and watch its time (S5.4)."""
    position = draft.pending.first
    step = draft.place.step_at(position)
    due_at_ms = None if step.timeout_ms is None else draft.now_ms + step.timeout_ms
    attempt = draft.live[position].queued(due_at_ms)
    draft.put(position, attempt)
    draft.emit(dispatch_of(draft, attempt, step))
    if due_at_ms is not None:
        draft.schedule_timer_of(attempt)
