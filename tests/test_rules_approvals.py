"""When people are asked (S8.1 to S8.4), and what their answers lead to (S8.5 to S8.16)."""

from __future__ import annotations

from typing import Any, Final

import pytest

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    RetryPolicy,
    StepSpec,
    commands,
    events,
)
from conductor_core.attempt import Answer, Approval
from conductor_core.draft import Answered, Draft
from conductor_core.events import PolicyReport
from conductor_core.rules.approvals import settle_answer
from conductor_core.testing import Given, When, given
from conductor_core.testing.brief import START, answered, failed, fired, flow, group, succeeded

PROMPT: Final = FlowOptions()
ALL: Final = FlowOptions(approval="approve-all")
TEN: Final = RetryPolicy()
PASSED: Final = PolicyReport(passed_policy_ids=["cost"])
UNSEEN: Final = PolicyReport(evaluated=False)
RESUME: Final = events.ResumeRequested(at_ms=0, by="ann")
PAUSE: Final = events.PauseRequested(at_ms=0, by="ann")


def plan(key: str = "plan", *, retry: RetryPolicy = TEN, **approval: Any) -> StepSpec:
    """A step that plans."""
    return StepSpec(key=key, approval=ApprovalSpec(**approval), retry=retry)


def planned(
    step: StepSpec, *, options: FlowOptions = PROMPT, policy: PolicyReport | None = None
) -> When:
    """The plan of a flow comes in; its use would come next."""
    spec = flow(group("g", step, "apply", "check"), group("h", "later"), options=options)
    return given(spec, START).when(succeeded("plan#1", policy=policy, subject="plan-7"))


def option(value: str) -> events.ApprovalOptionChanged:
    """Somebody changes the approval option."""
    return events.ApprovalOptionChanged(at_ms=0, option=value, by="ann")


def approval_of(story: Given | When) -> Approval | None:
    """The approval of the plan."""
    return story.state.live[0].approval


def ended(reason: str, message: str, *, exhausted: bool = False) -> commands.FinishFlow:
    """The plan ended the flow in error."""
    outcome = commands.Outcome(
        status="error",
        reason=reason,
        step="plan#1",
        message=message,
        retries_exhausted=exhausted,
    )
    return commands.FinishFlow(outcome=outcome, run=1)


# --- who is asked ---

RELIES: Final = plan(auto_approve_on_policy_pass=True)


@pytest.mark.parametrize(
    ("step", "options", "policy", "automatic"),
    [
        (plan(), PROMPT, None, None),
        (plan(), PROMPT, PASSED, None),
        (RELIES, PROMPT, None, None),
        (RELIES, PROMPT, PASSED, "policy"),
        (RELIES, PROMPT, UNSEEN, None),
        (RELIES, ALL, PASSED, "policy"),
        (RELIES, ALL, UNSEEN, None),
        (RELIES, ALL, None, "approve-all"),
        (plan(), ALL, None, "approve-all"),
        (plan(), ALL, PASSED, "approve-all"),
        (plan(), ALL, UNSEEN, None),
    ],
)
def test_what_needs_no_person_asks_none(
    step: StepSpec, options: FlowOptions, policy: PolicyReport | None, automatic: str | None
) -> None:
    """A policy that could not be evaluated outranks a pass, and that the option (S8.1 to S8.4)."""
    story = planned(step, options=options, policy=policy)
    decided = approval_of(story)
    assert decided is not None
    assert decided.automatic == automatic
    if automatic is None:
        story.then_dispatched().then_status("approval-awaiting", plan="approval-awaiting")
    else:
        story.then_dispatched("apply#1").then_status("in-progress", plan="success")


def test_people_are_asked_with_all_they_need_to_know() -> None:
    """Subject, number and names of approvers; with a time-out a timer as well (S8.4)."""
    planned(plan(required=2, approvers=["ann", "bob"], timeout_ms=70)).then(
        commands.RequestApproval(
            attempt="plan#1",
            subject="plan-7",
            required=2,
            approvers=("ann", "bob"),
            expires_at_ms=70,
        ),
        commands.ScheduleTimer(timer="approval:plan#1", due_at_ms=70, delay_ms=70),
    )


def test_a_worker_may_ask_for_an_approval_by_itself() -> None:
    """On a step without one the default approval holds (S6.7)."""
    story = given(flow(group("g", "a", "b")), START)
    story.when(succeeded("a#1", directive="await-approval")).then(
        commands.RequestApproval(
            attempt="a#1", subject=None, required=1, approvers=None, expires_at_ms=None
        )
    ).when(answered("a")).then_dispatched("b#1")


# --- approve ---


def test_enough_distinct_approvals_let_the_flow_go_on() -> None:
    """Fewer are recorded, with whatever was noted (S8.6, S8.7)."""
    asked = planned(plan(required=2, timeout_ms=70))
    noted = events.ApprovalResponded(
        at_ms=1, step="plan", response="approve", by="ann", note="looks fine"
    )
    first = asked.when(noted).then().then_status("approval-awaiting")
    assert approval_of(first) == Approval(
        requested_at_ms=0, answers=(Answer(by="ann", response="approve", note="looks fine"),)
    )
    second = first.when(answered("plan", by="bob", at_ms=2)).then_dispatched("apply#1")
    assert second.commands[0] == commands.CancelTimer(timer="approval:plan#1")
    told = approval_of(second)
    assert told is not None
    assert told.approvers == ("ann", "bob")


def test_a_plan_that_lay_too_long_is_made_again() -> None:
    """From `stale_after_ms` on an approval comes too late, and a new plan runs at once (S8.5)."""
    asked = planned(plan(stale_after_ms=50))
    asked.when(answered("plan", at_ms=49)).then_dispatched("apply#1")
    stale = asked.when(answered("plan", at_ms=50)).then_dispatched("plan#2")
    old = stale.state.attempt("plan#1")
    assert old is not None
    assert (old.status, old.directive, old.reason) == ("discarded", "retry", "stale-plan")


def test_a_plan_that_lay_too_long_stops_when_its_budget_is_spent() -> None:
    """The outcome says that no retry was left (S8.5)."""
    step = plan(stale_after_ms=0, retry=RetryPolicy(max_retries=0))
    planned(step).when(answered("plan")).then(
        ended("stale-plan", "Plan is stale and its retries are exhausted", exhausted=True)
    ).then_status("error", plan="error", apply="discarded", later="not-attempted")


def test_an_approval_that_does_not_suffice_may_find_the_plan_stale() -> None:
    """Its age is looked at before the number of those who approved."""
    asked = planned(plan(required=2, stale_after_ms=50))
    asked.when(answered("plan", at_ms=60)).then_dispatched("plan#2")


# --- deny, skip, retry, expire ---


def test_a_denial_is_final() -> None:
    """Also when others approved before; it ends the wait (S8.8, S8.14)."""
    asked = planned(plan(required=2, timeout_ms=70)).when(answered("plan"))
    asked.when(answered("plan", "deny", by="bob")).then(
        commands.CancelTimer(timer="approval:plan#1"), ended("denied", "Approval denied")
    ).then_status("error", plan="approval-denied", apply="discarded", later="not-attempted")


def test_skipping_skips_what_would_have_used_the_plan() -> None:
    """By default the rest of the group is skipped too, and the flow goes on (S8.9)."""
    planned(plan()).when(answered("plan", "skip-current")).then_dispatched("later#1").then_status(
        "in-progress", plan="user-skipped", apply="user-skipped", check="user-skipped"
    )


def test_skipping_may_concern_the_step_alone() -> None:
    """With the scope `step` the next step runs (S8.9)."""
    asked = planned(plan(skip_scope="step"))
    asked.when(answered("plan", "skip-current")).then_dispatched("apply#1").then_status(
        "in-progress", plan="user-skipped"
    )


def test_skipping_in_a_parallel_group_spares_what_was_dispatched() -> None:
    """Later siblings that never started are the person's, earlier ones are discarded (S7.2)."""
    spec = flow(
        group("g", "a", "b", plan(), "c", "d", parallel=True, max_parallel=4), group("h", "later")
    )
    eager = failed("c#1", directive="retry")
    story = given(spec, START, PAUSE, eager, succeeded("plan#1"))
    story.when(answered("plan", "skip-current")).then_status(
        "in-progress", a="queued", plan="user-skipped", d="user-skipped", c="waiting-to-retry"
    )


def test_skipping_spares_a_later_sibling_that_waits_for_its_turn_again() -> None:
    """A sibling that ran once in this generation started, though it is pending again."""
    eager = StepSpec(key="a", retry=RetryPolicy(max_auto_retries=1, backoff_ms=[]))
    spec = flow(group("g", plan(), eager, parallel=True), group("h", "later"))
    story = given(spec, START, PAUSE, failed("a#1"), succeeded("plan#1"))
    story.when(answered("plan", "skip-current")).then_status(
        "paused", plan="user-skipped", a="pending"
    ).when(RESUME).then_dispatched("a#2")


def test_skipping_while_a_group_retry_waits_discards_nothing() -> None:
    """The group is retried whole, what was skipped included (S7.2)."""
    spec = flow(group("g", plan(), "a", "b", parallel=True))
    retry = failed("a#1", directive="retry-group")
    story = given(spec, START, succeeded("plan#1"), retry)
    skipped = story.when(answered("plan", "skip-current")).then_status(
        "in-progress", plan="user-skipped", b="queued"
    )
    assert not skipped.state.skipping
    skipped.when(succeeded("b#1")).then_status(
        "in-progress", **{"plan#2": "pending", "a#2": "pending", "b#2": "pending"}
    )


def test_skipping_with_dependents_stops_the_flow() -> None:
    """All that is unfinished and comes later is skipped; no attempt is to blame (S8.10)."""
    skip = answered("plan", "skip-current-and-dependents")
    planned(plan()).when(skip).then(
        ended("skipped-dependents", "Skipped with its dependents")
    ).then_status(
        "error", plan="user-skipped", apply="user-skipped", check="user-skipped",
        later="not-attempted",
    )  # fmt: skip


def test_skipping_with_dependents_in_a_parallel_group() -> None:
    """Parked and asked siblings that come later are skipped, earlier ones discarded (S8.10)."""
    spec = flow(group("g", plan("p"), plan(), "a", plan("q"), "b", "done", parallel=True))
    facts = [succeeded("p#1"), succeeded("plan#1"), succeeded("q#1"), succeeded("done#1")]
    story = given(spec, START, *facts, failed("a#1", directive="await-retry"))
    story.when(answered("plan", "skip-current-and-dependents")).then_status(
        "in-progress", p="discarded", plan="user-skipped", a="user-skipped", q="user-skipped",
        b="queued", done="success",
    )  # fmt: skip


def test_another_plan_may_be_asked_for() -> None:
    """Whatever its retry scope, the step alone is planned again, within its budget (S8.11)."""
    step = plan(retry=RetryPolicy(scope="group", max_retries=1))
    story = planned(step).when(answered("plan", "retry")).then_dispatched("plan#2")
    old = story.state.attempt("plan#1")
    assert old is not None
    assert (old.status, old.directive) == ("discarded", "retry")
    again = story.when(succeeded("plan#2")).when(answered("plan", "retry"))
    again.then_rejected("retries-exhausted")


def test_an_approval_expires() -> None:
    """Nobody answered in time, and nothing is retried, forgiven or parked (S8.13)."""
    step = StepSpec(
        key="plan",
        approval=ApprovalSpec(timeout_ms=70),
        skip_on_failure=True,
        retry=RetryPolicy(max_auto_retries=9),
    )
    planned(step, options=FlowOptions(on_failure="await-retry")).when(
        fired("approval:plan#1", at_ms=70)
    ).then(ended("approval-expired", "Approval expired")).then_status(
        "error", plan="approval-expired"
    )


def test_an_answer_that_nobody_judged_is_a_bug() -> None:
    """Only the five answers get past the judge (S8.12)."""
    draft = Draft.of(planned(plan()).state, 0)
    with pytest.raises(AssertionError, match="'dance' passed the judge"):
        settle_answer(draft, Answered(0, "dance"))


# --- the option (S8.15) ---


def test_approve_all_answers_what_is_open() -> None:
    """Whatever its age and number of approvers; what no policy could look at is left."""
    spec = flow(
        group("g", plan("p", required=3, stale_after_ms=0), plan("q"), plan("r"), parallel=True),
        group("h", plan()),
    )
    story = given(spec, START, succeeded("p#1"), succeeded("q#1", policy=UNSEEN))
    changed = (
        story.when(option("approve-all"))
        .then()
        .then_status("in-progress", p="success", q="approval-awaiting", r="queued")
    )
    decided = changed.state.live[0].approval
    assert decided == Approval(requested_at_ms=0, automatic="approve-all")
    changed.when(succeeded("r#1")).then().when(answered("q")).then_dispatched("plan#1").when(
        succeeded("plan#1")
    ).then_status("success")


def test_approve_all_answers_nothing_twice() -> None:
    """What people approved or denied before stays their decision (S3.1)."""
    spec = flow(group("g", plan("p"), plan("q"), parallel=True))
    story = given(spec, START, succeeded("p#1"), answered("p"), succeeded("q#1"))
    before = story.state.live[0]
    changed = story.when(option("approve-all")).then_status("success")
    assert changed.state.live[0] == before


def test_prompt_answers_nothing() -> None:
    """From then on people are asked again."""
    story = given(flow(group("g", plan()), options=ALL), START, option("prompt"))
    story.when(succeeded("plan#1")).then_status("approval-awaiting").when(
        option("approve-all")
    ).then_status("success")


def test_a_change_of_the_option_finds_nothing_open() -> None:
    """Where nobody is asked nothing is answered."""
    story = given(flow(group("g", "a")), START).when(option("approve-all")).then()
    story.then_status("in-progress", a="queued")


# --- while the flow is held (S8.16) ---


def test_what_an_answer_releases_waits_for_the_flow() -> None:
    """While paused or continuing as new approvals are answered, and nothing is dispatched."""
    suggested = events.ContinueAsNewSuggested(at_ms=0, incarnation=0)
    continued = events.ContinuedAsNew(at_ms=0, incarnation=0)
    for hold, release in ((PAUSE, RESUME), (suggested, continued)):
        asked = given(planned(plan()).state, hold)
        asked.when(answered("plan")).then_dispatched().when(release).then_dispatched("apply#1")
        given(planned(plan()).state, hold).when(answered("plan", "deny")).then_status("error")


def test_several_approvals_are_answered_in_any_order() -> None:
    """In a parallel group each plan is asked about on its own."""
    spec = flow(group("g", plan("p"), plan("q"), parallel=True))
    story = given(spec, START, succeeded("p#1"), succeeded("q#1"))
    story.when(answered("q")).then().when(answered("p")).then_status("success")
