"""Stories of hosts: what they generate, how their histories go on, and what is in vain."""

from __future__ import annotations

from typing import Any

from conductor_core import ApprovalSpec, FlowSpec, RetryPolicy, events
from conductor_core.spec import GroupSpec
from tests.recorded.telling import (
    GATE,
    NOW,
    START,
    Telling,
    answer,
    append,
    cancel,
    error,
    finished,
    flow,
    group,
    group_retry,
    now,
    option,
    pause,
    rerun,
    resume,
    runs,
    skip,
    soon,
    step,
    story,
    timer,
)


def made(*groups: GroupSpec, complete: bool = True) -> events.GroupsGenerated:
    """A generator delivers groups."""
    return events.GroupsGenerated(at_ms=NOW, groups=groups, complete=complete)


def unmade(**more: Any) -> events.GenerationFailed:
    """A generator fails."""
    return events.GenerationFailed(at_ms=NOW, error=error("no such region", **more))


def continued(incarnation: int) -> events.ContinuedAsNew:
    """A host goes on with a fresh history."""
    return events.ContinuedAsNew(at_ms=NOW, incarnation=incarnation)


def suggested(incarnation: int) -> events.ContinueAsNewSuggested:
    """The history of a host grows long."""
    return events.ContinueAsNewSuggested(at_ms=NOW, incarnation=incarnation)


@story
def generated_groups() -> Telling:
    """Groups that come while those before them run; a delivery that comes twice."""
    told = Telling(FlowSpec(type="made", metadata={"region": "eu"}))
    told.started()
    first = group("g", "a", step("b", approval=GATE))
    told.tell(made(first, complete=False))
    told.done("a#1")
    told.ignored(made(first, complete=False), "no-change")
    told.done("b#1")
    told.tell(answer("b", "approve"))
    told.status("in-progress")
    told.tell(made(group("h", "c")))
    told.ignored(made(group("i", "d")), "no-change")
    told.done("c#1")
    told.status("success")
    return told


@story
def generation_failure() -> Telling:
    """A generator that fails while work is under way."""
    told = Telling(FlowSpec(type="made"))
    told.started()
    told.tell(made(group("g", "a", "b", parallel=True), group("h", "c"), complete=False))
    told.done("a#1")
    told.tell(unmade(non_retryable=True))
    told.ignored(unmade(), "no-change")
    told.done("b#1")
    told.status("error")
    told.rejected(group_retry("g"), "not-failed")
    return told


@story
def generation_of_what_is_invalid() -> Telling:
    """Groups that cannot be, which is a failure to generate."""
    told = Telling(FlowSpec(type="made"))
    told.started()
    told.tell(made(group("g", "a", "a")))
    told.status("error")
    return told


@story
def generation_of_nothing() -> Telling:
    """A generator that has nothing to do."""
    told = Telling(FlowSpec(type="made"))
    told.started()
    told.tell(made())
    told.status("error")
    return told


@story
def continue_as_new() -> Telling:
    """A fresh history after each second group, and one that the host asked for."""
    gate = step("p", approval=ApprovalSpec(timeout_ms=86_400_000))
    groups = [group(f"g{n}", f"s{n}") for n in range(4)]
    told = Telling(flow(*groups, group("h", gate, "last"), continue_as_new_every=2))
    told.started()
    told.done("s0#1", "s1#1")
    told.tell(pause(), resume(), continued(0))
    told.ignored(continued(0), "stale-incarnation")
    told.tell(suggested(1))
    told.ignored(suggested(1), "no-change")
    told.done("s2#1")
    told.tell(rerun("s3", continue_from_idx=3))
    told.done("s3#1")
    told.done("p#1")
    told.tell(suggested(2), answer("p", "approve"))
    told.tell(continued(2))
    told.done("last#1")
    told.status("success")
    return told


@story
def accepted_only() -> Telling:
    """A log that holds nothing but what was accepted, as one that was rebuilt."""
    told = Telling(flow(group("g", step("p", approval=GATE), "a")), accepted_only=True)
    told.started()
    told.ignored(START, "already-started")
    told.done("p#1")
    told.rejected(answer("p", "perhaps"), "unknown-response")
    told.tell(answer("p", "approve"))
    told.done("a#1")
    told.status("success")
    told.close()
    return told


@story
def checkpoints() -> Telling:
    """More than two thousand entries, and a checkpoint in each thousand."""
    keys = [f"s{n:04}" for n in range(1010)]
    told = Telling(flow(group("g", *keys, parallel=True, max_parallel=3)))
    told.started()
    for key in keys:
        told.tell(runs(f"{key}#1"))
        told.done(f"{key}#1")
    told.status("success")
    told.close()
    return told


@story
def facts_in_vain() -> Telling:
    """Facts that come twice, late, or about what there is not."""
    told = Telling(flow(group("g", step("a", retry=soon(1)), "b")))
    told.ignored(runs("a#1"), "stale-attempt")
    told.ignored(made(group("h", "c")), "no-change")
    told.ignored(suggested(0), "no-change")
    told.ignored(continued(7), "stale-incarnation")
    told.started()
    told.ignored(START, "already-started")
    told.tell(runs("a#1"))
    told.ignored(runs("a#1"), "no-change")
    told.ignored(timer("timeout:a#1"), "stale-timer")
    told.ignored(finished("z#1", "succeeded"), "unknown-attempt")
    told.broken("a#1")
    told.ignored(finished("a#1", "succeeded"), "stale-attempt")
    told.fired("backoff:a#2")
    told.ignored(timer("backoff:a#2"), "stale-timer")
    told.later(-5_000)
    told.done("a#2", "b#1")
    told.ignored(finished("b#1", "failed"), "stale-attempt")
    told.status("success")
    told.close()
    return told


@story
def requests_in_vain() -> Telling:
    """Requests that come twice, or that the phase of the flow rules out."""
    told = Telling(flow(group("g", "a"), group("h", "b")))
    told.rejected(pause(), "not-started")
    told.rejected(rerun("a"), "not-failed")
    told.rejected(group_retry("g"), "not-started")
    told.started()
    told.tell(pause(request_id="p-1"))
    told.ignored(pause(), "no-change")
    told.tell(resume())
    told.ignored(pause(request_id="p-1"), "duplicate-request")
    told.ignored(resume(), "no-change")
    told.ignored(option("prompt"), "no-change")
    told.ignored(append(), "no-change")
    told.rejected(option("approve-some"), "unknown-option")
    told.rejected(append(group("h", "c")), "duplicate-key")
    told.rejected(append(group("i", "d", "d")), "invalid-groups")
    told.rejected(cancel(step="z"), "unknown-step")
    told.rejected(cancel(group="z"), "unknown-group")
    told.rejected(now("a"), "not-waiting")
    told.done("a#1")
    told.rejected(cancel(step="a"), "already-finished")
    told.rejected(cancel(group="g"), "already-finished")
    told.tell(cancel())
    told.ignored(cancel(), "no-change")
    told.rejected(append(group("i", "d")), "flow-cancelled")
    told.rejected(rerun("b", continue_from_idx=1), "flow-cancelled")
    told.done("b#1")
    told.rejected(pause(), "flow-finished")
    told.rejected(rerun("b"), "flow-cancelled")
    return told


@story
def answers_in_vain() -> Telling:
    """Answers to approvals that are not counted."""
    spec = ApprovalSpec(required=2, approvers=("ana", "bo"))
    told = Telling(flow(group("g", step("p", approval=spec, skippable=False), "a")))
    told.started()
    told.rejected(answer("z", "approve"), "unknown-step")
    told.rejected(answer("p", "approve"), "not-awaiting-approval")
    told.done("p#1", subject="sha256:1")
    told.rejected(answer("p", "approve", "eve"), "not-an-approver")
    told.rejected(answer("p", "approve", subject="sha256:2"), "subject-mismatch")
    told.tell(answer("p", "approve"))
    told.rejected(answer("p", "approve"), "already-responded")
    told.rejected(answer("p", "skip-current"), "not-skippable")
    told.rejected(answer("p", "perhaps"), "unknown-response")
    told.rejected(group_retry("z"), "unknown-group")
    told.rejected(skip("p"), "not-failed")
    told.tell(answer("p", "approve", "bo"))
    told.done("a#1")
    told.status("success")
    told.rejected(rerun("a"), "not-failed")
    return told


@story
def reruns_in_vain() -> Telling:
    """Reruns that may not be, for all the reasons that there are."""
    never = RetryPolicy(max_retries=0)
    steps = (
        step("a", retry=never),
        step("b", retryable=False),
        step("c", skippable=False),
        step("d", retry=RetryPolicy(max_retries=3)),
        "e",
        "f",
    )
    told = Telling(flow(group("g", *steps, parallel=True), group("h", "i")))
    told.started()
    told.broken("e#1", directive="stop")
    told.rejected(rerun("e"), "group-running")
    told.broken("a#1", "b#1", "c#1", "d#1")
    told.done("f#1")
    told.status("error")
    told.rejected(rerun("e", flow_id="other"), "flow-mismatch")
    told.rejected(rerun("e", continue_from_idx=1), "invalid-continue-index")
    told.rejected(rerun("e", "undo-step"), "invalid-operation")
    told.rejected(rerun("z"), "unknown-step")
    told.rejected(rerun("f"), "not-failed")
    told.rejected(rerun("b"), "not-retryable")
    told.rejected(rerun("a"), "retries-exhausted")
    told.rejected(skip("c"), "not-skippable")
    told.rejected(skip("e", additional_skip_step_ids=("f",)), "not-skippable")
    told.rejected(rerun("e", stale_plan=True, replan_step_id="i"), "invalid-replan-step")
    told.rejected(rerun("e"), "blocked-by")
    told.rejected(group_retry("g"), "not-retryable")
    told.tell(skip("b", additional_skip_step_ids=("a",)))
    told.rejected(rerun("e#1"), "stale-attempt")
    told.broken("c#2", error=error("gone for good", terminal=True))
    told.done("d#2", "e#2")
    told.rejected(rerun("c"), "terminal-error")
    told.status("error")
    return told
