"""Stories of work: how groups run, what outcomes lead to, and what is tried again."""

from __future__ import annotations

from conductor_core import ApprovalSpec, RetryPolicy
from conductor_core.events import PolicyReport
from tests.recorded.telling import (
    GATE,
    Telling,
    answer,
    error,
    finished,
    flow,
    group,
    group_retry,
    now,
    rerun,
    runs,
    soon,
    step,
    story,
)


@story
def sequential_groups() -> Telling:
    """Steps one after another, with what they need of each other, and one that is left out."""
    gate = step("plan", approval=ApprovalSpec(auto_approve_on_policy_pass=True))
    spec = flow(
        group("first", gate, step("left-out", skipped=True)),
        group("second", step("apply", needs=("plan",), input={"to": "eu"}), "check"),
    )
    told = Telling(spec)
    told.started()
    told.tell(runs("plan#1"))
    told.done("plan#1", output={"adds": 3}, subject="sha256:1", policy=PolicyReport())
    told.done("apply#1", output=[1, 2.5, None, "ü"])
    told.done("check#1", metadata={"took": "1 s"})
    told.status("success")
    return told


@story
def parallel_groups() -> Telling:
    """Steps at once, in whatever order they end."""
    told = Telling(flow(group("g", "a", "b", "c", parallel=True), group("h", "d")))
    told.started()
    told.tell(runs("c#1"), runs("a#1"))
    told.done("c#1", "b#1", "a#1", "d#1")
    told.status("success")
    return told


@story
def max_parallel() -> Telling:
    """As many at a time as the group, or else the flow, allows."""
    spec = flow(
        group("g", *"abcde", parallel=True, max_parallel=2),
        group("h", *"fghij", parallel=True),
        max_parallel=3,
    )
    told = Telling(spec)
    told.started()
    told.done(*(f"{key}#1" for key in "badcefghij"))
    told.status("success")
    return told


@story
def directives() -> Telling:
    """What work may ask for: to go on, to skip its group, to ask people, to stop."""
    spec = flow(
        group("goes-on", step("a"), step("b", approval=GATE)),
        group("skips", step("c"), "never"),
        group("skips-plan", step("d", approval=GATE), "neither"),
        group("asks", step("e")),
        group("fails", step("f", skip_on_failure=True), step("g", skip_on_failure=True)),
        group("stops", step("h"), "at-last"),
        group("after", "i"),
        approval="approve-all",
    )
    told = Telling(spec)
    told.started()
    told.done("a#1", directive="continue")
    told.done("b#1", directive="await-approval")
    told.done("c#1", directive="skip-group")
    told.done("d#1", directive="skip-group")
    told.done("e#1", directive="await-approval")
    told.broken("f#1", directive="continue")
    told.broken("g#1", error=error(terminal=True))
    told.done("h#1", directive="stop")
    told.status("error")
    return told


@story
def directives_of_failures() -> Telling:
    """A failure that asks to be retried, its group with it, or to wait for a person."""
    told = Telling(flow(group("g", "a", "b")))
    told.started()
    told.broken("a#1", directive="retry")
    told.fired("backoff:a#2")
    told.done("a#2")
    told.broken("b#1", directive="retry-group", error=error(retry_after_ms=600_000))
    told.fired("backoff:g@1")
    told.done("a#3")
    told.done("b#2", directive="await-retry")
    told.status("failed-pending-retry")
    told.tell(rerun("b"))
    told.broken("b#3", directive="stop")
    told.status("error")
    return told


@story
def unknown_directive() -> Telling:
    """Work that asks for what there is not."""
    told = Telling(flow(group("g", "a", "b")))
    told.started()
    told.done("a#1", directive="carry-on")
    told.status("error")
    return told


@story
def policies() -> Telling:
    """What policies deny, even where all is approved, and what they let pass with a warning."""
    warned = PolicyReport(warn_violations=("old",), passed_policy_ids=("p1", "p2"))
    denied = PolicyReport(deny_violations=("no-public-bucket", "no-root"))
    spec = flow(
        group("g", step("a", approval=GATE), step("b", approval=GATE)), approval="approve-all"
    )
    told = Telling(spec)
    told.started()
    told.done("a#1", policy=warned)
    told.done("b#1", policy=denied, subject="sha256:2")
    told.status("error")
    return told


@story
def no_op() -> Telling:
    """A plan that finds nothing to do ends its group."""
    gate = step("plan", approval=GATE, skip_if_noop=True)
    told = Telling(flow(group("g", gate, "apply"), group("h", step("b", skip_if_noop=True))))
    told.started()
    told.done("plan#1", noop=True)
    told.done("b#1", noop=False)
    told.status("success")
    return told


@story
def retry_with_backoff() -> Telling:
    """Retried by itself, longer waits each time, until the budget is used up."""
    drawn = RetryPolicy(max_retries=3, max_auto_retries=3)
    told = Telling(flow(group("g", step("a", retry=soon(3)), step("b", retry=drawn))))
    told.started()
    for n in (1, 2, 3):
        told.broken(f"a#{n}", error=error("busy", type="Busy", cause=error("no route")))
        told.fired(f"backoff:a#{n + 1}")
    told.done("a#4")
    for n in (1, 2, 3):
        told.broken(f"b#{n}")
        told.fired(f"backoff:b#{n + 1}")
    told.broken("b#4", error=error("quota used up", non_retryable=True))
    told.status("error")
    assert told.state.outcome is not None
    assert told.state.outcome.retries_exhausted
    return told


@story
def retry_now() -> Telling:
    """People who do not wait for a step, nor for a group."""
    told = Telling(flow(group("g", step("a", retry=soon()), step("b", retry=soon(scope="group")))))
    told.started()
    told.broken("a#1")
    told.tell(now("a"))
    told.done("a#2")
    told.broken("b#1")
    told.tell(now("a"))
    told.done("a#3", "b#2")
    told.status("success")
    return told


@story
def group_retry_with_backoff() -> Telling:
    """A group whose steps are all tried again, in parallel and one after another."""
    again = soon(1, scope="group", max_retries=1)
    spec = flow(
        group("g", step("a", retry=again), step("b", retry=again), "c", parallel=True),
        group("h", step("d"), step("e", retry=again), "f"),
    )
    told = Telling(spec)
    told.started()
    told.done("c#1")
    told.broken("a#1")
    told.broken("b#1")
    told.fired("backoff:g@1")
    told.done("a#2", "b#2", "c#2", "d#1")
    told.broken("e#1")
    told.fired("backoff:h@1")
    told.done("d#2")
    told.broken("e#2")
    told.status("error")
    return told


@story
def group_retry_by_people() -> Telling:
    """A parked group, and one that stopped the flow, tried again as a whole."""
    told = Telling(flow(group("g", "a", "b"), on_failure="await-retry"))
    told.started()
    told.done("a#1")
    told.broken("b#1")
    told.status("failed-pending-retry")
    told.tell(group_retry("g"))
    told.done("a#2")
    told.done("b#2", directive="stop")
    told.status("error")
    told.tell(group_retry("g"))
    told.done("a#3", "b#3")
    told.status("success")
    return told


@story
def failure_that_is_skipped() -> Telling:
    """A step whose failure holds nothing up."""
    told = Telling(flow(group("g", step("a", skip_on_failure=True), "b")))
    told.started()
    told.broken("a#1", error=error("nobody minds", details={"code": 7}))
    told.done("b#1")
    told.status("success")
    return told


@story
def parallel_stop() -> Telling:
    """A stop while others run: some end well, some fail, some were about to ask."""
    told = Telling(
        flow(
            group("g", "a", "b", "c", step("p", approval=GATE), "q", parallel=True, max_parallel=4),
            group("h", "d"),
        )
    )
    told.started()
    told.broken("b#1", error=error("disk full", non_retryable=True))
    told.done("a#1")
    told.done("p#1", subject="sha256:3")
    told.broken("c#1")
    told.status("error")
    return told


@story
def fail_fast() -> Telling:
    """A stop that has the others cancelled; one of them was cancelled from outside before."""
    told = Telling(flow(group("g", "a", "b", "c", parallel=True, fail_fast=True)))
    told.started()
    told.tell(finished("a#1", "cancelled"))
    told.tell(finished("b#1", "cancelled"))
    told.done("c#1")
    told.status("error")
    return told


@story
def parallel_skip_group() -> Telling:
    """A group that is done with when those have ended that run already."""
    told = Telling(flow(group("g", *"abcd", parallel=True, max_parallel=2), group("h", "e")))
    told.started()
    told.done("a#1", directive="skip-group")
    told.done("b#1")
    told.done("e#1")
    told.status("success")
    return told


@story
def overridden_group_retry() -> Telling:
    """A group that is to be retried, until one of its steps says stop."""
    again = soon(1, scope="group")
    gate = step("p", approval=GATE, retry=again)
    told = Telling(flow(group("g", step("a", retry=again), "b", gate, parallel=True)))
    told.started()
    told.broken("a#1")
    told.done("p#1")
    told.broken("b#1", directive="stop")
    told.status("error")
    return told


@story
def overtaken_plan() -> Telling:
    """A plan that comes back while its group waits to be tried again is made once more."""
    again = soon(1, scope="group")
    told = Telling(
        flow(group("g", step("a", retry=again), step("p", approval=GATE), parallel=True))
    )
    told.started()
    told.broken("a#1")
    told.done("p#1")
    told.fired("backoff:g@1")
    told.done("a#2", "p#2")
    told.tell(answer("p", "approve"))
    told.status("success")
    return told


@story
def timeouts() -> Telling:
    """Work that takes too long; what it says later is stale."""
    told = Telling(flow(group("g", step("a", timeout_ms=60_000, retry=soon(1)), "b")))
    told.started()
    told.tell(runs("a#1"))
    told.fired("timeout:a#1")
    told.ignored(finished("a#1", "succeeded"), "stale-attempt")
    told.fired("backoff:a#2")
    told.fired("timeout:a#2")
    told.status("error")
    return told


@story
def recovery() -> Telling:
    """What a host that came back answers for work that must not run twice unseen."""
    told = Telling(flow(group("g", step("a", on_recovery="fail"), "b"), on_failure="await-retry"))
    told.started()
    told.tell(runs("a#1"))
    told.later(3_600_000)
    told.broken("a#1", error=error("the host went away", type="interrupted", non_retryable=True))
    told.status("failed-pending-retry")
    told.tell(rerun("a"))
    told.done("a#2", "b#1")
    told.status("success")
    return told
