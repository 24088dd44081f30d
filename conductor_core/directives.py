"""From the end of an attempt's work to its directive: section 6, row by row.

Rule: nothing here changes a state; `decide` reads the step, the attempt and what its work
left behind, and answers with one Decision.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeAlias

from attrs import evolve

from conductor_core.attempt import AttemptStatus, Result
from conductor_core.building import builder, copier
from conductor_core.events import StepError
from conductor_core.frozen import frozen
from conductor_core.spec import FlowOptions, StepSpec


class Directive(StrEnum):
    """What a worker may ask for, and what an attempt ends with (section 6)."""

    CONTINUE = "continue"
    STOP = "stop"
    AWAIT_APPROVAL = "await-approval"
    SKIP_GROUP = "skip-group"
    RETRY = "retry"
    RETRY_GROUP = "retry-group"
    AWAIT_RETRY = "await-retry"


KNOWN: Final = frozenset(directive.value for directive in Directive)
STEP_FAILED: Final = "Step failed"
FIXED_MESSAGES: Final = {
    "denied": "Approval denied",
    "approval-expired": "Approval expired",
    "stale-plan": "Plan is stale and its retries are exhausted",
    "skipped-dependents": "Skipped with its dependents",
    "policy-denied": "Denied by policy",
    "cancelled-externally": "Cancelled outside the flow",
    "unknown-directive": "Unknown directive",
    "stopped-by-step": "Stopped by the step",
    "generation-failed": "Step generation failed",
    "no-steps": "No steps were generated",
}


@frozen
class Decision:
    """One row of section 6, chosen; `await-approval` sends the attempt on to section 8.

    `failed`: the work did not succeed, or may not count as a success. `exhausted`: its
    retries are used up. `denied`: its policy denied it.
    """

    directive: str
    status: AttemptStatus
    reason: str | None = None
    exhausted: bool = False
    failed: bool = False
    denied: bool = False


CONTINUED: Final = Decision("continue", AttemptStatus.SUCCESS)
"""By far the most frequent one (S6.6)."""
PLANNED: Final = Decision("await-approval", AttemptStatus.APPROVAL_AWAITING)
"""What planned waits for people (S6.5, S6.7)."""


@frozen
class Work:
    """Work of an active attempt that ended (S5.6): whose it was, and what it left behind."""

    position: int
    step: StepSpec
    outcome: str
    directive: str | None
    result: Result
    timed_out: bool = False


@frozen(kw_only=True)
class Budget:
    """What retries are charged to, so far.

    `generation` is the group's, `group_max_retries` the smallest of its steps.
    """

    options: FlowOptions
    retry: int
    generation: int
    group_max_retries: int


Charge: TypeAlias = Callable[[int], Budget]
"""Tells the budget of a step, by its position; only what failed is charged to it."""


def decide(work: Work, charge: Charge) -> Decision:
    """Choose the first row of section 6 that matches."""
    asked = work.directive
    if work.outcome == "cancelled":  # S6.1; cancels that were asked for never come here
        return _decision("stop", AttemptStatus.CANCELLED, "cancelled-externally", failed=True)
    if asked is not None and asked not in KNOWN:  # S6.2
        return _decision("stop", AttemptStatus.ERROR, "unknown-directive", failed=True)
    if work.outcome != "succeeded":
        return _failed(work, charge, "timeout" if work.timed_out else "failed")
    if work.result.policy is not None and work.result.policy.deny_violations:  # S6.3
        denied = evolve(work, result=policy_denial(work.result))
        return evolve(_failed(denied, charge, "policy-denied"), denied=True)
    return _succeeded(work, charge)


def _succeeded(work: Work, charge: Charge) -> Decision:
    """S6.4 to S6.10."""
    step, asked = work.step, work.directive
    if asked is None or asked == "continue":
        if work.result.noop is True and step.skip_if_noop:
            return _decision("skip-group", AttemptStatus.AUTO_SKIPPED, "noop")
        return CONTINUED if step.approval is None else PLANNED
    if asked == "await-approval":
        return PLANNED
    if asked == "skip-group":
        kept = AttemptStatus.SUCCESS if step.approval is None else AttemptStatus.AUTO_SKIPPED
        return _decision("skip-group", kept)
    if asked == "stop":
        kept = AttemptStatus.SUCCESS if step.approval is None else AttemptStatus.DISCARDED
        return _decision("stop", kept, "stopped-by-step")
    return _budgeted(work, charge(work.position), "failed")


def _failed(work: Work, charge: Charge, kind: str) -> Decision:
    """S6.11 to S6.13; a failure may not wave itself through: what follows does not ask (S6.12)."""
    if work.directive == "stop":
        return _decision("stop", AttemptStatus.ERROR, kind, failed=True)
    if work.result.error is not None and work.result.error.terminal:
        return _final(work, "terminal-error")
    return _budgeted(work, charge(work.position), kind)


def _final(work: Work, reason: str, *, exhausted: bool = False) -> Decision:
    """No retry of any kind is left: forgiven or stopped."""
    if work.step.skip_on_failure:
        return _decision("continue", AttemptStatus.ERROR, reason, failed=True)
    return _decision("stop", AttemptStatus.ERROR, reason, exhausted, failed=True)


def _budgeted(work: Work, budget: Budget, kind: str) -> Decision:
    """S6.14 to S6.19."""
    step, retry, asked = work.step, work.step.retry, work.directive
    of_group = asked == "retry-group" or (retry.scope == "group" and asked != "retry")
    n = (budget.generation if of_group else budget.retry) + 1
    if n > (budget.group_max_retries if of_group else retry.max_retries):  # S6.14
        return _final(work, "retries-exhausted", exhausted=True)
    if asked in ("retry", "retry-group"):  # S6.15
        return _decision(asked, AttemptStatus.ERROR, kind, failed=True)
    error = work.result.error
    pointless = error is not None and error.non_retryable
    if asked != "await-retry" and not pointless and n <= retry.max_auto_retries:  # S6.16
        wanted = "retry-group" if retry.scope == "group" else "retry"
        return _decision(wanted, AttemptStatus.ERROR, kind, failed=True)
    if step.skip_on_failure:  # S6.17
        return _decision("continue", AttemptStatus.ERROR, kind, failed=True)
    waits = budget.options.on_failure == "await-retry" or asked == "await-retry"
    wanted = "await-retry" if step.retryable and waits else "stop"  # S6.18, S6.19
    return _decision(wanted, AttemptStatus.ERROR, kind, failed=True)


def policy_denial(result: Result) -> Result:
    """The result with the error that a policy's deny stands for (S6.3)."""
    error = StepError(
        message=FIXED_MESSAGES["policy-denied"], type="policy-denied", non_retryable=True
    )
    return with_error(result, error)


_decision: Final = builder(Decision)
with_error: Final = copier(Result, "error")
"""A result with another error."""


def describe(reason: str | None, error: StepError | None) -> str:
    """What people are told of a stop: S7.4's fixed text, or S6.21's description."""
    if reason in FIXED_MESSAGES:
        return FIXED_MESSAGES[reason]
    while error is not None:
        if error.non_retryable or error.terminal:
            return error.message
        error = error.cause
    return STEP_FAILED
