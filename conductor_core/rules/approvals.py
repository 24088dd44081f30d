"""Section 8: when people are asked, and what their answers lead to."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from conductor_core.attempt import SKIPPED_BY_USER, Approval, AttemptStatus, Result
from conductor_core.building import builder
from conductor_core.draft import Answered, Draft, Expired
from conductor_core.orders import request_of
from conductor_core.rules.group import close, retry_step, skip_by_user, stop_group
from conductor_core.spec import ApprovalSpec


def ask_for_approval(draft: Draft, position: int, result: Result) -> None:
    """Approve what needs no person, and ask people about the rest (S8.1 to S8.4)."""
    spec = draft.place.step_at(position).approval_spec
    automatic = _automatic(draft, spec, result)
    approval = _approval(requested_at_ms=draft.now_ms, automatic=automatic)
    if automatic is not None:
        status = AttemptStatus.SUCCESS
        close(draft, position, status, "continue", result=result, approval=approval)
        return
    status = AttemptStatus.APPROVAL_AWAITING
    asked = close(draft, position, status, "await-approval", result=result, approval=approval)
    if spec.timeout_ms is not None:
        asked = asked.waiting_until(draft.now_ms + spec.timeout_ms)
        draft.put(position, asked)
    draft.emit(request_of(asked, spec))
    draft.schedule_timer_of(asked)


_approval: Final = builder(Approval)


def _automatic(draft: Draft, spec: ApprovalSpec, result: Result) -> str | None:
    """What approves without a person: S8.1 to S8.3, in this order."""
    if result.policy is not None and not result.policy.evaluated:
        return None
    if result.policy is not None and spec.auto_approve_on_policy_pass:
        return "policy"
    return "approve-all" if draft.approval == "approve-all" else None


def settle_answer(draft: Draft, answered: Answered) -> None:
    """Do what the answer of a person asks for (S8.5 to S8.11)."""
    position = answered.position
    match answered.response:
        case "approve":
            _settle_approve(draft, position)
        case "deny":
            stop_group(draft, position, AttemptStatus.APPROVAL_DENIED, "denied")
        case "skip-current":
            skip_by_user(draft, position, draft.place.step_at(position).approval_spec.skip_scope)
        case "skip-current-and-dependents":
            _skip_with_dependents(draft, position)
        case _:
            assert answered.response == "retry", f"{answered.response!r} passed the judge"
            close(draft, position, AttemptStatus.DISCARDED, "retry")
            retry_step(draft, position)


def _settle_approve(draft: Draft, position: int) -> None:
    """S8.5 to S8.7."""
    attempt, step = draft.live[position], draft.place.step_at(position)
    spec = step.approval_spec
    assert attempt.approval is not None, f"{attempt.id} was never asked about"
    age_ms = draft.now_ms - attempt.approval.requested_at_ms
    if spec.stale_after_ms is not None and age_ms >= spec.stale_after_ms:
        _replace_stale_plan(draft, position)
    elif len(attempt.approval.approvers) >= spec.required:
        close(draft, position, AttemptStatus.SUCCESS, "continue")


def _replace_stale_plan(draft: Draft, position: int) -> None:
    """Plan again, within the step's budget (S8.5)."""
    attempt, budget = draft.live[position], draft.place.step_at(position).retry.max_retries
    if attempt.retry + 1 > budget:
        stop_group(draft, position, AttemptStatus.ERROR, "stale-plan", exhausted=True)
        return
    close(draft, position, AttemptStatus.DISCARDED, "retry", "stale-plan")
    retry_step(draft, position)


def _skip_with_dependents(draft: Draft, position: int) -> None:
    """Skip the step and what comes after it in its group, and stop (S8.10)."""
    for sibling in range(position + 1, draft.span.stop):
        attempt = draft.live[sibling]
        if attempt.unfinished and not attempt.active:
            close(draft, sibling, AttemptStatus.USER_SKIPPED, "continue", SKIPPED_BY_USER)
    stop_group(draft, position, AttemptStatus.USER_SKIPPED, "skipped-dependents")


def expire(draft: Draft, expired: Expired) -> None:
    """Stop for an approval that nobody answered in time; it is never retried (S8.13)."""
    stop_group(draft, expired.position, AttemptStatus.APPROVAL_EXPIRED, "approval-expired")


def approve_what_is_open(draft: Draft) -> None:
    """Answer every open approval that is not held as S8.3 would, whatever its age (S8.15)."""
    if draft.approval != "approve-all" or not draft.awaiting:
        return
    for position, attempt in draft.placed_attempts():
        if attempt.awaiting and not attempt.held and attempt.approval is not None:
            decided = evolve(attempt.approval, automatic="approve-all")
            close(draft, position, AttemptStatus.SUCCESS, "continue", approval=decided)
