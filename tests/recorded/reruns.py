"""Stories of reruns: what people retry or skip when work has failed."""

from __future__ import annotations

from conductor_core import ApprovalSpec
from tests.recorded.people import asking
from tests.recorded.telling import (
    GATE,
    Telling,
    answer,
    error,
    finished,
    flow,
    group,
    rerun,
    skip,
    step,
    story,
)


@story
def rerun_retry_step() -> Telling:
    """A flow that ended is revived to try a step again; the log is closed and opened again."""
    told = Telling(flow(group("g", "a", "b", "c"), group("h", "d")))
    told.started()
    told.done("a#1")
    told.broken("b#1")
    told.status("error")
    told.close()
    told.tell(rerun("b", request_id="r-1"))
    told.done("b#2", "c#1")
    told.broken("d#1")
    told.close()
    told.tell(rerun("d#1"))
    told.done("d#2")
    told.status("success")
    told.close()
    return told


@story
def rerun_skip_step() -> Telling:
    """A failed step is skipped, others with it; the last one ends the flow at once."""
    told = Telling(flow(group("g", "a", "b", "c"), group("h", "d", "e")))
    told.started()
    told.broken("a#1")
    told.tell(skip("a", additional_skip_step_ids=("b", "e")))
    told.done("c#1")
    told.broken("d#1")
    told.tell(skip("d"))
    told.status("success")
    return told


@story
def rerun_stale_plan() -> Telling:
    """What was planned is planned again before the failed step is."""
    told = Telling(flow(group("g", step("plan", approval=GATE), "apply", "check")))
    told.started()
    told.done("plan#1")
    told.tell(answer("plan", "approve"))
    told.broken("apply#1")
    told.tell(rerun("apply", stale_plan=True, replan_step_id="plan"))
    told.done("plan#2")
    told.tell(answer("plan", "approve"))
    told.done("apply#2", "check#1")
    told.status("success")
    return told


@story
def rerun_of_denied() -> Telling:
    """A denied plan is made again; one that expired is skipped, and nothing of it applied."""
    told = asking(ApprovalSpec(timeout_ms=86_400_000))
    told.tell(answer("plan", "deny"))
    told.tell(rerun("plan"))
    told.done("plan#2")
    told.fired("approval:plan#2")
    told.tell(skip("plan"))
    told.done("check#1")
    told.status("success")
    return told


@story
def rerun_of_parallel() -> Telling:
    """All that stopped a group are retried with the one that was named."""
    told = Telling(flow(group("g", *"abc", step("p", approval=GATE), parallel=True)))
    told.started()
    told.done("p#1")
    told.broken("a#1")
    told.tell(finished("b#1", "cancelled"))
    told.done("c#1")
    told.tell(rerun("a"))
    told.done("a#2", "b#2", "p#2")
    told.tell(answer("p", "approve"))
    told.status("success")
    return told


@story
def await_retry() -> Telling:
    """Failures that wait for people: one is retried, one is skipped."""
    told = Telling(flow(group("g", "a", "b", "c", parallel=True), on_failure="await-retry"))
    told.started()
    told.broken("a#1", error=error("not yet", non_retryable=True))
    told.broken("b#1")
    told.tell(rerun("a"))
    told.done("a#2", "c#1")
    told.status("failed-pending-retry")
    told.tell(skip("b"))
    told.status("success")
    return told
