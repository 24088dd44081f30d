"""Section 6 and 7: what the end of an attempt's work leads to.

Rule: the directive is chosen by `directives.decide`; this module only applies it, and knows
the three situations in which it is not applied: a cancel, a stop, a group retry that waits.
"""

from __future__ import annotations

from conductor_core.attempt import FAIL_FAST, OVERTAKEN, SWEPT, AttemptStatus, Result
from conductor_core.commands import CancelFutures
from conductor_core.directives import Decision, Work, decide, policy_denial, with_error
from conductor_core.draft import Draft, TimedOut
from conductor_core.events import StepError
from conductor_core.rules.approvals import ask_for_approval
from conductor_core.rules.group import close, retry_step_after_backoff, skip_group, stop_group


def time_out(draft: Draft, late: TimedOut) -> None:
    """Tell the worker to give up and end its work as failed (S5.7)."""
    draft.emit(CancelFutures(attempts=(draft.live[late.position].id,)))
    error = StepError(message="timeout", type="timeout")
    step = draft.place.step_at(late.position)
    end_work(draft, Work(late.position, step, "failed", None, Result(error=error), timed_out=True))


def end_work(draft: Draft, work: Work) -> None:
    """Give an attempt whose work ended its status and its directive, and apply it."""
    if draft.cancellation is not None:
        _end_cancelled(draft, work)
        return
    position, result = work.position, work.result
    decision = decide(work, draft.budget_of)
    if decision.denied:
        result = policy_denial(result)
    elif result.error is not None and not decision.failed:
        result = _flawless(result)
    if draft.stopping:
        _end_after_stop(draft, position, result, decision)
    elif draft.retrying is not None:
        _end_before_group_retry(draft, position, result, decision)
    else:
        _apply(draft, position, result, decision)


def _flawless(result: Result) -> Result:
    """What a success left behind: no error, whatever came with it."""
    return result if result.error is None else with_error(result, None)


def _apply(draft: Draft, position: int, result: Result, decision: Decision) -> None:
    """What each directive does to the group (section 7)."""
    directive, status, reason = decision.directive, decision.status, decision.reason
    if directive == "stop":
        assert reason is not None, f"{decision} has no reason"
        stop_group(draft, position, status, reason, exhausted=decision.exhausted, result=result)
        return
    if directive == "await-approval":
        ask_for_approval(draft, position, result)
        return
    close(draft, position, status, directive, reason, result)
    # Continue and await-retry concern this step only.
    if directive == "retry":
        retry_step_after_backoff(draft, position)
    elif directive == "retry-group":
        draft.retrying = position
    elif directive == "skip-group":
        skip_group(draft, position)


def _end_cancelled(draft: Draft, work: Work) -> None:
    """While the flow is cancelled only the outcome counts (S9.3, S9.4)."""
    result = work.result
    if work.outcome == "succeeded":
        result = _flawless(result)
        planned = work.step.approval is not None
        status = AttemptStatus.CANCELLED if planned else AttemptStatus.SUCCESS
    elif work.outcome == "cancelled":
        status = AttemptStatus.CANCELLED
    else:
        status = AttemptStatus.ERROR
    close(draft, work.position, status, "stop", result=result)


def _end_after_stop(draft: Draft, position: int, result: Result, decision: Decision) -> None:
    """After a stop nothing starts any more; a failure is a stop of its own (S7.2, S12.3)."""
    told = draft.live[position].cancel_requested
    if decision.status is AttemptStatus.CANCELLED and told:
        close(draft, position, AttemptStatus.CANCELLED, "stop", FAIL_FAST, result)
    elif decision.failed:
        close(draft, position, decision.status, "stop", decision.reason, result)
    else:
        _keep_or_discard(draft, position, result, decision)


def _end_before_group_retry(
    draft: Draft, position: int, result: Result, decision: Decision
) -> None:
    """While a group retry waits a failure joins it, unless it stops or is forgiven (S7.2)."""
    if decision.directive == "stop":
        _apply(draft, position, result, decision)
    elif decision.failed:
        wanted = "continue" if decision.directive == "continue" else "retry-group"
        close(draft, position, decision.status, wanted, decision.reason, result)
    else:
        _keep_or_discard(draft, position, result, decision)


def _keep_or_discard(draft: Draft, position: int, result: Result, decision: Decision) -> None:
    """Keep a success that comes too late to be applied, but for one that plans (S7.2)."""
    plans = draft.place.step_at(position).approval is not None
    if plans or decision.directive == "await-approval":
        reason = SWEPT if draft.stopping else OVERTAKEN
        discarded = AttemptStatus.DISCARDED
        close(draft, position, discarded, decision.directive, reason, result)
    else:
        close(draft, position, decision.status, decision.directive, decision.reason, result)
