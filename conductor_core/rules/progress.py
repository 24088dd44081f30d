"""How a flow goes on: it begins, passes from group to group, continues as new, dispatches."""

from __future__ import annotations

from conductor_core.attempt import AttemptStatus
from conductor_core.backoff import backoff_ms
from conductor_core.commands import Outcome
from conductor_core.draft import Draft
from conductor_core.orders import continuation_of, dispatch_of, generation_of
from conductor_core.rules.endings import failure, finish
from conductor_core.rules.group import close, retry_group
from conductor_core.spec import GroupSpec, StepSpec


def begin(draft: Draft) -> bool:
    """When the flow has just started: ask for its groups if it declares none (S12.1)."""
    if draft.generating != "no":
        return False
    draft.generating = "complete"
    if not draft.spec.groups:
        draft.generating = "running"
        ask_for_groups(draft)
    return True


def ask_for_groups(draft: Draft) -> None:
    """Tell the host to generate the groups of the flow (S12.1, S10.5)."""
    draft.emit(generation_of(draft))


def begin_group_retry(draft: Draft) -> bool:
    """When a group retry was decided and nothing is active: retry the group (S7.2)."""
    if draft.retrying is None or draft.active:
        return False
    decider = draft.live[draft.retrying]
    n = draft.generation + 1
    token = f"{draft.flow_id}/{draft.group.key}@{n}"
    policy = draft.catalog.steps[draft.retrying].retry
    retry_group(draft, wait_ms=backoff_ms(policy, n, token, decider.error))
    return True


def pass_group(draft: Draft) -> bool:
    """When no step of the group is unfinished: the next one is current (S7.3, S5.1)."""
    if not draft.span or not draft.nothing_unfinished:
        return False
    draft.enter(draft.current + 1)
    draft.groups_since += 1
    return True


def finish_last(draft: Draft) -> bool:
    """When no group is left and none will come: end the flow (S7.5, S12.2)."""
    if draft.span or draft.generating != "complete":
        return False
    if len(draft.catalog.groups):
        finish(draft, Outcome(status="success"))
    else:
        finish(draft, failure("no-steps"))
    return True


def continue_as_new(draft: Draft) -> bool:
    """When enough groups finished and one follows, or the host suggests it: continue as new.

    It waits until nothing is active and comes before any dispatch (S13.1, S13.2).
    """
    every = draft.spec.options.continue_as_new_every
    due = every is not None and draft.groups_since >= every and bool(draft.span)
    if not (due or draft.suggested) or draft.continuing or draft.active:
        return False
    draft.continuing, draft.suggested, draft.groups_since = True, False, 0
    draft.emit(continuation_of(draft))
    return True


def dispatch_pending_steps(draft: Draft) -> bool:
    """When the group has pending steps and room: dispatch them in order (S5.2 to S5.5).

    A step declared `skipped` is skipped at its turn and takes no room (S5.4).
    """
    if draft.paused or draft.continuing or draft.stopping or draft.cancellation is not None:
        return False
    if draft.retrying is not None or draft.wait_due_at_ms is not None or not draft.span:
        return False
    group, stop, fired = draft.group, draft.span.stop, False
    while draft.pending and (position := draft.pending.first()) < stop:
        step = draft.catalog.steps[position]
        if not _is_turn(draft, group):
            break
        if step.skipped:
            close(draft, position, AttemptStatus.AUTO_SKIPPED, "continue", "skipped")
        elif _has_room(draft, group):
            _dispatch(draft, position, step)
        else:
            break
        fired = True
    return fired


def _is_turn(draft: Draft, group: GroupSpec) -> bool:
    """Whether the first pending step may run beside what does not pend (S5.2)."""
    if group.parallel:
        return True
    return not (draft.active or draft.waiting or draft.awaiting or draft.parked)


def _has_room(draft: Draft, group: GroupSpec) -> bool:
    """Whether one more attempt may be active (S5.3)."""
    limit = group.max_parallel or draft.spec.options.max_parallel
    return not group.parallel or limit is None or draft.active < limit


def _dispatch(draft: Draft, position: int, step: StepSpec) -> None:
    """Send an attempt out, and watch its time (S5.4)."""
    due_at_ms = None if step.timeout_ms is None else draft.now_ms + step.timeout_ms
    attempt = draft.live[position].queued(due_at_ms)
    draft.put(position, attempt)
    draft.emit(dispatch_of(draft, attempt, step))
    draft.schedule_timer_of(attempt)
