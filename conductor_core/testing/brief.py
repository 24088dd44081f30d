"""Flows and events in brief, as one writes them on a whiteboard.

Rule: nothing here can do what the classes of `spec` and `events` cannot; what a test does not
speak of has a default: the time is 0, the person is ann.
"""

from __future__ import annotations

from typing import Final, Literal

from conductor_core.events import (
    ApprovalResponded,
    CancelRequested,
    FlowStarted,
    PolicyReport,
    RerunRequested,
    StepError,
    StepFinished,
    TimerFired,
)
from conductor_core.spec import FlowOptions, FlowSpec, GroupSpec, StepSpec

START: Final = FlowStarted(at_ms=0)
PLAIN: Final = FlowOptions()


def flow(*groups: GroupSpec, options: FlowOptions = PLAIN) -> FlowSpec:
    """A flow of these groups."""
    return FlowSpec(groups=groups, options=options)


def group(
    key: str,
    *steps: StepSpec | str,
    parallel: bool = False,
    max_parallel: int | None = None,
    fail_fast: bool = False,
) -> GroupSpec:
    """A group; a plain step is given by its key alone."""
    return GroupSpec(
        key=key,
        steps=[StepSpec(key=step) if isinstance(step, str) else step for step in steps],
        parallel=parallel,
        max_parallel=max_parallel,
        fail_fast=fail_fast,
    )


def succeeded(
    attempt: str,
    *,
    directive: str | None = None,
    output: object = None,
    noop: bool | Literal["unknown"] = "unknown",
    policy: PolicyReport | None = None,
    subject: str | None = None,
    at_ms: int = 0,
) -> StepFinished:
    """The work of an attempt succeeded."""
    return StepFinished(
        at_ms=at_ms,
        attempt=attempt,
        outcome="succeeded",
        directive=directive,
        output=output,
        noop=noop,
        policy=policy,
        subject=subject,
    )


def failed(
    attempt: str,
    *,
    directive: str | None = None,
    error: StepError | None = None,
    at_ms: int = 0,
) -> StepFinished:
    """The work of an attempt failed."""
    return StepFinished(
        at_ms=at_ms, attempt=attempt, outcome="failed", directive=directive, error=error
    )


def fired(timer: str, *, at_ms: int = 0) -> TimerFired:
    """A timer is due."""
    return TimerFired(at_ms=at_ms, timer=timer)


def answered(
    step: str, response: str = "approve", *, by: str = "ann", at_ms: int = 0
) -> ApprovalResponded:
    """A person answers the approval of a step."""
    return ApprovalResponded(at_ms=at_ms, step=step, response=response, by=by)


def cancelled(*, reason: str | None = None, by: str = "ann", at_ms: int = 0) -> CancelRequested:
    """A person cancels the flow."""
    return CancelRequested(at_ms=at_ms, by=by, reason=reason)


def retried(step: str, *, by: str = "ann", at_ms: int = 0, flow_id: str = "flow") -> RerunRequested:
    """A person retries a failed step."""
    return RerunRequested(at_ms=at_ms, by=by, flow_id=flow_id, step_id=step)


def skipped(
    step: str, *others: str, by: str = "ann", at_ms: int = 0, flow_id: str = "flow"
) -> RerunRequested:
    """A person skips a failed step, and others with it."""
    return RerunRequested(
        at_ms=at_ms,
        by=by,
        flow_id=flow_id,
        step_id=step,
        operation="skip-step",
        additional_skip_step_ids=others,
    )
