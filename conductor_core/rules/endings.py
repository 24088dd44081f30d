"""How a flow ends: cancelled, stopped, or without the groups it asked for.

Rule: an end is prepared in one rule, which sweeps what does not run, and reached in another,
once nothing is active any more; only `finish` writes an outcome (S3.2, S7.7).
"""

from __future__ import annotations

from attrs import evolve

from conductor_core.attempt import SWEPT, AttemptStatus
from conductor_core.commands import CancelTimer, FinishFlow, Outcome
from conductor_core.directives import FIXED_MESSAGES
from conductor_core.draft import Draft
from conductor_core.rules.group import (
    cancel_active,
    close,
    end_group_backoff,
    override_group_retry,
)


def finish(draft: Draft, outcome: Outcome) -> None:
    """End the flow; a continue-as-new that was under way ends with it (S13.3a)."""
    draft.outcome = outcome
    draft.finished_at_ms = draft.now_ms
    if draft.continuing or draft.suggested:
        draft.continuing = draft.suggested = False
        draft.incarnation += 1
    draft.emit(FinishFlow(outcome=outcome, run=draft.run))


def carry_out_cancel(draft: Draft) -> None:
    """When a cancel was accepted: sweep what does not run and tell what does (S9.2)."""
    cancellation = draft.cancellation
    assert cancellation is not None, "there is no cancel to carry out"
    _sweep_for_cancel(draft)
    draft.retrying = draft.stop = None
    due_at_ms = None
    if draft.active:
        cancel_active(draft)
        due_at_ms = draft.now_ms + draft.spec.options.cancel_grace_ms
        draft.schedule_timer("cancel", due_at_ms)
    draft.cancellation = evolve(cancellation, carried_out=True, due_at_ms=due_at_ms)


def _sweep_for_cancel(draft: Draft) -> None:
    """Cancel the current group's attempts, never attempt the later ones, end all timers."""
    if draft.started:
        end_group_backoff(draft)
        for position, attempt in draft.placed_attempts():
            if attempt.active:
                draft.cancel_timer_of(attempt)
                draft.put(position, attempt.waiting_until(None))
            elif attempt.unfinished:
                close(draft, position, AttemptStatus.CANCELLED)
    for position in draft.pending:
        close(draft, position, AttemptStatus.NOT_ATTEMPTED)


def give_up_waiting(draft: Draft) -> None:
    """End, at the end of the grace, what did not acknowledge its cancel (S9.4)."""
    assert draft.cancellation is not None, "only a cancel has a grace"
    silent = [(p, a) for p, a in draft.placed_attempts() if a.active]
    for position, _ in silent:
        close(draft, position, AttemptStatus.CANCELLED, "stop", "cancelled")
    names = tuple(attempt.id for _, attempt in silent)
    draft.cancellation = evolve(draft.cancellation, unacknowledged=names)


def finish_cancelled(draft: Draft) -> None:
    """When a cancel was carried out and nothing is active: end the flow (S9.4)."""
    cancellation = draft.cancellation
    assert cancellation is not None, "only a cancel ends so"
    if cancellation.due_at_ms is not None:
        draft.emit(CancelTimer(timer="cancel"))
        draft.cancellation = evolve(cancellation, due_at_ms=None)
    message = cancellation.reason
    if cancellation.unacknowledged:
        message = "not acknowledged: " + ", ".join(cancellation.unacknowledged)
    finish(draft, Outcome(status="cancelled", reason="cancelled", message=message))


def sweep_for_failed_generation(draft: Draft) -> None:
    """When generation failed: nothing more starts, and what runs runs on (S12.3)."""
    draft.generating = "failed"
    if draft.span:
        end_group_backoff(draft)
        override_group_retry(draft)
        for position, attempt in draft.placed_attempts():
            if attempt.parked or attempt.awaiting:
                close(draft, position, AttemptStatus.DISCARDED, reason=SWEPT)
            elif attempt.unfinished and not attempt.active:
                close(draft, position, AttemptStatus.NOT_ATTEMPTED, reason=SWEPT)
    sweep_later_groups(draft)


def sweep_later_groups(draft: Draft) -> None:
    """Never attempt what is still pending, anywhere in the flow."""
    for position in draft.pending:
        close(draft, position, AttemptStatus.NOT_ATTEMPTED, reason=SWEPT)


def finish_stopped(draft: Draft) -> None:
    """When the flow was stopped, or generation failed, and nothing is active: end it (S7.4)."""
    sweep_later_groups(draft)
    finish(draft, draft.stop or failure("generation-failed"))


def failure(reason: str) -> Outcome:
    """The outcome of a flow that no attempt stopped."""
    return Outcome(status="error", reason=reason, message=FIXED_MESSAGES[reason])
