"""Why a flow waits, who can unblock it, and what would be accepted now."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    RetryPolicy,
    StepSpec,
    events,
    explain,
    reduce,
)
from conductor_core.codec import encode_event
from conductor_core.events import Event
from conductor_core.explain import (
    RESPONSES,
    Explanation,
    Quorum,
    Wait,
    enough_names,
    waits_for_people,
)
from conductor_core.state import FlowState
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
from conductor_core.verdicts import Accepted

PAUSE: Final = events.PauseRequested(at_ms=0, by="ann")
PLAN: Final = StepSpec(
    key="plan", approval=ApprovalSpec(required=2, approvers=["ann", "bob", "cid"], timeout_ms=900)
)
SLOW: Final = StepSpec(
    key="slow", retry=RetryPolicy(max_auto_retries=1, backoff_ms=[1000], jitter=False)
)
PARKING: Final = FlowOptions(on_failure="await-retry")

TOLD: Final[dict[str, tuple[FlowSpec, list[Event], list[str]]]] = {
    "before the start": (
        flow(group("g", "a")),
        [],
        ["flow is pending", "waits for its start (host)"],
    ),
    "for work": (
        flow(group("g", StepSpec(key="a", timeout_ms=70), "b")),
        [START],
        [
            "flow is in-progress",
            "waits for a#1: the end of its work (worker, at the latest at 70 ms)",
        ],
    ),
    "for everything at once": (
        flow(group("g", "a", PLAN, SLOW, "c", parallel=True), options=PARKING),
        [START, failed("c#1"), failed("slow#1"), succeeded("plan#1"), answered("plan")],
        [
            "flow is in-progress",
            "waits for a#1: the end of its work (worker)",
            "waits for plan#1: 1 of 2 approvals, by bob or cid (person, at the latest at 900 ms)",
            "waits for slow#2: the end of its backoff (clock, at the latest at 1000 ms)",
            "waits for c#1: a retry or a skip (person)",
        ],
    ),
    "for anybody's approval": (
        flow(group("g", StepSpec(key="a", approval=ApprovalSpec()))),
        [START, succeeded("a#1")],
        ["flow is approval-awaiting", "waits for a#1: 0 of 1 approvals (person)"],
    ),
    "for a group's backoff": (
        flow(group("g", SLOW)),
        [START, failed("slow#1", directive="retry-group")],
        [
            "flow is in-progress",
            "waits for g: the end of its backoff (clock, at the latest at 1000 ms)",
        ],
    ),
    "for its groups": (
        FlowSpec(),
        [START],
        ["flow is in-progress", "waits for the groups that are being generated (host)"],
    ),
    "for its host": (
        flow(group("g", "a"), group("h", "b"), options=FlowOptions(continue_as_new_every=1)),
        [START, succeeded("a#1")],
        ["flow is in-progress", "waits for its continuation as new (host)"],
    ),
    "for somebody to resume it": (
        flow(group("g", "a", "b")),
        [START, PAUSE, succeeded("a#1")],
        ["flow is paused", "waits for somebody to resume it (person)"],
    ),
    "for its cancel": (
        flow(group("g", "a"), options=FlowOptions(cancel_grace_ms=40)),
        [START, PAUSE, cancelled(at_ms=2)],
        [
            "flow is cancelling",
            "waits for a#1: the end of its work (worker)",
            "waits for the acknowledgement of its cancel (worker, at the latest at 42 ms)",
        ],
    ),
    "for nothing": (flow(group("g", "a")), [START, succeeded("a#1")], ["flow is success"]),
}


@pytest.mark.parametrize("why", TOLD)
def test_a_flow_says_what_it_waits_for(why: str) -> None:
    """Each thing that it waits for stands with who can end it, and when at the latest."""
    spec, history, told = TOLD[why]
    assert str(explain(given(spec, *history).state)) == "\n  ".join(told)


def test_an_explanation_is_data() -> None:
    """What is told in words can be asked for in parts."""
    timed = StepSpec(key="a", timeout_ms=70)
    state = given(flow(group("g", timed)), START, events.StepStarted(at_ms=5, attempt="a#1")).state
    assert explain(state) == Explanation(
        status="in-progress",
        waits=(Wait(what="the end of its work", who="worker", subject="a#1", due_at_ms=70),),
        for_people=False,
        quorums=(),
        legal=explain(state).legal,
        next_timer=("timeout:a#1", 70),
    )


def test_the_next_timer_is_the_one_that_is_due_first() -> None:
    """Of two that are due together the first by name; where none is open there is none."""
    times = {"b": 50, "c": 70, "a": 50}
    steps = [StepSpec(key=key, timeout_ms=due) for key, due in times.items()]
    spec = flow(group("g", *steps, parallel=True))
    assert explain(given(spec, START).state).next_timer == ("timeout:a#1", 50)
    assert explain(given(spec).state).next_timer is None


# --- who is needed ---


@pytest.mark.parametrize("why", TOLD)
def test_a_flow_that_waits_for_people_alone_says_so(why: str) -> None:
    """Whether nothing else moves it on is asked of the state, and cheap."""
    spec, history, _ = TOLD[why]
    state = given(spec, *history).state
    waits = explain(state).waits
    alone = bool(waits) and all(wait.who == "person" for wait in waits)
    assert (explain(state).for_people, waits_for_people(state)) == (alone, alone)


def test_a_flow_that_is_paused_over_an_approval_waits_for_people() -> None:
    """Somebody must answer it and somebody resume it; that it may expire is another matter."""
    state = given(flow(group("g", PLAN, "b")), START, PAUSE, succeeded("plan#1")).state
    assert [wait.who for wait in explain(state).waits] == ["person", "person"]
    assert explain(state).for_people


def test_an_open_approval_knows_who_may_still_give_it() -> None:
    """Who approved, how many are missing, whose approval counts, and until when."""
    stale = evolve(PLAN, approval=evolve(PLAN.approval or ApprovalSpec(), stale_after_ms=50))
    history: list[Event] = [START, succeeded("plan#1", at_ms=7), answered("plan")]
    (quorum,) = explain(given(flow(group("g", stale)), *history).state).quorums
    assert quorum == Quorum(
        attempt="plan#1",
        step="plan",
        required=2,
        given=("ann",),
        approvers=("ann", "bob", "cid"),
        stale_at_ms=57,
    )
    assert (quorum.missing, quorum.left) == (1, ("bob", "cid"))
    anybody = flow(group("g", StepSpec(key="a", approval=ApprovalSpec())))
    (quorum,) = explain(given(anybody, START, succeeded("a#1")).state).quorums
    assert (quorum.missing, quorum.left, quorum.stale_at_ms) == (1, None, None)


def asked(required: int, *approved: str, by: tuple[str, ...] | None = None) -> Quorum:
    """An approval that was asked for."""
    return Quorum(
        attempt="a#1", step="a", required=required, given=approved, approvers=by, stale_at_ms=None
    )


@pytest.mark.parametrize(
    ("quorums", "missing", "anew"),
    [
        ([], ((), 0), ((), 0)),
        ([asked(2)], ((), 2), ((), 2)),
        ([asked(2, "cid")], ((), 1), (("cid",), 1)),
        ([asked(2, "bob", by=("ann", "bob", "cid"))], (("ann",), 0), (("bob", "ann"), 0)),
        # One who is named for another approval counts here too, unless they have approved it.
        ([asked(1, by=("cid",)), asked(2)], (("cid",), 1), (("cid",), 1)),
        ([asked(1, by=("cid",)), asked(2, "cid")], (("cid",), 1), (("cid",), 1)),
        ([asked(1, by=("cid",)), asked(1)], (("cid",), 0), (("cid",), 0)),
        ([asked(1, "ann")], ((), 0), (("ann",), 0)),
    ],
)
def test_enough_names_meet_all_approvals_together(
    quorums: list[Quorum], missing: tuple[object, int], anew: tuple[object, int]
) -> None:
    """Who must be named, and how many more of any name: for what is missing, or for all of it."""
    assert enough_names(quorums) == missing
    assert enough_names(quorums, anew=True) == anew


# --- what is legal now ---


def legal(state: FlowState) -> list[str]:
    """What is legal, by the names on the wire, with what it is about."""
    told: list[str] = []
    for event in explain(state).legal:
        wire = encode_event(event)
        about = [wire.get(key) for key in ("attempt", "timer", "step", "group", "option",
                                           "response", "step_id", "operation")]  # fmt: skip
        told.append(" ".join([wire["type"], *(name for name in about if name is not None)]))
    return told


def test_before_the_start_only_starting_and_cancelling_are_legal() -> None:
    """What else is accepted needs groups that only a person can think of (S4.4)."""
    assert legal(given(flow(group("g", "a"))).state) == ["flow-started", "cancel-requested"]


def test_while_work_runs_its_end_is_awaited() -> None:
    """The facts about what runs and the requests that make sense are legal."""
    spec = flow(group("g", StepSpec(key="a", timeout_ms=70), "b"))
    assert legal(given(spec, START).state) == [
        "step-started a#1",
        "step-finished a#1",
        "timer-fired timeout:a#1",
        "continue-as-new-suggested",
        "approval-option-changed approve-all",
        "pause-requested",
        "cancel-requested",
    ]


def test_an_open_approval_may_be_answered() -> None:
    """Every answer is legal, by somebody who may give it and has not."""
    state = given(flow(group("g", PLAN)), START, PAUSE, succeeded("plan#1"), answered("plan")).state
    told = legal(state)
    assert [told.count(f"approval-responded plan {response}") for response in RESPONSES] == [1] * 5
    assert "resume-requested" in told
    assert "pause-requested" not in told
    assert "group-retry-requested g" in told
    answers = [e for e in explain(state).legal if isinstance(e, events.ApprovalResponded)]
    assert {answer.by for answer in answers} == {"bob"}


def test_anybody_may_answer_where_nobody_is_named() -> None:
    """An approval without approvers is answered by anybody, once."""
    asked = StepSpec(key="a", approval=ApprovalSpec(required=2))
    state = given(flow(group("g", asked)), START, succeeded("a#1")).state
    assert "approval-responded a approve" in legal(state)
    state = given(state, answered("a", by="anybody")).state
    assert "approval-responded a approve" not in legal(state)
    assert "approval-responded a deny" in legal(state)


def test_a_failure_may_be_retried_or_skipped() -> None:
    """Parked or after the end, alone or with its group, as far as its spec allows."""
    told = legal(given(flow(group("g", "a"), options=PARKING), START, failed("a#1")).state)
    assert "rerun-requested a" in told
    assert "rerun-requested a skip-step" in told
    assert "group-retry-requested g" in told
    strict = StepSpec(key="a", skippable=False)
    assert legal(given(flow(group("g", strict)), START, failed("a#1")).state) == [
        "rerun-requested a",
        "group-retry-requested g",
    ]


def test_a_wait_may_be_cut_short() -> None:
    """The timer may fire, or somebody may hurry."""
    told = legal(given(flow(group("g", SLOW)), START, failed("slow#1")).state)
    assert "timer-fired backoff:slow#2" in told
    assert "retry-now-requested slow" in told


def test_a_host_may_answer_what_it_was_asked() -> None:
    """Generated groups and a fresh history are legal while they are awaited."""
    told = legal(given(FlowSpec(), START).state)
    assert {"groups-generated", "generation-failed"} <= set(told)
    spec = flow(group("g", "a"), group("h", "b"), options=FlowOptions(continue_as_new_every=1))
    assert "continued-as-new" in legal(given(spec, START, succeeded("a#1")).state)


def test_after_success_nothing_is_legal() -> None:
    """A flow that succeeded is over for good."""
    assert legal(given(flow(group("g", "a")), START, succeeded("a#1")).state) == []


@pytest.mark.parametrize("why", TOLD)
def test_what_is_legal_is_accepted(why: str) -> None:
    """Every event that an explanation names would count, and moves the flow."""
    spec, history, _ = TOLD[why]
    state = given(spec, *history).state
    for event in explain(state).legal:
        transition = reduce(state, event)
        assert transition.verdict == Accepted()
        assert transition.state != state
