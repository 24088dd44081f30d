"""What a rerun that may be does (S10.2 to S10.8)."""

from __future__ import annotations

from typing import Any, Final

import pytest
from attrs import evolve

from conductor_core import ApprovalSpec, FlowOptions, RetryPolicy, StepSpec, events
from conductor_core.attempt import Attempt
from conductor_core.commands import CancelTimer, ScheduleTimer
from conductor_core.events import Event, PolicyReport
from conductor_core.testing import Given, When, given
from conductor_core.testing.brief import (
    START,
    answered,
    failed,
    flow,
    group,
    retried,
    skipped,
    succeeded,
)

PARKING: Final = FlowOptions(on_failure="await-retry")
PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec())
FREE: Final = StepSpec(key="plan", approval=ApprovalSpec(skip_scope="step"))
DENIED: Final = PolicyReport(deny_violations=["no-public-bucket"])
PAUSE: Final = events.PauseRequested(at_ms=0, by="ann")
RESUME: Final = events.ResumeRequested(at_ms=0, by="ann")


def attempt(story: Given | When, attempt_id: str) -> Attempt:
    """An attempt of a flow."""
    found = story.state.attempt(attempt_id)
    assert found is not None
    return found


def chosen(story: Given | When, attempt_id: str) -> tuple[str, str | None]:
    """Status and directive of an attempt."""
    told = attempt(story, attempt_id)
    return told.status.value, told.directive


def replanned(step: str, plan: str, **others: Any) -> events.RerunRequested:
    """Somebody retries a step from its plan on."""
    return events.RerunRequested(
        at_ms=0,
        by="ann",
        flow_id="flow",
        step_id=step,
        stale_plan=True,
        replan_step_id=plan,
        **others,
    )


def group_retried(at_ms: int = 0) -> events.GroupRetryRequested:
    """Somebody retries the group."""
    return events.GroupRetryRequested(at_ms=at_ms, by="ann", group="g")


# --- retry of one step (S10.2) ---


def test_a_parked_step_is_retried_at_once() -> None:
    """Whatever its backoff; what was parked is discarded, and the budget is charged."""
    slow = StepSpec(key="a", retry=RetryPolicy(backoff_ms=[99], jitter=False))
    parked = given(flow(group("g", slow, "b"), options=PARKING), START, failed("a#1"))
    again = parked.when(retried("a")).then_dispatched("a#2")
    assert chosen(again, "a#1") == ("discarded", "retry")
    assert (attempt(again, "a#2").retry, attempt(again, "a#2").generation) == (1, 0)
    assert again.state.run == 1


def test_on_a_parked_flow_only_the_named_step_is_concerned() -> None:
    """Other parked failures stay as they are (S10.5)."""
    spec = flow(group("g", "a", "b", parallel=True), options=PARKING)
    story = given(spec, START, failed("a#1"), failed("b#1")).when(retried("b"))
    story.then_dispatched("b#2").then_status("in-progress", a="error")


def test_a_stopped_flow_lives_again() -> None:
    """Outcome and end are cleared, the run is a new one, and what was swept is pending (S10.5)."""
    spec = flow(group("g", "a", "b"), group("h", "c"))
    stopped = given(spec, START, failed("a#1"))
    revived = stopped.when(retried("a")).then_dispatched("a#2")
    revived.then_status("in-progress", **{"a#1": "discarded", "b#1": "pending", "c#1": "pending"})
    assert revived.state.outcome is None
    assert revived.state.finished_at_ms is None
    assert (revived.state.run, revived.state.stop) == (2, None)
    assert attempt(revived, "b#1") == Attempt("b")


def test_a_flow_may_be_revived_again_and_again() -> None:
    """Each end has its own run."""
    story = given(flow(group("g", "a")), START, failed("a#1"))
    for n in range(2, 6):
        again = story.when(retried("a")).then_dispatched(f"a#{n}")
        assert again.state.run == n
        story = given(again.state, failed(f"a#{n}"))


@pytest.mark.parametrize(
    ("step", "history", "told"),
    [
        (PLAN, [succeeded("plan#1"), answered("plan", "deny")], "plan"),
        (
            "a",
            [events.StepFinished(at_ms=0, attempt="a#1", outcome="cancelled")],
            "a",
        ),
        ("a", [failed("a#1", directive="stop")], "a"),
    ],
)
def test_what_held_the_flow_up_is_discarded(
    step: StepSpec | str, history: list[Event], told: str
) -> None:
    """A denied plan, an external cancel and an error alike get the directive retry (S10.2)."""
    story = given(flow(group("g", step)), START, *history).when(retried(told))
    story.then_dispatched(f"{told}#2")
    assert chosen(story, f"{told}#1") == ("discarded", "retry")


# --- who else was concerned by the stop (S10.5) ---


def test_a_sibling_that_ran_and_was_swept_runs_again_free_of_charge() -> None:
    """It did nothing wrong: neither its retries nor its generation grow."""
    slow = StepSpec(key="slow", retry=RetryPolicy(max_auto_retries=9, backoff_ms=[9], jitter=False))
    spec = flow(group("g", "a", PLAN, slow, "parked", parallel=True))
    facts: list[Event] = [
        succeeded("plan#1"),
        failed("slow#1"),
        failed("parked#1", directive="await-retry"),
    ]
    stopped = given(spec, START, *facts, failed("a#1"))
    again = stopped.when(retried("a")).then_dispatched("a#2", "plan#2", "slow#2", "parked#2")
    assert [told.retry for told in again.state.live] == [1, 0, 1, 0]
    assert chosen(again, "plan#1") == ("discarded", "await-approval")
    assert chosen(again, "parked#1") == ("discarded", "await-retry")


def test_whoever_decided_stop_as_well_is_retried_along() -> None:
    """A success that stopped is kept as one and tried again, charged like the others."""
    spec = flow(group("g", "a", "b", StepSpec(key="c", approval=ApprovalSpec()), parallel=True))
    facts: list[Event] = [
        failed("a#1"),
        succeeded("b#1", directive="stop"),
        succeeded("c#1", directive="stop"),
    ]
    again = given(spec, START, *facts).when(retried("a")).then_dispatched("a#2", "b#2", "c#2")
    assert chosen(again, "a#1") == ("discarded", "retry")
    assert chosen(again, "b#1") == ("success", "retry")
    assert chosen(again, "c#1") == ("discarded", "stop")
    assert [told.retry for told in again.state.live] == [1, 1, 0]


def test_whoever_was_skipped_by_a_stop_stays_skipped() -> None:
    """A person chose so, before the flow was revived."""
    spec = flow(group("g", PLAN, "a", "b", parallel=True))
    stop: list[Event] = [
        succeeded("plan#1"),
        answered("plan", "skip-current-and-dependents"),
        failed("a#1"),
        succeeded("b#1"),
    ]
    story = given(spec, START, *stop).when(retried("a")).then_dispatched("a#2")
    story.then_status("in-progress", plan="user-skipped", b="success")


# --- replan (S10.3) ---


def test_a_replan_runs_from_the_plan_to_the_target_again() -> None:
    """In order and in a new generation; the steps before and after are left alone."""
    spec = flow(group("g", "before", PLAN, "apply", "after"), group("h", "c"))
    facts: list[Event] = [
        succeeded("before#1"),
        succeeded("plan#1"),
        answered("plan"),
        failed("apply#1"),
    ]
    story = given(spec, START, *facts).when(replanned("apply", "plan")).then_dispatched("plan#2")
    story.then_status(
        "in-progress",
        before="success",
        **{"plan#1": "success", "apply#1": "discarded", "apply#2": "pending", "after#1": "pending"},
    )
    assert [told.generation for told in story.state.live] == [0, 1, 1, 0, 0]
    assert [told.retry for told in story.state.live] == [0, 0, 0, 0, 0]
    again = story.when(succeeded("plan#2")).when(answered("plan")).then_dispatched("apply#2")
    again.when(succeeded("apply#2")).then_dispatched("after#1")


def test_replans_are_charged_to_the_group() -> None:
    """A later group retry counts on from their generation (S10.3)."""
    spec = flow(group("g", "plan", "apply"), options=PARKING)
    parked = given(spec, START, succeeded("plan#1"), failed("apply#1"))
    replan: list[Event] = [replanned("apply", "plan"), succeeded("plan#2"), failed("apply#2")]
    story = given(parked.state, *replan).when(group_retried())
    assert [told.generation for told in story.state.live] == [2, 2]


def test_a_replan_takes_along_what_else_stopped_the_group() -> None:
    """Outside the span a decider is retried on its own."""
    spec = flow(group("g", "plan", "apply", "b", parallel=True))
    stopped = given(spec, START, succeeded("plan#1"), failed("apply#1"), failed("b#1"))
    again = stopped.when(replanned("apply", "plan")).then_dispatched("plan#2", "apply#2", "b#2")
    assert [(told.generation, told.retry) for told in again.state.live] == [(1, 0), (1, 0), (0, 1)]


def test_a_replan_of_what_waits_ends_the_wait() -> None:
    """A step of the span that waits or is asked is discarded with its timer."""
    slow = StepSpec(key="slow", retry=RetryPolicy(max_auto_retries=9, backoff_ms=[9], jitter=False))
    spec = flow(group("g", slow, PLAN, "apply", parallel=True), options=PARKING)
    story = given(spec, START, failed("slow#1"), succeeded("plan#1"), failed("apply#1"))
    again = story.when(replanned("apply", "slow")).then_dispatched("slow#3", "plan#2", "apply#2")
    assert again.commands[0] == CancelTimer(timer="backoff:slow#2")
    assert chosen(again, "slow#2") == ("discarded", None)
    assert chosen(again, "plan#1") == ("discarded", "retry")


# --- skip (S10.4) ---


def test_a_parked_step_is_skipped() -> None:
    """The flow goes on after it, and its directive is continue."""
    parked = given(flow(group("g", "a", "b"), options=PARKING), START, failed("a#1"))
    story = parked.when(skipped("a")).then_dispatched("b#1")
    told = attempt(story, "a#1")
    assert (told.status, told.directive, told.reason) == (
        "user-skipped",
        "continue",
        "skipped-by-user",
    )


def test_a_stopped_flow_goes_on_after_what_is_skipped() -> None:
    """What was swept is pending again, and what is skipped along is skipped (S10.4, S10.5)."""
    spec = flow(group("g", "a", "b", "c"), group("h", "d", "e"))
    stopped = given(spec, START, failed("a#1"))
    story = stopped.when(skipped("a", "b", "d#1")).then_dispatched("c#1")
    story.then_status("in-progress", b="user-skipped", d="user-skipped", e="pending")
    story.when(succeeded("c#1")).then_dispatched("e#1")


def test_a_step_may_be_retried_while_others_are_skipped() -> None:
    """The retry runs, and the others never do."""
    spec = flow(group("g", "a", "b"), group("h", "c"))
    story = given(spec, START, failed("a#1")).when(
        events.RerunRequested(
            at_ms=0, by="ann", flow_id="flow", step_id="a", additional_skip_step_ids=["b", "c"]
        )
    )
    story.then_dispatched("a#2").when(succeeded("a#2")).then_status(
        "success", b="user-skipped", c="user-skipped"
    )


def test_a_retry_of_the_group_skips_along_in_its_new_generation() -> None:
    """What is named is skipped in the attempt that is live then."""
    whole = StepSpec(key="a", retry=RetryPolicy(scope="group"))
    story = given(flow(group("g", whole, "b")), START, failed("a#1")).when(
        events.RerunRequested(
            at_ms=0, by="ann", flow_id="flow", step_id="a", additional_skip_step_ids=["b"]
        )
    )
    story.then_dispatched("a#2").then_status("in-progress", **{"b#2": "user-skipped"})


@pytest.mark.parametrize(
    ("step", "history", "skips_group"),
    [
        (PLAN, [succeeded("plan#1"), answered("plan", "deny")], True),
        (FREE, [succeeded("plan#1"), answered("plan", "deny")], False),
        (PLAN, [succeeded("plan#1", policy=DENIED)], True),
        (FREE, [succeeded("plan#1", policy=DENIED)], False),
        (StepSpec(key="plan"), [succeeded("plan#1", policy=DENIED)], True),
        (PLAN, [failed("plan#1")], False),
    ],
)
def test_what_nobody_approved_is_never_applied(
    step: StepSpec, history: list[Event], skips_group: bool
) -> None:
    """A refused plan is skipped with its skip scope, a plan that just failed alone (S10.4)."""
    spec = flow(group("g", step, "apply"), group("h", "later"))
    story = given(spec, START, *history).when(skipped("plan"))
    story.then_dispatched("later#1" if skips_group else "apply#1")
    directive = "skip-group" if skips_group else "continue"
    assert chosen(story, "plan#1") == ("user-skipped", directive)


def test_a_refused_plan_that_is_skipped_along_skips_its_dependents() -> None:
    """Also in a parallel group, where later siblings that never started are skipped (S8.9)."""
    spec = flow(group("g", "a", PLAN, "b", parallel=True, max_parallel=2), group("h", "later"))
    stopped = given(
        spec, START, PAUSE, succeeded("plan#1"), answered("plan", "deny"), failed("a#1")
    )
    story = stopped.when(skipped("a", "plan")).then_status(
        "paused", a="user-skipped", plan="user-skipped", b="user-skipped"
    )
    story.when(RESUME).then_dispatched("later#1")


# --- retry of the group (S10.8) ---


def test_a_plan_that_is_skipped_in_a_new_generation_spares_what_comes_before_it() -> None:
    """Only what would have followed from the plan is skipped with it (S8.9)."""
    plan = evolve(PLAN, retry=RetryPolicy(scope="group"))
    spec = flow(group("g", "a", plan, "apply"), group("h", "later"))
    denied = given(spec, START, succeeded("a#1"), succeeded("plan#1"), answered("plan", "deny"))
    again = evolve(retried("plan"), additional_skip_step_ids=("plan",))
    story = denied.when(again).then_dispatched("a#2")
    story.then_status("in-progress", plan="user-skipped", apply="user-skipped")
    story.when(succeeded("a#2")).then_dispatched("later#1")


def test_a_flow_that_is_revived_does_without_nothing() -> None:
    """What a skip-group had discarded before it stopped is not remembered (S7.2)."""
    spec = flow(group("g", "a", "b", "c", parallel=True, max_parallel=2))
    skip = succeeded("a#1", directive="skip-group")
    stopped = given(spec, START, skip, failed("b#1"))
    assert stopped.state.skipping is True
    for again in (retried("b"), replanned("b", "b")):
        assert given(stopped.state, again).state.skipping is False


def test_a_group_is_retried_without_a_wait() -> None:
    """A person does not wait; failures are discarded, successes stay what they were."""
    spec = flow(group("g", "a", "b", "c"), group("h", "d"))
    stopped = given(spec, START, succeeded("a#1"), failed("b#1"))
    story = stopped.when(group_retried()).then_dispatched("a#2")
    story.then_status(
        "in-progress",
        **{"a#1": "success", "b#1": "discarded", "c#1": "discarded", "c#2": "pending"},
        d="pending",
    )
    assert chosen(story, "b#1") == ("discarded", "retry-group")
    assert [told.generation for told in story.state.live] == [1, 1, 1, 0]
    assert story.state.run == 2


def test_a_group_that_awaits_approval_is_retried() -> None:
    """The open approval is discarded with its timer, and so is every wait in the group."""
    plan = StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=70))
    slow = StepSpec(key="slow", retry=RetryPolicy(max_auto_retries=9, backoff_ms=[9], jitter=False))
    spec = flow(group("g", plan, slow, parallel=True))
    asked = given(spec, START, succeeded("plan#1"), failed("slow#1")).when(group_retried())
    assert asked.commands[:2] == (
        CancelTimer(timer="approval:plan#1"),
        CancelTimer(timer="backoff:slow#2"),
    )
    asked.then_dispatched("plan#2", "slow#3")
    assert chosen(asked, "plan#1") == ("discarded", "retry-group")


def test_a_success_that_stopped_its_group_is_retried_with_it() -> None:
    """Its directive is what the person chose, its status stays (section 6)."""
    story = given(flow(group("g", "a")), START, succeeded("a#1", directive="stop"))
    again = story.when(group_retried()).then_dispatched("a#2")
    assert chosen(again, "a#1") == ("success", "retry-group")


def test_retries_of_a_group_are_counted_together() -> None:
    """After that of a person the next one of a worker is the second, and waits as such."""
    policy = RetryPolicy(scope="group", backoff_ms=[100, 300], jitter=False)
    spec = flow(group("g", StepSpec(key="a", retry=policy), "b"))
    stopped = given(spec, START, failed("a#1"))
    again = stopped.when(retried("a")).then_dispatched("a#2")
    again.when(failed("a#2", directive="retry-group", at_ms=6)).then(
        ScheduleTimer(timer="backoff:g@2", due_at_ms=306, delay_ms=300)
    )
