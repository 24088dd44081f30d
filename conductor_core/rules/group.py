"""What a directive does to the current group: section 7, and the sweeps it speaks of.

Rule: these are not rules but their vocabulary; none of them asks whether it should happen.
Every sweep works on the attempts as they are now and never touches a finished one (S7.6).
"""

from __future__ import annotations

from collections.abc import Iterable

from conductor_core.attempt import (
    OVERTAKEN,
    SKIPPED_BY_USER,
    SWEPT,
    Approval,
    Attempt,
    AttemptStatus,
    Result,
)
from conductor_core.backoff import backoff_ms
from conductor_core.commands import CancelFutures, CancelTimer, Outcome
from conductor_core.directives import describe
from conductor_core.draft import Draft


def close(
    draft: Draft,
    position: int,
    status: AttemptStatus,
    directive: str | None = None,
    reason: str | None = None,
    result: Result | None = None,
    approval: Approval | None = None,
) -> Attempt:
    """Give an attempt the status that ends its work or its wait, and no timer any more."""
    attempt = draft.live[position]
    if attempt.due_at_ms is not None:
        draft.cancel_timer_of(attempt)
    ended = attempt.ended(status, directive, reason, result, approval)
    draft.put(position, ended)
    return ended


def discard_unfinished(draft: Draft, positions: Iterable[int], reason: str | None = None) -> None:
    """Discard what has not finished and is not at work."""
    for position in positions:
        attempt = draft.live[position]
        if attempt.unfinished and not attempt.active:
            close(draft, position, AttemptStatus.DISCARDED, reason=reason)


def renew(draft: Draft, position: int, *, generation: int, retry: int, wait_ms: int = 0) -> None:
    """Let a new attempt supersede the live one, after a wait or at its turn (S1.2, S7.1)."""
    due_at_ms = draft.now_ms + wait_ms if wait_ms else None
    new = draft.live[position].renewed(
        generation=generation, retry=retry, backoff_due_at_ms=due_at_ms
    )
    draft.supersede(position, new)
    draft.schedule_timer_of(new)


def retry_step(draft: Draft, position: int) -> None:
    """Try a step again at once, charged to its own budget (S10.2, S8.11)."""
    attempt = draft.live[position]
    renew(draft, position, generation=attempt.generation, retry=attempt.retry + 1)


def retry_step_after_backoff(draft: Draft, position: int) -> None:
    """Try a step again after the wait that its policy and its error ask for (S7.1)."""
    attempt, retry = draft.live[position], draft.live[position].retry + 1
    token = f"{draft.flow_id}/{attempt.step}#{attempt.n + 1}"
    policy = draft.place.step_at(position).retry
    wait_ms = backoff_ms(policy, retry, token, attempt.error)
    renew(draft, position, generation=attempt.generation, retry=retry, wait_ms=wait_ms)


def retry_group(draft: Draft, *, wait_ms: int = 0, directive: str | None = None) -> None:
    """Begin the group's next generation; a person's `directive` replaces what it finds."""
    assert draft.wait_due_at_ms is None, "a group that waits has nothing to be retried"
    draft.retrying, draft.skipping = None, False
    draft.generation += 1
    for position in draft.span:
        leave_behind(draft, position, directive)
    # From the last, so that each in turn becomes the first that is pending, which is cheap.
    for position in reversed(draft.span):
        renew(draft, position, generation=draft.generation, retry=0)
    if wait_ms:
        draft.wait_due_at_ms = draft.now_ms + wait_ms
        draft.schedule_timer(draft.backoff_timer, draft.wait_due_at_ms)


def leave_behind(draft: Draft, position: int, directive: str | None) -> None:
    """End an attempt that is about to be superseded: an unfinished one is discarded (S3.1).

    What a person chose replaces await-* and stop, and discards a failure too (section 6).
    """
    attempt = draft.live[position]
    parked = attempt.parked or attempt.awaiting
    chosen = directive if parked or attempt.decided_stop else None
    if attempt.unfinished or (directive is not None and attempt.failed):
        close(draft, position, AttemptStatus.DISCARDED, chosen)
    elif chosen is not None:
        close(draft, position, attempt.status, chosen)


def end_group_backoff(draft: Draft) -> None:
    """Let the group no longer wait, and tell the host if it still does."""
    if draft.wait_due_at_ms is not None:
        draft.emit(CancelTimer(timer=draft.backoff_timer))
        draft.wait_due_at_ms = None


def skip_group(draft: Draft, position: int) -> None:
    """Discard the siblings that the group can do without (section 7, S7.2).

    In a sequential group that is all that comes later, in a parallel one what was not
    dispatched in this generation, and a second time there is nothing left to discard; a
    group retry that was decided before outranks it.
    """
    if draft.retrying is not None or draft.skipping:
        return
    draft.skipping = True
    span = draft.span
    if not draft.group.parallel:
        span = range(position + 1, span.stop)
    never_ran = [p for p in draft.pending.within(span) if not draft.ran_in_generation(p)]
    discard_unfinished(draft, never_ran)


def stop_group(
    draft: Draft,
    position: int,
    status: AttemptStatus,
    reason: str,
    *,
    exhausted: bool = False,
    result: Result | None = None,
) -> None:
    """Let an attempt stop its group: the first to do so names the outcome (S7.2, S7.4).

    Those that fail after it are not heard here any more (`rules.work`).
    """
    assert draft.stop is None, "a group is stopped once"
    attempt = close(draft, position, status, "stop", reason, result)
    draft.stop = Outcome(
        status="error",
        reason=reason,
        step=attempt.id,
        message=describe(reason, attempt.error),
        retries_exhausted=exhausted,
    )
    override_group_retry(draft)
    discard_unfinished(draft, draft.span, SWEPT)
    if draft.group.fail_fast:
        cancel_active(draft)


def override_group_retry(draft: Draft) -> None:
    """Let those who wanted to retry the group stop it instead (S7.2).

    What was discarded while the retry waited is swept by the stop.
    """
    if draft.retrying is None:
        return
    draft.retrying = None
    for position, attempt in draft.placed_attempts():
        if attempt.directive == "retry-group":
            close(draft, position, attempt.status, "stop")
        elif attempt.reason == OVERTAKEN:
            close(draft, position, attempt.status, reason=SWEPT)


def cancel_active(draft: Draft) -> None:
    """Tell the workers of the group to give up, in one command that names them all (S9.2)."""
    active = [(p, attempt) for p, attempt in draft.placed_attempts() if attempt.active]
    for position, attempt in active:
        draft.put(position, attempt.asked_to_cancel())
    if active:
        draft.emit(CancelFutures(attempts=tuple(attempt.id for _, attempt in active)))


def skip_by_user(draft: Draft, position: int, scope: str) -> None:
    """Skip an attempt for a person: alone, or with what it would have led to (S8.9)."""
    mark_skipped(draft, position, scope)
    if scope == "group":
        skip_dependents(draft, position)


def mark_skipped(draft: Draft, position: int, scope: str) -> None:
    """Give an attempt that a person skips its status and the directive of its scope."""
    directive = "continue" if scope == "step" else "skip-group"
    close(draft, position, AttemptStatus.USER_SKIPPED, directive, SKIPPED_BY_USER)


def skip_dependents(draft: Draft, position: int) -> None:
    """Skip, for a person, the later siblings that never started, and the group (S8.9)."""
    later = range(position + 1, draft.span.stop)
    for sibling in draft.pending.within(later):
        if not draft.ran_in_generation(sibling):
            close(draft, sibling, AttemptStatus.USER_SKIPPED, "continue", SKIPPED_BY_USER)
    skip_group(draft, position)
