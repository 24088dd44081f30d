"""Section 6 and 7: what the end of an attempt's work leads to.

Rule: the directive is chosen by `directives.decide`; this module only applies it, and knows
the three situations in which it is not applied: a cancel, a stop, a group retry that waits.
"""

from __future__ import annotations

from attrs import evolve

from conductor_core.attempt import FAIL_FAST, OVERTAKEN, SWEPT, Attempt, AttemptStatus, Result
from conductor_core.commands import CancelFutures
from conductor_core.directives import Decision, Work, decide, policy_denial
from conductor_core.draft import Draft, Returned, TimedOut
from conductor_core.events import StepError
from conductor_core.rules.approvals import ask_for_approval
from conductor_core.rules.group import close, retry_step_after_backoff, skip_group, stop_group


def time_out(draft: Draft, late: TimedOut) -> None:
    """Tell the worker to give up and end its work as failed (S5.7)."""
    draft.emit(CancelFutures(attempts=(draft.live[late.position].id,)))
    error = StepError(message="timeout", type="timeout")
    end_work(draft, Returned(late.position, "failed", None, Result(error=error), timed_out=True))


def end_work(draft: Draft, returned: Returned) -> None:
    """Give an attempt whose work ended its status and its directive, and apply it."""
    attempt = draft.live[returned.position]
    if draft.cancellation is not None:
        _end_cancelled(draft, returned)
        return
    decision = _decide(draft, returned, attempt)
    returned = _judged(returned, decision)
    if draft.stopping:
        _end_after_stop(draft, returned, decision)
    elif draft.retrying is not None:
        _end_before_group_retry(draft, returned, decision)
    else:
        _apply(draft, returned, decision)


def _decide(draft: Draft, returned: Returned, attempt: Attempt) -> Decision:
    step = draft.catalog.steps[returned.position]
    return decide(
        Work(
            step=step,
            options=draft.spec.options,
            retry=attempt.retry,
            generation=draft.generation,
            group_max_retries=draft.catalog.budgets[draft.current],
            outcome=returned.outcome,
            directive=returned.directive,
            result=returned.result,
            timed_out=returned.timed_out,
        )
    )


def _judged(returned: Returned, decision: Decision) -> Returned:
    """The work as section 6 sees it: a policy's denial is an error, a success has none."""
    if decision.denied:
        return evolve(returned, result=policy_denial(returned.result))
    if decision.failed or returned.result.error is None:
        return returned
    return evolve(returned, result=_flawless(returned.result))


def _flawless(result: Result) -> Result:
    """What a success left behind: no error, whatever came with it."""
    return result if result.error is None else evolve(result, error=None)


def _apply(draft: Draft, returned: Returned, decision: Decision) -> None:
    """What each directive does to the group (section 7)."""
    position, status, reason = returned.position, decision.status, decision.reason
    result = returned.result
    if decision.directive == "stop":
        assert reason is not None, f"{decision} has no reason"
        stop_group(draft, position, status, reason, exhausted=decision.exhausted, result=result)
        return
    if decision.directive == "await-approval":
        ask_for_approval(draft, position, result)
        return
    close(draft, position, status, decision.directive, reason, result)
    # Continue and await-retry concern this step only.
    if decision.directive == "retry":
        retry_step_after_backoff(draft, position)
    elif decision.directive == "retry-group":
        draft.retrying = position
    elif decision.directive == "skip-group":
        skip_group(draft, position)


def _end_cancelled(draft: Draft, returned: Returned) -> None:
    """While the flow is cancelled only the outcome counts (S9.3, S9.4)."""
    result = returned.result
    if returned.outcome == "succeeded":
        result = _flawless(result)
        planned = draft.catalog.steps[returned.position].approval is not None
        status = AttemptStatus.CANCELLED if planned else AttemptStatus.SUCCESS
    elif returned.outcome == "cancelled":
        status = AttemptStatus.CANCELLED
    else:
        status = AttemptStatus.ERROR
    close(draft, returned.position, status, "stop", result=result)


def _end_after_stop(draft: Draft, returned: Returned, decision: Decision) -> None:
    """After a stop nothing starts any more; a failure is a stop of its own (S7.2, S12.3)."""
    position, result = returned.position, returned.result
    told = draft.live[position].cancel_requested
    if decision.status is AttemptStatus.CANCELLED and told:
        close(draft, position, AttemptStatus.CANCELLED, "stop", FAIL_FAST, result)
    elif decision.failed:
        close(draft, position, decision.status, "stop", decision.reason, result)
    else:
        _keep_or_discard(draft, returned, decision)


def _end_before_group_retry(draft: Draft, returned: Returned, decision: Decision) -> None:
    """While a group retry waits a failure joins it, unless it stops or is forgiven (S7.2)."""
    if decision.directive == "stop":
        _apply(draft, returned, decision)
    elif decision.failed:
        wanted = "continue" if decision.directive == "continue" else "retry-group"
        close(draft, returned.position, decision.status, wanted, decision.reason, returned.result)
    else:
        _keep_or_discard(draft, returned, decision)


def _keep_or_discard(draft: Draft, returned: Returned, decision: Decision) -> None:
    """Keep a success that comes too late to be applied, but for one that plans (S7.2)."""
    position, result = returned.position, returned.result
    plans = draft.catalog.steps[position].approval is not None
    if plans or decision.directive == "await-approval":
        reason = SWEPT if draft.stopping else OVERTAKEN
        discarded = AttemptStatus.DISCARDED
        close(draft, position, discarded, decision.directive, reason, result)
    else:
        close(draft, position, decision.status, decision.directive, decision.reason, result)
