"""The reducer as its users meet it: a walk through a flow, and what always holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from conductor_core import (
    ApprovalSpec,
    Directive,
    FlowOptions,
    FlowSpec,
    FlowState,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    commands,
    events,
    initial_state,
    reduce,
)
from conductor_core.codec import EVENTS
from conductor_core.errors import FormatError
from conductor_core.events import Event, PolicyReport, StepError
from conductor_core.payload import EMPTY, freeze
from conductor_core.spec import MOST
from conductor_core.testing import given
from conductor_core.testing.brief import (
    START,
    answered,
    cancelled,
    failed,
    flow,
    group,
    retried,
    succeeded,
)
from conductor_core.verdicts import Accepted, Ignored, Rejected

DEPLOY: Final = FlowSpec(
    type="deploy",
    groups=[
        GroupSpec(
            key="network",
            steps=[
                StepSpec(
                    key="plan",
                    work="terraform-plan",
                    input={"dir": "net"},
                    approval=ApprovalSpec(timeout_ms=60_000),
                    timeout_ms=5_000,
                ),
                StepSpec(key="apply", work="terraform-apply", needs=["plan"]),
            ],
        )
    ],
)
PLAN: Final = commands.DispatchStep(
    attempt="plan#1",
    work="terraform-plan",
    input=freeze({"dir": "net"}),
    outputs=EMPTY,
    subjects=EMPTY,
    idempotency_key="deploy-42/plan#1",
    retry=0,
    generation=0,
    timeout_ms=5_000,
)
APPLY: Final = commands.DispatchStep(
    attempt="apply#1",
    work="terraform-apply",
    input=EMPTY,
    outputs=freeze({"plan": {"add": 3}}),
    subjects=freeze({"plan": "plan-7"}),
    idempotency_key="deploy-42/apply#1",
    retry=0,
    generation=0,
    timeout_ms=None,
)


def test_a_walk_through_a_deploy() -> None:
    """Plan, approve, apply: every command of a flow that goes well."""
    planned = succeeded("plan#1", output={"add": 3}, subject="plan-7", at_ms=3_000)
    story = given(DEPLOY, flow_id="deploy-42").when(START)
    story.then(
        PLAN, commands.ScheduleTimer(timer="timeout:plan#1", due_at_ms=5_000, delay_ms=5_000)
    ).then_status("in-progress", plan="queued", apply="pending").when(planned).then(
        commands.CancelTimer(timer="timeout:plan#1"),
        commands.RequestApproval(
            attempt="plan#1", subject="plan-7", required=1, approvers=None, expires_at_ms=63_000
        ),
        commands.ScheduleTimer(timer="approval:plan#1", due_at_ms=63_000, delay_ms=60_000),
    ).then_status("approval-awaiting", plan="approval-awaiting").when(
        answered("plan", at_ms=40_000)
    ).then(commands.CancelTimer(timer="approval:plan#1"), APPLY).then_status(
        "in-progress", plan="success", apply="queued"
    ).when(succeeded("apply#1", at_ms=50_000)).then(
        commands.FinishFlow(outcome=commands.Outcome(status="success"), run=1)
    ).then_status("success", plan="success", apply="success")


def test_the_end_is_recorded_in_one_go() -> None:
    """Outcome and time of the end come with the event that ended the flow (S3.2)."""
    running = given(flow(group("g", "a")), START)
    assert (running.state.outcome, running.state.finished_at_ms) == (None, None)
    state = running.when(failed("a#1", at_ms=70)).state
    assert state.finished_at_ms == 70
    assert state.outcome == commands.Outcome(
        status="error", reason="failed", step="a#1", message="Step failed"
    )


# --- what does not count changes nothing (S4.1) ---


def test_what_is_ignored_or_rejected_gives_the_very_state_back() -> None:
    """The same object comes back, nothing is commanded, and the verdict says why."""
    state = given(flow(group("g", "a")), START).state
    ignored = reduce(state, START)
    assert ignored.state is state
    assert ignored.commands == ()
    assert ignored.verdict == Ignored("already-started")
    rejected = reduce(state, answered("a"))
    assert rejected.state is state
    assert rejected.commands == ()
    assert rejected.verdict == Rejected("not-awaiting-approval", "'a#1' is queued")


def test_what_counts_leaves_the_state_before_alone() -> None:
    """The old state can still be asked, compared and gone on from."""
    before = initial_state(flow(group("g", "a")), "flow")
    kept = initial_state(flow(group("g", "a")), "flow")
    transition = reduce(before, START)
    assert transition.verdict == Accepted()
    assert transition.state != before
    assert before == kept
    assert hash(before) == hash(kept)
    assert reduce(before, START) == transition


def test_a_verdict_has_a_short_form() -> None:
    """It names what became of the event, and the reason or code."""
    verdicts = [Accepted(), Ignored("no-change"), Rejected("not-failed", "why not")]
    assert [*map(str, verdicts)] == ["accepted", "ignored(no-change)", "rejected(not-failed)"]


@pytest.mark.parametrize(
    "fact",
    [succeeded("a#1"), failed("a#1"), events.StepStarted(at_ms=0, attempt="a#1")],
)
def test_a_fact_that_comes_twice_counts_once(fact: Event) -> None:
    """Hosts deliver at least once; the second time changes nothing (S4.3)."""
    once = given(flow(group("g", "a", "b")), START, fact).state
    assert reduce(once, fact).state is once


# --- ids of requests (S4.5) ---


def pause(request_id: str | None) -> events.PauseRequested:
    """A pause under an id."""
    return events.PauseRequested(at_ms=0, by="ann", request_id=request_id)


def resume(request_id: str | None) -> events.ResumeRequested:
    """A resume under an id."""
    return events.ResumeRequested(at_ms=0, by="ann", request_id=request_id)


def test_a_request_counts_once() -> None:
    """An id that was accepted is ignored from then on, whatever it stands for."""
    story = given(flow(group("g", "a", "b")), START, pause("1"), resume("2"))
    for again in (pause("1"), resume("1"), pause("2")):
        story.when(again).then_ignored("duplicate-request")
    story.when(pause("3")).then().then_status("in-progress")


def test_a_duplicate_is_found_before_anything_else() -> None:
    """Also where another code would apply: the flow is over, or the request was wrong."""
    ended = given(flow(group("g", "a")), START, pause("1"), succeeded("a#1"))
    ended.when(pause("1")).then_ignored("duplicate-request")
    ended.when(pause("2")).then_rejected("flow-finished")


def test_only_accepted_requests_are_remembered() -> None:
    """What was rejected or ignored may be sent again under its id."""
    story = given(flow(group("g", "a", "b"))).when(pause("1")).then_rejected("not-started")
    story.when(START).when(resume("1")).then_ignored("no-change").when(pause("1")).then()


def test_requests_without_an_id_are_not_remembered() -> None:
    """They count as often as they make sense."""
    story = given(flow(group("g", "a")), START, pause(None), resume(None), pause(None))
    assert story.state.request_ids == ()


def test_the_last_256_are_remembered() -> None:
    """The oldest id is forgotten when one more comes."""
    state = given(flow(group("g", "a")), START).state
    for number in range(256):
        request = pause(f"{number}") if number % 2 == 0 else resume(f"{number}")
        state = given(state, request).state
    given(state).when(pause("0")).then_ignored("duplicate-request")
    given(state, pause("256")).when(resume("1")).then_ignored("duplicate-request")
    given(state, pause("256")).when(resume("0")).then()


def test_the_memory_outlasts_the_end_of_a_flow() -> None:
    """A request that revived a flow revives it once."""
    again = events.RerunRequested(
        at_ms=0, by="ann", flow_id="flow", step_id="a", request_id="again"
    )
    revived = given(flow(group("g", "a")), START, failed("a#1"), again, failed("a#2"))
    revived.when(again).then_ignored("duplicate-request")


# --- totality: nothing that may be sent raises ---

NAMES: Final = ["", "#", "a", "a#", "a#1", "a#1#1", "g", "x", "\x00", "é" * 500, "#1", "@", "b#1"]
TIMES: Final = [-(10**30), -1, 0, 10**30]
SPEC: Final = flow(
    group(
        "g",
        StepSpec(key="a", approval=ApprovalSpec(stale_after_ms=5, timeout_ms=9), timeout_ms=3),
        StepSpec(key="b", retry=RetryPolicy(max_auto_retries=2)),
        parallel=True,
    ),
    group("h", "c"),
    options=FlowOptions(on_failure="await-retry", continue_as_new_every=1),
)
STATES: Final[dict[str, list[Event]]] = {
    "pending": [],
    "running": [START],
    "awaiting": [START, succeeded("a#1")],
    "waiting": [START, failed("b#1")],
    "parked": [START, failed("a#1")],
    "stopping": [START, failed("a#1", directive="stop")],
    "retrying": [START, failed("a#1", directive="retry-group")],
    "continuing": [START, succeeded("a#1"), answered("a"), succeeded("b#1")],
    "cancelling": [START, cancelled()],
    "stopped": [START, failed("a#1", directive="stop"), failed("b#1")],
    "cancelled": [cancelled()],
    "revived": [START, failed("a#1", directive="stop"), failed("b#1"), retried("a")],
}


def odd_events(name: str, at_ms: int) -> list[Event]:
    """One event of every class that says something odd."""
    error = StepError(
        message=name, terminal=True, cause=StepError(retry_after_ms=min(abs(at_ms), MOST))
    )
    denied = PolicyReport(deny_violations=[name], evaluated=False)
    who: dict[str, Any] = {"at_ms": at_ms, "by": name}
    return [
        events.FlowStarted(at_ms=at_ms),
        events.GroupsGenerated(at_ms=at_ms, groups=[group(name), group(name, name, name)]),
        events.GenerationFailed(at_ms=at_ms, error=error),
        events.StepStarted(at_ms=at_ms, attempt=name),
        events.StepFinished(
            at_ms=at_ms, attempt=name, outcome="failed", directive=name, error=error, policy=denied
        ),
        events.TimerFired(at_ms=at_ms, timer=f"timeout:{name}"),
        events.ContinueAsNewSuggested(at_ms=at_ms, incarnation=at_ms),
        events.ContinuedAsNew(at_ms=at_ms, incarnation=at_ms),
        events.ApprovalResponded(**who, step=name, response=name, subject=name),
        events.ApprovalOptionChanged(**who, option=name),
        events.CancelRequested(**who, step=name, group=name, reason=name),
        events.RerunRequested(
            **who,
            flow_id="flow",
            step_id=name,
            stale_plan=True,
            replan_step_id=name,
            additional_skip_step_ids=[name, name],
        ),
        events.GroupRetryRequested(**who, group=name),
        events.RetryNowRequested(**who, step=name),
        events.PauseRequested(**who),
        events.ResumeRequested(**who),
        events.AppendRequested(**who, groups=[group(name, name)]),
    ]


@pytest.mark.parametrize("state", STATES)
def test_nothing_that_may_be_sent_raises(state: str) -> None:
    """Any event in any state has a verdict, however odd its names and times."""
    before = given(SPEC, *STATES[state]).state
    for name in NAMES:
        for at_ms in TIMES:
            for event in odd_events(name, at_ms):
                transition = reduce(before, event)
                counts = transition.verdict == Accepted()
                assert (transition.state is before) != counts
                assert reduce(before, event) == transition


def test_odd_events_are_of_every_class() -> None:
    """No class of event goes untried."""
    assert [type(event) for event in odd_events("a", 0)] == list(EVENTS.values())


def test_a_clock_that_goes_back_asks_for_no_negative_delay() -> None:
    """A timer that is due already is due at once (S4.3)."""
    state: FlowState = given(SPEC, START, succeeded("a#1", at_ms=10)).state
    suggested = events.ContinueAsNewSuggested(at_ms=10, incarnation=0)
    done = failed("b#1", error=StepError(non_retryable=True), at_ms=10)
    late = events.ContinuedAsNew(at_ms=99, incarnation=0)
    given(state, suggested, done).when(late).then(
        commands.ScheduleTimer(timer="approval:a#1", due_at_ms=19, delay_ms=0)
    )


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: StepError(retry_after_ms=-1), "retry_after_ms: expected an integer from 0 to"),
        (lambda: StepError(retry_after_ms=1 << 60), "retry_after_ms: expected an integer from 0"),
        (lambda: chained(21), "cause: more than 20 errors follow from one another"),
        (lambda: PolicyReport(deny_violations=["\ud800"]), "deny_violations: '.ud800' holds a"),
        (lambda: succeeded("a#1", subject="\ud800"), "subject: '.ud800' holds a lone surrogate"),
        (lambda: described([1]), r"metadata: expected a mapping, got \[1\]"),
    ],
)
def test_what_no_log_could_hold_is_no_event(build: Callable[[], object], text: str) -> None:
    """A fact that could be accepted can be written down, and used in what follows (S1.5)."""
    with pytest.raises(FormatError, match=text):
        build()


def described(metadata: Any) -> events.StepFinished:
    """A success that says something of itself."""
    return events.StepFinished(at_ms=0, attempt="a#1", outcome="succeeded", metadata=metadata)


def chained(length: int) -> StepError:
    """An error at the end of a chain of causes."""
    error = StepError(message="1")
    for number in range(2, length + 1):
        error = StepError(message=str(number), cause=error)
    return error


def test_a_directive_may_be_given_as_one() -> None:
    """The enumeration that is exported goes into an event as well as its word does."""
    event = succeeded("a#1", directive=Directive.SKIP_GROUP)
    assert event == succeeded("a#1", directive="skip-group")
    assert type(event.directive) is str
    assert chained(20).cause == chained(19)
