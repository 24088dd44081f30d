"""Which events count in which status (section 4): the whole table, then the closer looks."""

from __future__ import annotations

from typing import Any, Final, get_args

import pytest

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    FlowState,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    events,
    initial_state,
    reduce,
)
from conductor_core.codec import EVENTS
from conductor_core.events import Event, is_request
from conductor_core.legality import TABLE, Phase, phase_of
from conductor_core.testing import given
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
from conductor_core.verdicts import Rejected

# --- every status, every class of event ---

PARKING: Final = FlowOptions(on_failure="await-retry")
PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec(), timeout_ms=1000)
APPEND: Final = events.AppendRequested(at_ms=0, by="ann", groups=[group("g", PLAN, "apply")])
PAUSE: Final = events.PauseRequested(at_ms=0, by="ann")
RESUME: Final = events.ResumeRequested(at_ms=0, by="ann")
MORE: Final = (group("h", "check"),)
ALL: Final = events.GroupsGenerated(at_ms=0)

# One flow with a step that plans; it was appended, while its generation brings more.
HISTORIES: Final[dict[str, list[Event]]] = {
    "pending": [],
    "in-progress": [START],
    "paused": [START, PAUSE, succeeded("plan#1"), answered("plan")],
    "failed-pending-retry": [START, failed("plan#1")],
    "approval-awaiting": [START, succeeded("plan#1")],
    "cancelling": [START, cancelled()],
    "success": [START, ALL, succeeded("plan#1"), answered("plan"), succeeded("apply#1")],
    "error": [START, failed("plan#1", directive="stop")],
    "cancelled": [cancelled()],
}
LIVE: Final = ("in-progress", "paused", "failed-pending-retry", "approval-awaiting")
UNCANCELLED: Final = ("pending", *LIVE)
ENDED: Final = ("success", "error", "cancelled")
EVERY: Final = (*UNCANCELLED, "cancelling", *ENDED)

# What becomes of one plain event of each class: verdict and the statuses in which it is given.
VERDICTS: Final[dict[Event, dict[str, tuple[str, ...]]]] = {
    START: {"accepted": ("pending",), "ignored(already-started)": (*LIVE, "cancelling", *ENDED)},
    events.GroupsGenerated(at_ms=0, groups=MORE, complete=False): {
        "accepted": LIVE,
        "ignored(no-change)": ("pending", "cancelling", *ENDED),
    },
    events.GenerationFailed(at_ms=0): {
        "accepted": LIVE,
        "ignored(no-change)": ("pending", "cancelling", *ENDED),
    },
    events.StepStarted(at_ms=0, attempt="plan#1"): {
        "accepted": ("in-progress", "cancelling"),
        "ignored(stale-attempt)": ("pending", *LIVE[1:], *ENDED),
    },
    succeeded("plan#1"): {
        "accepted": ("in-progress", "cancelling"),
        "ignored(stale-attempt)": ("pending", *LIVE[1:], *ENDED),
    },
    fired("timeout:plan#1"): {
        "accepted": ("in-progress",),
        "ignored(stale-timer)": ("pending", *LIVE[1:], "cancelling", *ENDED),
    },
    events.ContinueAsNewSuggested(at_ms=0, incarnation=0): {
        "accepted": (*LIVE, "cancelling"),
        "ignored(no-change)": ("pending", *ENDED),
    },
    events.ContinuedAsNew(at_ms=0, incarnation=0): {"ignored(no-change)": EVERY},
    answered("plan"): {
        "accepted": ("approval-awaiting",),
        "rejected(not-started)": ("pending",),
        "rejected(not-awaiting-approval)": LIVE[:3],
        "rejected(flow-cancelled)": ("cancelling",),
        "rejected(flow-finished)": ENDED,
    },
    events.ApprovalOptionChanged(at_ms=0, option="approve-all", by="ann"): {
        "accepted": LIVE,
        "rejected(not-started)": ("pending",),
        "rejected(flow-cancelled)": ("cancelling",),
        "rejected(flow-finished)": ENDED,
    },
    cancelled(): {
        "accepted": UNCANCELLED,
        "ignored(no-change)": ("cancelling", "cancelled"),
        "rejected(flow-finished)": ("success", "error"),
    },
    retried("plan"): {
        "accepted": ("failed-pending-retry", "error"),
        "rejected(not-failed)": ("pending", "in-progress", "paused", "approval-awaiting",
                                 "success"),
        "rejected(flow-cancelled)": ("cancelling", "cancelled"),
    },
    events.GroupRetryRequested(at_ms=0, group="g", by="ann"): {
        "accepted": ("failed-pending-retry", "approval-awaiting", "error"),
        "rejected(not-started)": ("pending",),
        "rejected(not-failed)": ("in-progress", "paused", "success"),
        "rejected(flow-cancelled)": ("cancelling", "cancelled"),
    },
    events.RetryNowRequested(at_ms=0, step="plan", by="ann"): {
        "rejected(not-started)": ("pending",),
        "rejected(not-waiting)": LIVE,
        "rejected(flow-cancelled)": ("cancelling",),
        "rejected(flow-finished)": ENDED,
    },
    PAUSE: {
        "accepted": ("in-progress", "failed-pending-retry", "approval-awaiting"),
        "ignored(no-change)": ("paused",),
        "rejected(not-started)": ("pending",),
        "rejected(flow-cancelled)": ("cancelling",),
        "rejected(flow-finished)": ENDED,
    },
    RESUME: {
        "accepted": ("paused",),
        "ignored(no-change)": ("in-progress", "failed-pending-retry", "approval-awaiting"),
        "rejected(not-started)": ("pending",),
        "rejected(flow-cancelled)": ("cancelling",),
        "rejected(flow-finished)": ENDED,
    },
    events.AppendRequested(at_ms=0, by="ann", groups=MORE): {
        "accepted": UNCANCELLED,
        "rejected(flow-cancelled)": ("cancelling",),
        "rejected(flow-finished)": ENDED,
    },
}  # fmt: skip
CASES: Final = [
    pytest.param(status, event, verdict, id=f"{status}-{type(event).__name__}")
    for event, by_verdict in VERDICTS.items()
    for verdict, statuses in by_verdict.items()
    for status in statuses
]


@pytest.mark.parametrize(("status", "event", "verdict"), CASES)
def test_each_status_answers_each_class_of_event(status: str, event: Event, verdict: str) -> None:
    """What a plain event of a class leads to depends on the status as the table says."""
    state = given(FlowSpec(options=PARKING), APPEND, *HISTORIES[status]).state
    assert state.status == status
    transition = reduce(state, event)
    assert str(transition.verdict) == verdict
    assert (transition.state is state) == (verdict != "accepted")


def test_the_table_is_complete() -> None:
    """Every class of event meets every status exactly once."""
    assert [type(event) for event in VERDICTS] == list(EVENTS.values())
    for by_verdict in VERDICTS.values():
        met = [status for statuses in by_verdict.values() for status in statuses]
        assert sorted(met) == sorted(EVERY)


def test_the_phases_are_told_by_the_table() -> None:
    """Every class of event has its row, and no phase alone lets an event count."""
    assert set(TABLE) == set(EVENTS.values()) == set(get_args(Event))
    verdicts = [str(verdict) for row in TABLE.values() for verdict in row.values()]
    assert "accepted" not in verdicts


def test_facts_are_never_rejected() -> None:
    """What a host says may come too late, but is nobody's fault (S4.3)."""
    verdicts = [
        (event, verdict) for event, by_verdict in VERDICTS.items() for verdict in by_verdict
    ]
    assert all(is_request(event) for event, verdict in verdicts if verdict.startswith("rej"))
    rows = [row for event, row in TABLE.items() if event not in events.REQUESTS]
    assert not any(isinstance(verdict, Rejected) for row in rows for verdict in row.values())


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("pending", Phase.PENDING),
        *((status, Phase.LIVE) for status in LIVE),
        ("cancelling", Phase.CANCELLING),
        ("success", Phase.ENDED),
        ("error", Phase.ENDED),
        ("cancelled", Phase.CANCELLED),
    ],
)
def test_a_status_belongs_to_a_phase(status: str, phase: Phase) -> None:
    """The table asks only how far a flow is."""
    state = given(FlowSpec(options=PARKING), APPEND, *HISTORIES[status]).state
    assert phase_of(state) is phase


# --- facts about work (S4.3) ---

EAGER: Final = StepSpec(key="a", retry=RetryPolicy(max_auto_retries=9, backoff_ms=[]))
SLOW: Final = StepSpec(
    key="slow", retry=RetryPolicy(max_auto_retries=9, backoff_ms=[1000], jitter=False)
)
WORKING: Final = flow(group("g", EAGER, "b"))


@pytest.mark.parametrize("fact", [succeeded, lambda id_: events.StepStarted(at_ms=0, attempt=id_)])
@pytest.mark.parametrize(
    ("attempt", "reason"),
    [
        ("a#1", "stale-attempt"),
        ("b#1", "stale-attempt"),
        ("a#3", "unknown-attempt"),
        ("a#0", "unknown-attempt"),
        ("a", "unknown-attempt"),
        ("x#1", "unknown-attempt"),
        ("", "unknown-attempt"),
    ],
)
def test_only_a_live_and_active_attempt_can_be_spoken_of(
    fact: Any, attempt: str, reason: str
) -> None:
    """Superseded and pending attempts are stale, those that never were unknown."""
    given(WORKING, START, failed("a#1")).when(fact(attempt)).then_ignored(reason)


def test_what_waits_or_is_finished_is_stale() -> None:
    """Nothing is heard of an attempt that waits, awaits its approval or has finished."""
    waiting = given(flow(group("g", SLOW)), START, failed("slow#1"))
    waiting.when(succeeded("slow#2")).then_ignored("stale-attempt")
    awaiting = given(flow(group("g", PLAN)), START, succeeded("plan#1"))
    awaiting.when(failed("plan#1")).then_ignored("stale-attempt")
    finished = given(WORKING, START, succeeded("a#1"))
    finished.when(failed("a#1")).then_ignored("stale-attempt")


def test_work_starts_once() -> None:
    """A second step-started answers nothing; a finish is heard from either status (S5.6)."""
    started = events.StepStarted(at_ms=0, attempt="a#1")
    working = given(WORKING, START).when(started).then().then_status("in-progress", a="in-progress")
    working.when(started).then_ignored("no-change")
    working.when(succeeded("a#1")).then_dispatched("b#1")
    given(WORKING, START).when(succeeded("a#1")).then_dispatched("b#1")


# --- timers ---


def test_only_an_open_timer_fires() -> None:
    """A timer that was never scheduled, has fired or was cancelled is stale."""
    timed = StepSpec(key="a", timeout_ms=10)
    running = given(flow(group("g", timed, "b")), START)
    over = running.when(fired("timeout:a#1", at_ms=10)).then_dispatched()
    over.when(fired("timeout:a#1", at_ms=10)).then_ignored("stale-timer")
    done = running.when(succeeded("a#1")).then_dispatched("b#1")
    done.when(fired("timeout:a#1", at_ms=10)).then_ignored("stale-timer")


@pytest.mark.parametrize(
    "timer",
    ["", "cancel", "cancel:", "timeout", "timeout:", "timeout:a#2", "timeout:x#1", "approval:a#1",
     "backoff:a#1", "backoff:g@0", "backoff:g@1", "timeout:a#1@1", "nonsense:a#1", "TIMEOUT:a#1"],
)  # fmt: skip
def test_a_timer_is_named_exactly(timer: str) -> None:
    """Other kinds, other attempts and nonsense are stale timers."""
    running = given(flow(group("g", StepSpec(key="a", timeout_ms=10))), START)
    running.when(fired(timer)).then_ignored("stale-timer")


def test_a_timer_may_fire_at_any_time() -> None:
    """Hosts may not fire early, and the reducer does not compare; clocks may go back."""
    waiting = given(flow(group("g", SLOW)), START, failed("slow#1", at_ms=5000))
    waiting.when(fired("backoff:slow#2", at_ms=1)).then_dispatched("slow#2")


def test_the_wait_of_a_group_fires_under_its_generation() -> None:
    """The timer of the first retry of a group is not that of any other."""
    waiting = given(flow(group("g", SLOW)), START, failed("slow#1", directive="retry-group"))
    for timer in ("backoff:g@0", "backoff:g@2", "backoff:h@1", "backoff:slow#2"):
        waiting.when(fired(timer)).then_ignored("stale-timer")
    waiting.when(fired("backoff:g@1")).then_dispatched("slow#2")


def test_the_grace_of_a_cancel_fires_once() -> None:
    """The timer `cancel` is open while a cancel waits for work to end (S9.4)."""
    running = given(flow(group("g", "a")), START)
    running.when(fired("cancel")).then_ignored("stale-timer")
    given(running.state, cancelled()).when(fired("cancel")).then_status("cancelled").when(
        fired("cancel")
    ).then_ignored("stale-timer")


# --- generation and incarnations ---


def test_only_new_groups_count_while_more_are_to_come() -> None:
    """An empty delivery, and one that is known already, change nothing before the last."""
    generating = given(FlowSpec(), START)
    empty = events.GroupsGenerated(at_ms=0, complete=False)
    part = events.GroupsGenerated(at_ms=0, groups=[group("g", "a")], complete=False)
    generating.when(empty).then_ignored("no-change")
    generating.when(part).then_dispatched("a#1").when(part).then_ignored("no-change")


def test_nothing_is_generated_for_a_flow_that_declares_its_groups() -> None:
    """Groups that nobody asked for are ignored, and so is a failure to make them."""
    running = given(flow(group("g", "a")), START)
    running.when(events.GroupsGenerated(at_ms=0, groups=MORE)).then_ignored("no-change")
    running.when(events.GenerationFailed(at_ms=0)).then_ignored("no-change")


def test_what_is_said_of_another_incarnation_is_stale() -> None:
    """A number that the state no longer has, or never had, is stale, whatever the status."""
    for state in (initial_state(WORKING, "flow"), given(WORKING, START).state):
        for incarnation in (-1, 1):
            about = {"at_ms": 0, "incarnation": incarnation}
            for fact in (events.ContinueAsNewSuggested(**about), events.ContinuedAsNew(**about)):
                given(state).when(fact).then_ignored("stale-incarnation")


def test_a_continue_as_new_is_suggested_and_answered_once() -> None:
    """A second suggestion, before or after the command, is no change, nor is a second answer."""
    suggested = events.ContinueAsNewSuggested(at_ms=0, incarnation=0)
    continued = events.ContinuedAsNew(at_ms=0, incarnation=0)
    story = given(WORKING, START).when(suggested).then()
    story.when(suggested).then_ignored("no-change")
    story.when(continued).then_ignored("no-change")
    asked = story.when(succeeded("a#1")).then_dispatched()
    asked.when(suggested).then_ignored("no-change")
    later = events.ContinueAsNewSuggested(at_ms=0, incarnation=1)
    asked.when(later).then_ignored("stale-incarnation")
    asked.when(continued).then_dispatched("b#1").when(continued).then_ignored("stale-incarnation")


# --- answers to an approval (section 8) ---

ASKED: Final = StepSpec(
    key="plan",
    approval=ApprovalSpec(required=2, approvers=["ann", "bob", "cid"]),
    retry=RetryPolicy(max_retries=0),
    skippable=False,
)


def respond(response: str, by: str, subject: str | None = None) -> events.ApprovalResponded:
    """An answer about a subject."""
    return events.ApprovalResponded(at_ms=0, step="plan", response=response, by=by, subject=subject)


ASKING: Final = (
    flow(group("g", ASKED, "apply")),
    *(START, succeeded("plan#1", subject="plan-7"), answered("plan", by="ann")),
)


def asked() -> FlowState:
    """A plan is open for approval, and ann has approved it."""
    return given(*ASKING).state


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (answered("nowhere"), "unknown-step"),
        (answered("apply"), "not-awaiting-approval"),
        (respond("dance", "eve", "plan-6"), "not-an-approver"),
        (respond("deny", "eve"), "not-an-approver"),
        (respond("approve", "ann", "plan-6"), "subject-mismatch"),
        (respond("dance", "bob", "plan-6"), "subject-mismatch"),
        (respond("approve", "ann", "plan-7"), "already-responded"),
        (respond("skip-current", "bob"), "not-skippable"),
        (respond("skip-current-and-dependents", "bob"), "not-skippable"),
        (respond("retry", "bob"), "retries-exhausted"),
        (respond("dance", "bob"), "unknown-response"),
        (respond("Approve", "bob"), "unknown-response"),
    ],
)
def test_an_answer_is_refused_with_the_first_code_that_applies(answer: Event, code: str) -> None:
    """Who answers comes before what was looked at, that before what is answered."""
    given(asked()).when(answer).then_rejected(code)


def test_an_answer_may_name_its_subject_or_not() -> None:
    """Only a subject that is given must be the one that was asked about."""
    for subject in (None, "plan-7"):
        given(asked()).when(respond("approve", "bob", subject)).then_dispatched("apply#1")


def test_whoever_approved_may_still_deny() -> None:
    """Only approving twice is refused (S8.14)."""
    given(asked()).when(respond("deny", "ann")).then_status("error", plan="approval-denied")


def test_a_subject_was_given_where_there_was_none() -> None:
    """An answer about something is no answer to a question about nothing."""
    state = given(flow(group("g", PLAN)), START, succeeded("plan#1")).state
    given(state).when(respond("approve", "ann", "plan-7")).then_rejected("subject-mismatch")


def test_an_option_is_one_of_two_and_another_one() -> None:
    """An unknown option is refused, the one that holds is no change (S8.15)."""
    for option, verdict in (("ask", "rejected(unknown-option)"), ("prompt", "ignored(no-change)")):
        change = events.ApprovalOptionChanged(at_ms=0, option=option, by="ann")
        assert str(reduce(given(WORKING, START).state, change).verdict) == verdict


# --- cancel, retry-now, append ---


def cancel(**named: str) -> events.CancelRequested:
    """A cancel that names a part of the flow."""
    return events.CancelRequested(at_ms=0, by="ann", **named)


def test_only_what_has_not_finished_can_be_cancelled() -> None:
    """A step or a group that is over is refused; any that is not cancels the flow (S9.1)."""
    running = given(flow(group("g", "a", "b"), group("h", "c")), START, succeeded("a#1"))
    running.when(cancel(step="a")).then_rejected("already-finished")
    for named in ({"step": "b"}, {"step": "c"}, {"group": "g"}, {"group": "h"}):
        running.when(cancel(**named)).then_status("cancelling")
    later = given(running.state, succeeded("b#1"))
    later.when(cancel(group="g")).then_rejected("already-finished")


def test_only_what_is_there_can_be_cancelled() -> None:
    """An unknown step or group is refused, and the step is looked up first."""
    for state in (given(WORKING), given(WORKING, START)):
        state.when(cancel(step="x")).then_rejected("unknown-step")
        state.when(cancel(group="x")).then_rejected("unknown-group")
        state.when(cancel(step="x", group="y")).then_rejected("unknown-step")


def test_a_parked_failure_can_be_cancelled() -> None:
    """What waits for a person has not finished."""
    parked = given(flow(group("g", "a"), options=PARKING), START, failed("a#1"))
    parked.when(cancel(step="a")).then_status("cancelled", a="cancelled")


def now(step: str) -> events.RetryNowRequested:
    """Somebody does not want to wait."""
    return events.RetryNowRequested(at_ms=0, step=step, by="ann")


def test_only_a_wait_can_be_cut_short() -> None:
    """An unknown step is refused, and so is one that waits out no backoff (S11.3)."""
    spec = flow(group("g", SLOW, "b"), group("h", "c"))
    alone = given(spec, START, failed("slow#1"))
    alone.when(now("x")).then_rejected("unknown-step")
    alone.when(now("b")).then_rejected("not-waiting")
    alone.when(now("slow")).then_dispatched("slow#2")
    whole = given(spec, START, failed("slow#1", directive="retry-group"))
    whole.when(now("c")).then_rejected("not-waiting")
    whole.when(now("b")).then_dispatched("slow#2")


def appended(*groups: GroupSpec) -> events.AppendRequested:
    """Somebody wants these groups done too."""
    return events.AppendRequested(at_ms=0, by="ann", groups=groups)


@pytest.mark.parametrize("before", [[], [START]])
@pytest.mark.parametrize(
    ("groups", "verdict"),
    [
        ([], "ignored(no-change)"),
        ([group("g", "c")], "rejected(duplicate-key)"),
        ([group("h", "b")], "rejected(duplicate-key)"),
        ([group("h", "c", "c"), group("i", "a")], "rejected(duplicate-key)"),
        ([group("h", "c", "c")], "rejected(invalid-groups)"),
        ([group("h", "c"), group("h", "d")], "rejected(invalid-groups)"),
        ([group("h")], "rejected(invalid-groups)"),
        ([group("h", StepSpec(key="c", needs=["x"]))], "rejected(invalid-groups)"),
        ([group("h", StepSpec(key="c", needs=["b"]))], "accepted"),
        ([group("a", "g")], "accepted"),
    ],
)
def test_groups_that_are_appended_are_new_and_valid(
    before: list[Event], groups: list[Any], verdict: str
) -> None:
    """Known keys are refused first, then what the validator of specs refuses (S11.4)."""
    assert str(reduce(given(WORKING, *before).state, appended(*groups)).verdict) == verdict


def rerun(index: int = 0, flow_id: str = "flow") -> events.RerunRequested:
    """A retry of step a, or the second leg of a continue-as-new."""
    return events.RerunRequested(
        at_ms=0, by="ann", flow_id=flow_id, step_id="a", continue_from_idx=index
    )


KEY: Final = "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
REFUSALS: Final[list[tuple[tuple[Any, ...], Event, str]]] = [
    ((WORKING,), PAUSE, "the flow has not started"),
    ((WORKING, cancelled()), PAUSE, "the flow has ended"),
    ((WORKING, START, cancelled()), PAUSE, "the flow is being cancelled"),
    (ASKING, answered("nowhere"), "no step is named 'nowhere'"),
    (ASKING, answered("apply"), "'apply#1' is pending"),
    (ASKING, respond("deny", "eve"), "'eve' is not among ['ann', 'bob', 'cid']"),
    (ASKING, respond("approve", "bob", "plan-6"), "'plan-6' was answered, not 'plan-7'"),
    (ASKING, respond("approve", "ann"), "'ann' has approved 'plan#1' before"),
    (ASKING, respond("skip-current", "bob"), "step 'plan' may not be skipped by a person"),
    (ASKING, respond("retry", "bob"), "'plan#1' used up its 0 retries"),
    (ASKING, respond("dance", "bob"), "'dance' is no answer to an approval"),
    (
        ASKING,
        events.ApprovalOptionChanged(at_ms=0, option="ask", by="ann"),
        "'ask' is neither prompt nor approve-all",
    ),
    (ASKING, cancel(step="nowhere"), "no step is named 'nowhere'"),
    (ASKING, cancel(group="nowhere"), "no group is named 'nowhere'"),
    ((WORKING, START, succeeded("a#1")), cancel(step="a"), "step 'a' has finished"),
    (
        (flow(group("g", "a"), group("h", "b")), START, succeeded("a#1")),
        cancel(group="g"),
        "group 'g' has finished",
    ),
    (ASKING, rerun(flow_id="other"), "'other' was named, this is 'flow'"),
    (ASKING, rerun(index=7), "7 is not the index of the current group of a live flow"),
    (
        ASKING,
        events.GroupRetryRequested(at_ms=0, group="nowhere", by="ann"),
        "no group is named 'nowhere'",
    ),
    (ASKING, now("nowhere"), "no step is named 'nowhere'"),
    (ASKING, now("apply"), "'apply#1' is pending and waits out no backoff"),
    (ASKING, appended(group("g", "c")), "'g' is a key of the flow already"),
    (
        ASKING,
        appended(group("h", "c c")),
        f"groups[0].steps[0].key: 'c c' does not match {KEY}",
    ),
    (
        ASKING,
        appended(group("h"), group("i")),
        "groups[0].steps: expected at least one step; groups[1].steps: expected at least one step",
    ),
]


@pytest.mark.parametrize(("history", "request_", "why"), REFUSALS)
def test_a_refusal_says_why_to_the_person(
    history: tuple[Any, ...], request_: Event, why: str
) -> None:
    """The message of a rejection names what was wrong."""
    verdict = reduce(given(*history).state, request_).verdict
    assert isinstance(verdict, Rejected)
    assert verdict.message == why
