"""Stories of people: what they approve, cancel, hold and add."""

from __future__ import annotations

from typing import Any

from conductor_core import ApprovalSpec, RetryPolicy
from conductor_core.events import PolicyReport
from tests.recorded.telling import (
    GATE,
    Telling,
    answer,
    append,
    cancel,
    finished,
    flow,
    group,
    option,
    pause,
    resume,
    runs,
    step,
    story,
)


def asking(approval: ApprovalSpec = GATE, **more: Any) -> Telling:
    """A flow that waits for the approval of its plan."""
    plan = step("plan", approval=approval, **more)
    told = Telling(flow(group("g", plan, "apply"), group("h", "check")))
    told.started()
    told.done("plan#1", subject="sha256:1", output={"adds": 3})
    told.status("approval-awaiting")
    return told


@story
def approval_with_quorum() -> Telling:
    """Two of three people approve."""
    told = asking(ApprovalSpec(required=2, approvers=("ana", "bo", "cy"), timeout_ms=86_400_000))
    told.tell(answer("plan", "approve", "ana", note="looks fine", subject="sha256:1"))
    told.status("approval-awaiting")
    told.tell(answer("plan", "approve", "cy"))
    told.done("apply#1", "check#1")
    told.status("success")
    return told


@story
def approval_denied() -> Telling:
    """One denies what another approved before."""
    told = asking(ApprovalSpec(required=2))
    told.tell(answer("plan", "approve", "ana"), answer("plan", "deny", "bo", note="wrong day"))
    told.status("error")
    return told


@story
def approval_expired() -> Telling:
    """Nobody answers in time."""
    told = asking(ApprovalSpec(timeout_ms=86_400_000))
    told.fired("approval:plan#1")
    told.status("error")
    return told


@story
def stale_plan() -> Telling:
    """A plan that is approved too late is made anew, as often as its budget allows."""
    spec = ApprovalSpec(stale_after_ms=3_600_000)
    told = asking(spec, retry=RetryPolicy(max_retries=1))
    told.later(3_600_000)
    told.tell(answer("plan", "approve"))
    told.done("plan#2", subject="sha256:2")
    told.later(3_600_000)
    told.tell(answer("plan", "approve"))
    told.status("error")
    assert told.state.outcome is not None
    assert told.state.outcome.reason == "stale-plan"
    return told


@story
def approval_retried() -> Telling:
    """People who want another plan."""
    told = asking(retry=RetryPolicy(max_retries=1))
    told.tell(answer("plan", "retry"))
    told.done("plan#2", subject="sha256:2")
    told.rejected(answer("plan", "retry"), "retries-exhausted")
    told.tell(answer("plan", "approve"))
    told.done("apply#1", "check#1")
    told.status("success")
    return told


@story
def skip_current() -> Telling:
    """A plan that is skipped takes its group along."""
    told = asking()
    told.tell(answer("plan", "skip-current"))
    told.done("check#1")
    told.status("success")
    return told


@story
def skip_current_step_alone() -> Telling:
    """A plan that is skipped without its group."""
    told = asking(ApprovalSpec(skip_scope="step"))
    told.tell(answer("plan", "skip-current"))
    told.done("apply#1", "check#1")
    told.status("success")
    return told


@story
def skip_current_and_dependents() -> Telling:
    """A plan that is skipped with all that hangs on it."""
    told = asking()
    told.tell(answer("plan", "skip-current-and-dependents"))
    told.status("error")
    return told


@story
def approve_all() -> Telling:
    """What is approved without people, what is held back, and what the option answers."""
    unknown = PolicyReport(evaluated=False)
    spec = flow(
        group("g", step("a", approval=GATE)),
        group("h", step("b", approval=GATE), step("c", approval=GATE), parallel=True),
        group("i", step("d", approval=GATE)),
        approval="approve-all",
    )
    told = Telling(spec)
    told.started()
    told.done("a#1")
    told.tell(option("prompt"))
    told.done("b#1")
    told.done("c#1", policy=unknown)
    told.tell(option("approve-all"))
    told.tell(answer("c", "approve"))
    told.done("d#1")
    told.status("success")
    return told


@story
def approvals_in_parallel() -> Telling:
    """Several are asked at once; a denial withdraws the other questions."""
    gates = [step(key, approval=ApprovalSpec(timeout_ms=1_000_000)) for key in "abc"]
    told = Telling(flow(group("g", *gates, parallel=True)))
    told.started()
    told.done("a#1", "b#1", "c#1")
    told.tell(answer("b", "approve"), answer("a", "deny"))
    told.status("error")
    return told


@story
def cancel_of_a_flow() -> Telling:
    """What runs is told, and ends each in its way."""
    told = Telling(
        flow(group("g", *"abc", step("p", approval=GATE), parallel=True), group("h", "d"))
    )
    told.started()
    told.tell(runs("a#1"), cancel(reason="wrong day", request_id="c-1"))
    told.status("cancelling")
    told.tell(finished("a#1", "cancelled"))
    told.broken("b#1")
    told.done("c#1", "p#1")
    told.status("cancelled")
    told.close()
    return told


@story
def cancel_of_a_group() -> Telling:
    """A group is named; the flow ends with it."""
    told = Telling(flow(group("g", step("a", approval=GATE)), group("h", "b")))
    told.started()
    told.done("a#1")
    told.tell(cancel(group="h"))
    told.status("cancelled")
    return told


@story
def cancel_of_a_step() -> Telling:
    """A step is named; the flow ends with it."""
    told = Telling(flow(group("g", "a", "b")))
    told.started()
    told.tell(cancel(step="b", reason="not this one"))
    told.tell(finished("a#1", "cancelled"))
    told.status("cancelled")
    return told


@story
def cancel_timeout() -> Telling:
    """What does not answer a cancel is given up."""
    told = Telling(flow(group("g", "a", "b", "c", parallel=True), cancel_grace_ms=5000))
    told.started()
    told.tell(cancel())
    told.tell(finished("b#1", "cancelled"))
    told.fired("cancel")
    told.status("cancelled")
    return told


@story
def cancel_before_the_start() -> Telling:
    """A flow that never ran."""
    told = Telling(flow(group("g", "a")))
    told.tell(cancel(reason="changed my mind"))
    told.status("cancelled")
    return told


@story
def pause_and_resume() -> Telling:
    """What runs runs on, approvals are answered, and nothing starts until somebody resumes."""
    retry = RetryPolicy(max_auto_retries=1, backoff_ms=[30_000], jitter=False)
    told = Telling(
        flow(group("g", step("a", retry=retry), step("p", approval=GATE)), group("h", "b"))
    )
    told.started()
    told.broken("a#1")
    told.tell(pause())
    told.fired("backoff:a#2")
    told.status("paused")
    told.tell(resume())
    told.done("a#2", "p#1")
    told.tell(pause(), answer("p", "approve"))
    told.status("paused")
    told.tell(resume())
    told.done("b#1")
    told.status("success")
    return told


@story
def append_groups() -> Telling:
    """More groups before the start, and while the flow runs."""
    told = Telling(flow(group("g", "a")))
    told.tell(append(group("h", "b")))
    told.started()
    told.done("a#1")
    told.tell(append(group("i", "c", "d", parallel=True), group("j", "e")))
    told.done("b#1", "c#1", "d#1", "e#1")
    told.status("success")
    return told
