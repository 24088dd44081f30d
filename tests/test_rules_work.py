"""What the end of work leads to (sections 6 and 7), and when it comes too late to lead anywhere."""

from __future__ import annotations

from typing import Final, Literal

import pytest

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    RetryPolicy,
    StepSpec,
    commands,
    events,
)
from conductor_core.attempt import Attempt, AttemptStatus, Result
from conductor_core.draft import Draft
from conductor_core.events import Event, PolicyReport, StepError
from conductor_core.payload import freeze
from conductor_core.rules.group import retry_group, stop_group
from conductor_core.testing import Given, given
from conductor_core.testing.brief import (
    START,
    answered,
    cancelled,
    failed,
    fired,
    flow,
    group,
    retried,
    succeeded,
)

PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec())
DENIED: Final = PolicyReport(deny_violations=["no-public-bucket"])
FORGIVEN: Final = StepSpec(key="forgiven", skip_on_failure=True)
NOOP: Final = StepSpec(key="noop", skip_if_noop=True)


def beside(*steps: StepSpec | str, fail_fast: bool = False) -> FlowSpec:
    """A parallel group, and one after it."""
    return flow(group("g", *steps, parallel=True, fail_fast=fail_fast), group("h", "later"))


def live(story: Given, key: str) -> Attempt:
    """The live attempt of a step."""
    position = story.state.catalog.position_of(key)
    assert position is not None
    return story.state.live[position]


def outcome(story: Given) -> commands.Outcome:
    """How the flow ended."""
    assert story.state.outcome is not None
    return story.state.outcome


# --- what work leaves behind ---


def test_the_result_is_kept_on_the_attempt() -> None:
    """Output, subject, metadata and findings can be read when the work is over."""
    finished = events.StepFinished(
        at_ms=0,
        attempt="a#1",
        outcome="succeeded",
        output=[1],
        noop=False,
        policy=PolicyReport(warn_violations=["no-owner"]),
        subject="sha-1",
        metadata={"rows": 3},
    )
    attempt = live(given(flow(group("g", "a")), START, finished), "a")
    assert attempt.result is not None
    assert attempt.result.output.value == [1]
    assert (attempt.result.noop, attempt.result.subject) == (False, "sha-1")
    assert attempt.metadata.value == {
        "rows": 3,
        "deny_violations": [],
        "warn_violations": ["no-owner"],
        "passed_policy_ids": [],
        "directive": "continue",
    }


def test_a_success_has_no_error() -> None:
    """An error that is sent along with a success counts for nothing later."""
    finished = events.StepFinished(
        at_ms=0, attempt="plan#1", outcome="succeeded", error=StepError(terminal=True)
    )
    story = given(flow(group("g", PLAN)), START, finished)
    assert live(story, "plan").result == Result()
    given(story.state, answered("plan", "deny")).when(retried("plan")).then_dispatched("plan#2")


def test_a_deny_has_the_error_of_the_policy() -> None:
    """What the work itself said was wrong is not shown in its place (S6.3)."""
    story = given(flow(group("g", "a")), START, succeeded("a#1", policy=DENIED))
    assert live(story, "a").error == StepError(
        message="Denied by policy", type="policy-denied", non_retryable=True
    )
    assert outcome(story) == commands.Outcome(
        status="error", reason="policy-denied", step="a#1", message="Denied by policy"
    )


def test_a_time_out_is_a_failure_of_its_own_kind() -> None:
    """The worker is told to give up, and the error is of the type `timeout` (S5.7)."""
    story = given(flow(group("g", StepSpec(key="a", timeout_ms=70))), START)
    story.when(fired("timeout:a#1", at_ms=70)).then(
        commands.CancelFutures(attempts=("a#1",)),
        commands.FinishFlow(
            outcome=commands.Outcome(
                status="error", reason="timeout", step="a#1", message="Step failed"
            ),
            run=1,
        ),
    )
    late = story.when(fired("timeout:a#1", at_ms=70)).state.live[0]
    assert late.result == Result(error=StepError(message="timeout", type="timeout"))


# --- the directives, in a sequential group ---


def test_a_retry_waits_out_its_backoff() -> None:
    """The new attempt is scheduled, and dispatched when its time has come (S7.1)."""
    slow = RetryPolicy(max_auto_retries=1, backoff_ms=[1000], jitter=False)
    story = given(flow(group("g", StepSpec(key="a", retry=slow), "b")), START)
    story.when(failed("a#1", at_ms=5)).then(
        commands.ScheduleTimer(timer="backoff:a#2", due_at_ms=1005, delay_ms=1000)
    ).then_status("in-progress", **{"a#1": "error", "a#2": "waiting-to-retry"}).when(
        fired("backoff:a#2", at_ms=1005)
    ).then_dispatched("a#2")


def test_a_group_retry_begins_a_generation() -> None:
    """Every step gets a new attempt, and those that never ran are discarded first (section 7)."""
    plain = RetryPolicy(backoff_ms=[])
    steps = [StepSpec(key=key, retry=plain) for key in ("a", "b", "c")]
    story = given(flow(group("g", *steps)), START, succeeded("a#1"))
    again = story.when(failed("b#1", directive="retry-group")).then_dispatched("a#2")
    again.then_status(
        "in-progress", **{"a#1": "success", "b#1": "error", "c#1": "discarded", "b#2": "pending"}
    )
    assert [attempt.generation for attempt in again.state.live] == [1, 1, 1]


def test_the_backoff_of_a_group_is_that_of_who_decided_it() -> None:
    """Policy and error are those of the first attempt that asked for the group (S2.2)."""
    policies = {"a": 100, "b": 200}
    steps = [
        StepSpec(key=key, retry=RetryPolicy(backoff_ms=[wait, 9], jitter=False))
        for key, wait in policies.items()
    ]
    story = given(beside(*steps), START)
    plain = failed("a#1", directive="retry-group")
    patient = failed("b#1", directive="retry-group", error=StepError(retry_after_ms=7000))
    for first, second, wait in ((plain, patient, 100), (patient, plain, 7000)):
        story.when(first).then().when(second).then(
            commands.ScheduleTimer(timer="backoff:g@1", due_at_ms=wait, delay_ms=wait)
        )


def test_skip_group_discards_what_comes_later() -> None:
    """The group is a success, and the flow goes on with the next (section 7)."""
    spec = flow(group("g", "a", "b", "c"), group("h", "d"))
    story = given(spec, START, succeeded("a#1")).when(succeeded("b#1", directive="skip-group"))
    story.then_dispatched("d#1").then_status("in-progress", b="success", c="discarded")


# --- a parallel group: what is not of the group goes on ---


def test_only_its_own_directive_concerns_a_step() -> None:
    """Continue, a retry and a parked failure leave the siblings alone (S7.2)."""
    eager = StepSpec(key="eager", retry=RetryPolicy(max_auto_retries=1, backoff_ms=[]))
    story = given(beside("a", eager, "b", FORGIVEN), START, succeeded("a#1"))
    story.when(failed("eager#1")).then_dispatched("eager#2").when(failed("forgiven#1")).then().when(
        failed("b#1", directive="await-retry")
    ).then().then_status("in-progress", eager="queued", b="error", forgiven="error")


def test_skip_group_spares_what_was_dispatched() -> None:
    """Only siblings that never ran in this generation are discarded (S7.2)."""
    spec = flow(group("g", "a", "b", "c", parallel=True, max_parallel=2), group("h", "later"))
    story = given(spec, START).when(succeeded("a#1", directive="skip-group")).then()
    story.then_status("in-progress", b="queued", c="discarded").when(
        succeeded("b#1")
    ).then_dispatched("later#1")


def test_skip_group_spares_what_waits_for_another_try() -> None:
    """A sibling that was dispatched once in this generation goes on, pending or not."""
    eager = StepSpec(key="b", retry=RetryPolicy(max_auto_retries=1, backoff_ms=[]))
    pause = events.PauseRequested(at_ms=0, by="ann")
    story = given(beside("a", eager), START, pause, failed("b#1"))
    story.when(succeeded("a#1", directive="skip-group")).then_status("paused", b="pending").when(
        events.ResumeRequested(at_ms=0, by="ann")
    ).then_dispatched("b#2")


def test_skip_group_looks_at_this_generation_only() -> None:
    """What ran before its group was retried has not run in this generation."""
    plain = RetryPolicy(backoff_ms=[])
    steps = [StepSpec(key="a", retry=plain), StepSpec(key="b", retry=plain)]
    spec = flow(group("g", *steps, parallel=True, max_parallel=1), group("h", "later"))
    facts = [succeeded("a#1"), failed("b#1", directive="retry-group")]
    story = given(spec, START, *facts).when(succeeded("a#2", directive="skip-group"))
    story.then_dispatched("later#1").then_status("in-progress", b="discarded")


def test_skip_group_discards_earlier_siblings_too() -> None:
    """Also those that a person has planned again and that have not run since."""
    spec = flow(
        group("g", "plan", "apply", "busy", parallel=True),
        options=FlowOptions(on_failure="await-retry"),
    )
    replan = events.RerunRequested(
        at_ms=0, by="ann", flow_id="flow", step_id="apply", stale_plan=True, replan_step_id="plan"
    )
    pause = events.PauseRequested(at_ms=0, by="ann")
    story = given(spec, START, pause, succeeded("plan#1"), failed("apply#1"), replan)
    story.when(succeeded("busy#1", directive="skip-group")).then_status(
        "success", **{"plan#2": "discarded", "apply#2": "discarded"}
    )


def test_a_group_that_is_retried_skips_nothing() -> None:
    """Skip-group is outranked by a group retry, whichever was decided first."""
    spec = flow(group("g", "a", "b", "c", parallel=True, max_parallel=2))
    retry, skip = failed("a#1", directive="retry-group"), succeeded("b#1", directive="skip-group")
    for first, second in ((retry, skip), (skip, retry)):
        story = given(spec, START).when(first).when(second)
        assert [attempt.id for attempt in story.state.live] == ["a#2", "b#2", "c#2"]


# --- a stop, and what comes after it (S7.2) ---


@pytest.mark.parametrize(
    ("late", "status", "directive", "reason"),
    [
        (succeeded("b#1"), "success", "continue", None),
        (succeeded("b#1", directive="skip-group"), "success", "skip-group", None),
        (succeeded("b#1", directive="stop"), "success", "stop", "stopped-by-step"),
        (succeeded("b#1", directive="await-approval"), "discarded", "await-approval", "swept"),
        (succeeded("b#1", directive="retry"), "error", "stop", "failed"),
        (succeeded("b#1", policy=DENIED), "error", "stop", "policy-denied"),
        (failed("b#1"), "error", "stop", "failed"),
        (failed("b#1", directive="retry-group"), "error", "stop", "failed"),
        (failed("b#1", directive="dance"), "error", "stop", "unknown-directive"),
        (
            events.StepFinished(at_ms=0, attempt="b#1", outcome="cancelled"),
            "cancelled",
            "stop",
            "cancelled-externally",
        ),
    ],
)
def test_what_comes_after_a_stop_starts_nothing(
    late: events.StepFinished, status: str, directive: str, reason: str | None
) -> None:
    """A failure is a stop of its own, a success keeps its directive, and nothing is applied."""
    stopped = given(beside("a", "b"), START, failed("a#1"))
    story = given(stopped.state, late)
    told = live(story, "b")
    assert (told.status, told.directive, told.reason) == (status, directive, reason)
    assert outcome(story).step == "a#1"
    assert live(story, "later").status == "not-attempted"


@pytest.mark.parametrize("directive", [None, "skip-group", "stop", "await-approval"])
def test_a_plan_that_comes_after_a_stop_is_discarded(directive: str | None) -> None:
    """Nobody is asked about it, and a rerun plans again (S10.5)."""
    story = given(beside("a", PLAN), START, failed("a#1"))
    late = story.when(succeeded("plan#1", directive=directive)).then_status(
        "error", plan="discarded"
    )
    late.when(retried("a")).then_dispatched("a#2", "plan#2")


def test_a_stop_sweeps_whatever_does_not_run() -> None:
    """Pending, waiting, parked and asked: all are discarded, and their timers cancelled."""
    slow = StepSpec(key="slow", retry=RetryPolicy(max_auto_retries=1, backoff_ms=[9], jitter=False))
    asked = StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=70))
    spec = flow(
        group("g", "a", slow, asked, "parked", "b", parallel=True, max_parallel=4),
        options=FlowOptions(cancel_grace_ms=5),
    )
    facts = [failed("slow#1"), succeeded("plan#1"), failed("parked#1", directive="await-retry")]
    pause = events.PauseRequested(at_ms=0, by="ann")
    story = given(spec, START, pause, *facts).when(failed("a#1", directive="stop"))
    assert story.commands[:2] == (
        commands.CancelTimer(timer="backoff:slow#2"),
        commands.CancelTimer(timer="approval:plan#1"),
    )
    story.then_status(
        "error", slow="discarded", plan="discarded", parked="discarded", b="discarded"
    )


def test_with_fail_fast_a_stop_tells_the_others_to_give_up() -> None:
    """Their cancel counts as swept by the stop; another outcome counts as it is (S7.2)."""
    stopped = given(beside("a", "b", "c", fail_fast=True), START).when(failed("a#1"))
    stopped.then(commands.CancelFutures(attempts=("b#1", "c#1")))
    told = events.StepFinished(at_ms=0, attempt="b#1", outcome="cancelled")
    story = given(stopped.state, told, failed("c#1"))
    assert (live(story, "b").status, live(story, "b").reason) == ("cancelled", "fail-fast")
    assert (live(story, "c").status, live(story, "c").reason) == ("error", "failed")
    story.when(retried("a")).then_dispatched("a#2", "b#2", "c#2")


def test_with_fail_fast_and_nobody_else_at_work_nobody_is_told() -> None:
    """A stop of the last one that runs just ends the flow."""
    story = given(beside("a", "b", fail_fast=True), START, succeeded("b#1")).when(failed("a#1"))
    assert [type(command) for command in story.commands] == [commands.FinishFlow]


def test_a_group_is_stopped_once() -> None:
    """Whoever fails after a stop stops nothing, so that a second one is a bug."""
    stopped = given(beside("a", "b"), START, failed("a#1"))
    with pytest.raises(AssertionError, match=r"^a group is stopped once$"):
        stop_group(Draft.of(stopped.state, 0), 1, AttemptStatus.ERROR, "failed")


# --- a group retry that waits for its siblings (S7.2) ---


@pytest.mark.parametrize(
    ("late", "status", "directive"),
    [
        (succeeded("b#1"), "success", "continue"),
        (succeeded("b#1", directive="skip-group"), "success", "skip-group"),
        (succeeded("b#1", directive="await-approval"), "discarded", "await-approval"),
        (failed("b#1", directive="retry"), "error", "retry-group"),
        (failed("b#1", directive="await-retry"), "error", "retry-group"),
        (failed("b#1", directive="retry-group"), "error", "retry-group"),
    ],
)
def test_what_comes_before_a_group_retry_joins_it(
    late: events.StepFinished, status: str, directive: str
) -> None:
    """A failure takes the directive of the group, a success its own; then the group is retried."""
    story = given(beside("a", "b"), START, failed("a#1", directive="retry-group"), late)
    told = story.state.attempt("b#1")
    assert told is not None
    assert (told.status, told.directive) == (status, directive)
    assert [attempt.id for attempt in story.state.live_of(0)] == ["a#2", "b#2"]


def test_a_forgiven_failure_joins_no_group_retry() -> None:
    """It continues, and is tried again with the group all the same."""
    story = given(beside("a", FORGIVEN), START, failed("a#1", directive="retry-group"))
    told = given(story.state, failed("forgiven#1")).state.attempt("forgiven#1")
    assert told is not None
    assert (told.status, told.directive) == ("error", "continue")


@pytest.mark.parametrize(
    "stop",
    [
        failed("b#1"),
        failed("b#1", directive="stop"),
        succeeded("b#1", directive="stop"),
        succeeded("b#1", policy=DENIED),
        events.StepFinished(at_ms=0, attempt="b#1", outcome="cancelled"),
    ],
)
def test_a_stop_overrides_a_group_retry(stop: events.StepFinished) -> None:
    """Who wanted the retry stops as well, so that a rerun takes it along; the stop has the name."""
    story = given(beside("a", PLAN, "b"), START, failed("a#1", directive="retry-group"))
    story = given(story.state, succeeded("plan#1"), stop)
    assert outcome(story).step == "b#1"
    assert (live(story, "a").status, live(story, "a").directive) == ("error", "stop")
    assert live(story, "plan").status == "discarded"
    assert live(story, "plan").swept


def test_a_plan_that_comes_before_a_group_retry_is_overtaken() -> None:
    """No stop put an end to it: it was discarded, since the group plans anew."""
    story = given(beside("a", PLAN), START, failed("a#1", directive="retry-group"))
    told = given(story.state, succeeded("plan#1")).state.attempt("plan#1")
    assert told is not None
    assert (told.status, told.reason) == ("discarded", "overtaken")


def test_a_group_that_waits_is_not_retried_again() -> None:
    """Nothing of it is active or parked, so that nobody can ask for it: it would be a bug."""
    slow = StepSpec(key="slow", retry=RetryPolicy(backoff_ms=[9], jitter=False))
    waiting = given(beside(slow), START, failed("slow#1", directive="retry-group"))
    with pytest.raises(AssertionError, match=r"^a group that waits has nothing to be retried$"):
        retry_group(Draft.of(waiting.state, 0))


def test_nothing_starts_while_a_group_retry_waits() -> None:
    """Neither a sibling that has not run yet, nor one whose backoff is over."""
    slow = StepSpec(key="slow", retry=RetryPolicy(max_auto_retries=1, backoff_ms=[9], jitter=False))
    spec = flow(group("g", slow, "a", "b", "c", parallel=True, max_parallel=3))
    story = given(spec, START, failed("slow#1"), failed("a#1", directive="retry-group"))
    waiting = story.when(fired("backoff:slow#2", at_ms=9)).then_dispatched()
    assert [attempt.id for attempt in waiting.state.live] == ["slow#2", "a#1", "b#1", "c#1"]


# --- what comes too late can be read all the same ---

SAID: Final = StepError(message="out of disk")
LATE: Final[dict[str, list[Event]]] = {
    "a cancel": [START, cancelled()],
    "a stop": [START, failed("a#1")],
    "a group retry": [START, failed("a#1", directive="retry-group")],
}


@pytest.mark.parametrize("after", LATE)
@pytest.mark.parametrize(
    ("key", "outcome", "error"),
    [
        ("b", "succeeded", None),
        ("plan", "succeeded", None),
        ("forgiven", "failed", SAID),
        ("b", "failed", SAID),
        ("b", "cancelled", SAID),
    ],
)
def test_late_work_leaves_its_result_behind(
    after: str, key: str, outcome: Literal["succeeded", "failed", "cancelled"], error: StepError
) -> None:
    """Output, metadata and error are kept, but for an error that came with a success."""
    late = events.StepFinished(
        at_ms=0, attempt=f"{key}#1", outcome=outcome, output=[7], error=SAID, metadata={"rows": 3}
    )
    spec = beside("a", "b", PLAN, FORGIVEN, fail_fast=True)
    told = given(spec, *LATE[after], late).state.attempt(f"{key}#1")
    assert told is not None
    assert told.result == Result(output=freeze([7]), error=error, metadata=freeze({"rows": 3}))


# --- while a cancel is carried out (S9.3) ---


@pytest.mark.parametrize(
    ("late", "status"),
    [
        (succeeded("plan#1"), "cancelled"),
        (succeeded("plan#1", directive="stop"), "cancelled"),
        (failed("plan#1", directive="retry"), "error"),
        (events.StepFinished(at_ms=0, attempt="plan#1", outcome="cancelled"), "cancelled"),
    ],
)
def test_only_the_outcome_counts_while_a_flow_is_cancelled(
    late: events.StepFinished, status: str
) -> None:
    """A plan is never a success then; directive, no-op and policy are not looked at."""
    story = given(flow(group("g", PLAN, "apply")), START, cancelled(), late)
    assert (live(story, "plan").status, live(story, "plan").directive) == (status, "stop")
    assert story.state.status == "cancelled"


@pytest.mark.parametrize(
    "late",
    [
        succeeded("noop#1", noop=True),
        succeeded("noop#1", directive="retry"),
        succeeded("noop#1", policy=DENIED),
        succeeded("noop#1", directive="dance"),
    ],
)
def test_a_success_is_a_success_while_a_flow_is_cancelled(late: events.StepFinished) -> None:
    """What else was said of it does not count."""
    story = given(flow(group("g", NOOP)), START, cancelled(), late)
    assert (live(story, "noop").status, live(story, "noop").directive) == ("success", "stop")
