"""Whether a rerun may be: the codes of section 10, each before those that come after it."""

from __future__ import annotations

from typing import Any, Final

import pytest

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowState,
    RetryPolicy,
    StepSpec,
    events,
    reduce,
)
from conductor_core.draft import Rerun
from conductor_core.events import StepError
from conductor_core.rerun import lay_out_group_retry, lay_out_rerun, position_named
from conductor_core.testing import given
from conductor_core.testing.brief import (
    START,
    answered,
    cancelled,
    failed,
    flow,
    group,
    succeeded,
)
from conductor_core.verdicts import Rejected

NO_RETRIES: Final = RetryPolicy(max_retries=0)
TERMINAL: Final = StepError(terminal=True)
PARKING: Final = FlowOptions(on_failure="await-retry")
WHOLE: Final = RetryPolicy(scope="group", max_retries=1)


def rerun(step: str, operation: str = "retry-step", **others: Any) -> events.RerunRequested:
    """Somebody reruns a step."""
    fields: dict[str, Any] = {"flow_id": "flow", "step_id": step, "operation": operation, **others}
    return events.RerunRequested(at_ms=0, by="ann", **fields)


def group_retry(key: str = "g") -> events.GroupRetryRequested:
    """Somebody retries a group."""
    return events.GroupRetryRequested(at_ms=0, by="ann", group=key)


def code_of(state: FlowState, event: events.Event) -> str:
    """What becomes of a request."""
    verdict = reduce(state, event).verdict
    return verdict.code if isinstance(verdict, Rejected) else str(verdict)


# --- S10.1: a parallel group in which everything went wrong ---

STEPS: Final = (
    "fine",
    StepSpec(key="spent", retry=NO_RETRIES),
    "terminal",
    StepSpec(key="locked", retryable=False, skippable=False, retry=NO_RETRIES),
    "busy",
)
DISASTER: Final = given(
    flow(group("f", "before"), group("g", *STEPS, parallel=True), group("h", "later")),
    START,
    succeeded("before#1"),
    failed("fine#1"),
    failed("spent#1", error=TERMINAL),
    failed("terminal#1", error=TERMINAL),
    failed("locked#1", error=TERMINAL),
).state
OVER: Final = given(DISASTER, succeeded("busy#1")).state
AGAIN: Final = given(
    flow(group("g", "a", "b"), options=PARKING), START, failed("a#1"), rerun("a")
).state
NOWHERE: Final[dict[str, Any]] = {"additional_skip_step_ids": ["nowhere"]}


@pytest.mark.parametrize(
    ("state", "request_", "code"),
    [
        (OVER, rerun("nowhere", "dance", flow_id="else", continue_from_idx=9), "flow-mismatch"),
        (OVER, rerun("nowhere", "dance", continue_from_idx=9), "invalid-continue-index"),
        (OVER, rerun("nowhere", "dance"), "invalid-operation"),
        (OVER, rerun("fine", "Retry-Step"), "invalid-operation"),
        (OVER, rerun("nowhere"), "unknown-step"),
        (OVER, rerun("nowhere#1"), "unknown-step"),
        (OVER, rerun("fine#0"), "unknown-step"),
        (OVER, rerun("fine#2", **NOWHERE), "stale-attempt"),
        (OVER, rerun("g"), "unknown-step"),
        (OVER, rerun(""), "unknown-step"),
        (AGAIN, rerun("a#1"), "stale-attempt"),
        (given(AGAIN, cancelled()).state, rerun("a#1"), "stale-attempt"),
        (given(AGAIN, cancelled()).state, rerun("b", **NOWHERE), "flow-cancelled"),
        (given(AGAIN, cancelled(), failed("a#2")).state, rerun("a", **NOWHERE), "flow-cancelled"),
        (DISASTER, rerun("busy", **NOWHERE), "not-failed"),
        (DISASTER, rerun("before", **NOWHERE), "not-failed"),
        (DISASTER, rerun("later", **NOWHERE), "not-failed"),
        (DISASTER, rerun("locked", **NOWHERE), "group-running"),
        (DISASTER, rerun("locked", "skip-step", **NOWHERE), "group-running"),
        (OVER, rerun("locked", **NOWHERE), "not-retryable"),
        (OVER, rerun("locked", "skip-step", **NOWHERE), "not-skippable"),
        (OVER, rerun("spent", **NOWHERE), "retries-exhausted"),
        (OVER, rerun("terminal", **NOWHERE), "terminal-error"),
        (OVER, rerun("fine", **NOWHERE), "unknown-step"),
        (OVER, rerun("fine", additional_skip_step_ids=["locked"]), "not-skippable"),
        (OVER, rerun("fine", additional_skip_step_ids=["before"]), "not-skippable"),
        (OVER, rerun("fine", additional_skip_step_ids=["busy"]), "not-skippable"),
        (OVER, rerun("fine"), "blocked-by"),
        (OVER, rerun("fine", additional_skip_step_ids=["spent", "terminal"]), "blocked-by"),
    ],
)
def test_a_rerun_is_refused_with_the_first_code_that_applies(
    state: FlowState, request_: events.RerunRequested, code: str
) -> None:
    """All that is wrong later in the order does not matter (S10.1)."""
    assert code_of(state, request_) == code


def test_a_step_is_named_by_its_key_or_by_its_live_attempt() -> None:
    """Both mean the step; an attempt that was superseded does not (S10.1)."""
    assert position_named(AGAIN, "a") == position_named(AGAIN, "a#2") == 0
    assert position_named(AGAIN, "a#1") == Rejected("stale-attempt", "'a#1' is not live, 'a#2' is")
    assert position_named(AGAIN, "c") == Rejected("unknown-step", "no step or attempt is named 'c'")


PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=5))
FORGIVEN: Final = StepSpec(key="a", skip_on_failure=True)


@pytest.mark.parametrize(
    ("step", "history", "code"),
    [
        ("a", [failed("a#1", directive="await-retry")], "accepted"),
        ("a", [failed("a#1", directive="stop")], "accepted"),
        ("a", [events.StepFinished(at_ms=0, attempt="a#1", outcome="cancelled")], "accepted"),
        (PLAN, [succeeded("plan#1"), answered("plan", "deny")], "accepted"),
        (PLAN, [succeeded("plan#1"), events.TimerFired(at_ms=5, timer="approval:plan#1")],
         "accepted"),
        (PLAN, [succeeded("plan#1")], "not-failed"),
        (FORGIVEN, [failed("a#1")], "not-failed"),
        ("a", [succeeded("a#1", directive="stop")], "not-failed"),
        ("a", [failed("a#1", directive="retry")], "not-failed"),
        ("a", [], "not-failed"),
    ],
)  # fmt: skip
def test_only_a_failure_that_holds_the_flow_up_is_rerun(
    step: StepSpec | str, history: list[events.Event], code: str
) -> None:
    """Errors, approvals that were not given and cancels from outside; nothing else (S10.1)."""
    state = given(flow(group("g", step, "later")), START, *history).state
    key = step if isinstance(step, str) else step.key
    assert code_of(state, rerun(key)) == code


def test_a_flow_that_went_well_is_not_rerun() -> None:
    """Also not a step that failed in it and was forgiven (S10.7)."""
    state = given(flow(group("g", FORGIVEN)), START, failed("a#1")).state
    assert state.status == "success"
    assert code_of(state, rerun("a")) == "not-failed"
    assert code_of(state, group_retry()) == "not-failed"


def test_a_parked_failure_is_rerun_beside_running_work() -> None:
    """Only a stopped group must come to rest first."""
    parked = flow(group("g", "a", "b", parallel=True), options=PARKING)
    assert code_of(given(parked, START, failed("a#1")).state, rerun("a")) == "accepted"


def test_the_last_retry_of_the_budget_is_one_more_than_that() -> None:
    """`max_retries` counts automatic and manual ones together (S6.14)."""
    once = StepSpec(key="a", retry=RetryPolicy(max_retries=1))
    first = given(flow(group("g", once)), START, failed("a#1")).state
    again = given(first, rerun("a"), failed("a#2")).state
    assert [code_of(state, rerun("a")) for state in (first, again)] == [
        "accepted",
        "retries-exhausted",
    ]


def test_a_terminal_failure_may_be_skipped() -> None:
    """Only its retry is ruled out."""
    state = given(flow(group("g", "a")), START, failed("a#1", error=TERMINAL)).state
    assert code_of(state, rerun("a")) == "terminal-error"
    assert code_of(state, rerun("a", "skip-step")) == "accepted"


# --- S10.2 and S10.8: the whole group ---


def test_a_group_is_refused_with_the_first_code_that_applies() -> None:
    """A group that runs, may not be retried, is used up, or failed for good (S10.8)."""
    assert code_of(DISASTER, group_retry("nowhere")) == "unknown-group"
    assert code_of(DISASTER, group_retry("f")) == "not-failed"
    assert code_of(DISASTER, group_retry("h")) == "not-failed"
    assert code_of(DISASTER, group_retry()) == "group-running"
    assert code_of(OVER, group_retry()) == "not-retryable"
    spent = failed_for_good(StepSpec(key="b", retry=NO_RETRIES))
    assert code_of(spent, group_retry()) == "retries-exhausted"
    assert code_of(failed_for_good("b"), group_retry()) == "terminal-error"


def failed_for_good(other: StepSpec | str) -> FlowState:
    """A flow whose first step failed for good, beside another."""
    return given(flow(group("g", "a", other)), START, failed("a#1", error=TERMINAL)).state


def test_a_cancelled_flow_has_no_group_to_retry() -> None:
    """Cancelling or cancelled, nothing revives it (S9.5)."""
    running = given(flow(group("g", "a"), options=PARKING), START, failed("a#1"))
    assert code_of(running.state, group_retry()) == "accepted"
    assert code_of(given(running.state, cancelled()).state, group_retry()) == "flow-cancelled"


def test_an_open_approval_parks_its_group() -> None:
    """A group may be retried from its start while it waits for an approval (S10.8)."""
    state = given(flow(group("g", "a", PLAN)), START, succeeded("a#1"), succeeded("plan#1")).state
    assert lay_out_group_retry(state, 0) == Rerun(whole_group=True)


def test_only_failures_must_be_retryable() -> None:
    """What went well may be done again with its group, whatever a person may retry alone."""
    strict = StepSpec(key="a", retryable=False)
    stopped = given(flow(group("g", strict, "b")), START, succeeded("a#1"), failed("b#1")).state
    assert lay_out_group_retry(stopped, 0) == Rerun(whole_group=True)


def test_a_step_that_retries_its_group_is_judged_as_its_group() -> None:
    """With the scope `group` the budget is that of the group, and the group must rest (S10.2)."""
    step = StepSpec(key="a", retry=WHOLE)
    beside = given(
        flow(group("g", step, "b", parallel=True), options=PARKING), START, failed("a#1")
    ).state
    assert code_of(beside, rerun("a")) == "group-running"
    alone = given(flow(group("g", step, "b")), START, failed("a#1")).state
    assert lay_out_rerun(alone, rerun("a")) == Rerun(whole_group=True)
    again = given(alone, rerun("a"), failed("a#2")).state
    assert code_of(again, rerun("a")) == "retries-exhausted"
    both = flow(group("g", step, "b", parallel=True))
    stopped = given(both, START, failed("a#1"), failed("b#1")).state
    assert lay_out_rerun(stopped, rerun("a")) == Rerun(whole_group=True)


# --- S10.3: from a stale plan on ---

REPLAN: Final[dict[str, Any]] = {"stale_plan": True, "replan_step_id": "plan"}
LOCKED: Final = StepSpec(key="apply", retryable=False, retry=WHOLE)


def applying(*steps: StepSpec | str, parallel: bool = False) -> FlowState:
    """A plan was approved, its use failed for good."""
    spec = flow(
        group("f", "before"),
        group("g", "plan", *steps, parallel=parallel),
        options=PARKING,
    )
    history = [] if parallel else [succeeded("plan#1")]
    return given(
        spec, START, succeeded("before#1"), *history, failed("apply#1", error=TERMINAL)
    ).state


@pytest.mark.parametrize(
    ("state", "fields", "code"),
    [
        (applying(LOCKED), {"replan_step_id": None}, "not-retryable"),
        (applying("apply"), {"replan_step_id": None}, "invalid-replan-step"),
        (applying("apply"), {"replan_step_id": "nowhere"}, "invalid-replan-step"),
        (applying("apply"), {"replan_step_id": "before"}, "invalid-replan-step"),
        (applying("apply", "check"), {"replan_step_id": "check"}, "invalid-replan-step"),
        (applying("apply"), {"replan_step_id": "plan#1"}, "invalid-replan-step"),
        (
            applying(StepSpec(key="apply", retry=NO_RETRIES), parallel=True),
            {"replan_step_id": "plan"},
            "group-running",
        ),
        (
            applying(StepSpec(key="apply", retry=NO_RETRIES)),
            {"replan_step_id": "plan"},
            "retries-exhausted",
        ),
        (applying("apply"), {"replan_step_id": "plan", **NOWHERE}, "terminal-error"),
    ],
)
def test_a_replan_is_refused_with_the_first_code_that_applies(
    state: FlowState, fields: dict[str, Any], code: str
) -> None:
    """A plan is a step of the group, not after the target; the budget is the group's (S10.3)."""
    assert code_of(state, rerun("apply", stale_plan=True, **fields)) == code


def test_a_replan_waits_for_a_stopped_group_to_rest() -> None:
    """Whatever runs in a group that was stopped, inside the span or not."""
    spec = flow(group("g", "plan", "apply", "busy", parallel=True))
    state = given(spec, START, succeeded("plan#1"), failed("apply#1")).state
    assert code_of(state, rerun("apply", **REPLAN)) == "group-running"


def test_a_replan_waits_for_what_runs_in_its_span() -> None:
    """Also where the group is parked and not stopped."""
    spec = flow(group("g", "plan", "apply", parallel=True), options=PARKING)
    state = given(spec, START, failed("apply#1")).state
    assert code_of(state, rerun("apply", **REPLAN)) == "group-running"


def test_a_replan_looks_only_at_its_span_where_the_group_is_parked() -> None:
    """Beside a parked failure work that comes later may run on."""
    spec = flow(group("g", "plan", "apply", "busy", parallel=True), options=PARKING)
    state = given(spec, START, succeeded("plan#1"), failed("apply#1")).state
    assert lay_out_rerun(state, rerun("apply", **REPLAN)) == Rerun(span=(0, 1))
    assert lay_out_rerun(state, rerun("apply", stale_plan=True, replan_step_id="apply")) == Rerun(
        span=(1,)
    )


def test_a_replan_wins_over_the_retry_of_the_group() -> None:
    """A stale plan is planned again, also for a step that else retries its whole group."""
    spec = flow(group("g", "a", "plan", StepSpec(key="apply", retry=WHOLE)))
    state = given(spec, START, succeeded("a#1"), succeeded("plan#1"), failed("apply#1")).state
    assert lay_out_rerun(state, rerun("apply", **REPLAN)) == Rerun(span=(1, 2))


def test_skipping_does_not_look_at_the_plan() -> None:
    """A step that is skipped needs no plan, stale or not."""
    state = given(flow(group("g", "a")), START, failed("a#1")).state
    skip = rerun("a", "skip-step", stale_plan=True)
    assert lay_out_rerun(state, skip) == Rerun(skips=((0, "step"),))


# --- S10.4: what is skipped along ---


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("before", "not-skippable"),
        ("a", "not-skippable"),
        ("busy", "not-skippable"),
        ("kept", "not-skippable"),
        ("waiting", "accepted"),
        ("waiting#2", "accepted"),
        ("waiting#1", "stale-attempt"),
        ("parked", "accepted"),
        ("plan", "accepted"),
        ("later", "accepted"),
        ("later#1", "accepted"),
        ("target", "accepted"),
        ("nowhere", "unknown-step"),
    ],
)
def test_what_is_yet_to_be_done_may_be_skipped_along(name: str, code: str) -> None:
    """Not what is over, at work or not skippable; it may be named by its live attempt."""
    slow = StepSpec(key="waiting", retry=RetryPolicy(max_auto_retries=1))
    steps: list[StepSpec | str] = [
        "a",
        "target",
        "busy",
        StepSpec(key="kept", skippable=False),
        slow,
        "parked",
        PLAN,
    ]
    spec = flow(
        group("f", "before"), group("g", *steps, parallel=True), group("h", "later"),
        options=PARKING,
    )  # fmt: skip
    facts = [succeeded("before#1"), succeeded("a#1"), failed("kept#1"), failed("waiting#1"),
             failed("parked#1"), succeeded("plan#1"), failed("target#1")]  # fmt: skip
    state = given(spec, START, *facts).state
    for operation in ("retry-step", "skip-step"):
        request = rerun("target", operation, additional_skip_step_ids=[name])
        assert code_of(state, request) == code


def test_what_a_stop_swept_may_be_skipped_along() -> None:
    """Discarded before it ran or never attempted, here or in a later group."""
    spec = flow(group("g", "a", "b"), group("h", "c"))
    stopped = given(spec, START, failed("a#1")).state
    assert lay_out_rerun(stopped, rerun("a", additional_skip_step_ids=["b", "c", "b"])) == Rerun(
        retried=(0,), skips=((1, "step"), (2, "step"))
    )


def test_a_refused_plan_is_skipped_with_its_scope() -> None:
    """What nobody approved is never applied, named or additional (S10.4)."""
    free = StepSpec(key="free", approval=ApprovalSpec(skip_scope="step"))
    spec = flow(group("g", PLAN, free, "c", parallel=True))
    stopped = given(
        spec, START, succeeded("plan#1"), succeeded("free#1"), answered("free", "deny"),
        failed("c#1"),
    ).state  # fmt: skip
    skip = rerun("free", "skip-step", additional_skip_step_ids=["c", "plan"])
    assert lay_out_rerun(stopped, skip) == Rerun(skips=((1, "step"), (2, "step"), (0, "step")))
    denied = given(flow(group("g", PLAN)), START, succeeded("plan#1"), answered("plan", "deny"))
    assert lay_out_rerun(denied.state, rerun("plan", "skip-step")) == Rerun(skips=((0, "group"),))


# --- S10.5: who else stopped the group ---


def test_whoever_else_stopped_the_group_is_retried_along() -> None:
    """In the order of the flow and before the named step, unless it is skipped."""
    spec = flow(group("g", "a", "b", "c", parallel=True))
    stopped = given(spec, START, failed("b#1"), failed("a#1"), failed("c#1")).state
    assert lay_out_rerun(stopped, rerun("b")) == Rerun(retried=(0, 2, 1))
    assert lay_out_rerun(stopped, rerun("b", additional_skip_step_ids=["a"])) == Rerun(
        retried=(2, 1), skips=((0, "step"),)
    )
    assert lay_out_rerun(stopped, rerun("b", "skip-step")) == Rerun(
        retried=(0, 2), skips=((1, "step"),)
    )


@pytest.mark.parametrize(
    ("other", "error", "text"),
    [
        (StepSpec(key="b", retryable=False), None, "step 'b' may not be retried by a person"),
        (StepSpec(key="b"), TERMINAL, "the error of 'b#1' rules out every retry"),
        (StepSpec(key="b", retry=NO_RETRIES), None, "'b#1' used up its 0 retries"),
    ],
)
def test_a_rerun_that_could_not_succeed_is_refused(
    other: StepSpec, error: StepError | None, text: str
) -> None:
    """If another step stopped the group for good, the message names it."""
    spec = flow(group("g", "a", other, parallel=True))
    stopped = given(spec, START, failed("a#1"), failed("b#1", error=error)).state
    given(stopped).when(rerun("a")).then_rejected("blocked-by")
    assert reduce(stopped, rerun("a")).verdict == Rejected(
        "blocked-by", f"'b#1' stopped the group too: {text}"
    )
    assert code_of(stopped, rerun("a", additional_skip_step_ids=["b"])) == "accepted"


def test_who_is_planned_again_anyway_needs_no_retry_of_its_own() -> None:
    """A decider inside the span of a replan is charged with the group (S10.3)."""
    spec = flow(group("g", "plan", StepSpec(key="apply"), "b", parallel=True))
    stopped = given(spec, START, failed("plan#1"), failed("b#1"), failed("apply#1")).state
    assert lay_out_rerun(stopped, rerun("apply", **REPLAN)) == Rerun(retried=(2,), span=(0, 1))
    once = StepSpec(key="plan", retry=RetryPolicy(max_retries=1))
    stopped = given(
        flow(group("g", once, "apply", parallel=True)), START, failed("plan#1"), failed("apply#1")
    ).state
    spent = given(stopped, rerun("plan"), failed("plan#2"), failed("apply#2")).state
    assert code_of(spent, rerun("apply")) == "blocked-by"
    assert lay_out_rerun(spent, rerun("apply", **REPLAN)) == Rerun(span=(0, 1))


# --- S10.6: the second leg of a continue-as-new ---


def leg(index: int, **fields: Any) -> events.RerunRequested:
    """A continued run says where it goes on."""
    return rerun("", "", continue_from_idx=index, **fields)


def test_a_second_leg_goes_on_at_the_current_group() -> None:
    """It acts as continued-as-new; step and operation are not looked at."""
    spec = flow(group("g", "a"), group("h", "b"), options=FlowOptions(continue_as_new_every=1))
    asked = given(spec, START, succeeded("a#1"))
    asked.when(leg(2)).then_rejected("invalid-continue-index")
    story = asked.when(leg(1)).then_dispatched("b#1")
    assert story.state.incarnation == 1
    story.when(leg(1)).then_ignored("no-change")
    story.when(leg(2)).then_rejected("invalid-continue-index")
    story.when(leg(1, flow_id="else")).then_rejected("flow-mismatch")
    story.when(cancelled()).when(leg(1)).then_rejected("flow-cancelled")
    story.when(succeeded("b#1")).when(leg(1)).then_rejected("invalid-continue-index")


def test_a_flow_that_is_not_live_has_no_second_leg() -> None:
    """Before the start and after the end there is nothing to go on with."""
    spec = flow(group("g", "a"), group("h", "b"))
    given(spec).when(leg(1)).then_rejected("invalid-continue-index")
    given(spec, cancelled()).when(leg(1)).then_rejected("invalid-continue-index")
    stopped = given(spec, START, succeeded("a#1"), failed("b#1"))
    stopped.when(leg(1)).then_rejected("invalid-continue-index")


@pytest.mark.parametrize("index", [0, -1])
def test_any_other_index_is_a_rerun_of_a_step(index: int) -> None:
    """Only a number above zero names a second leg."""
    stopped = given(flow(group("g", "a")), START, failed("a#1"))
    stopped.when(rerun("a", continue_from_idx=index)).then_dispatched("a#2")
