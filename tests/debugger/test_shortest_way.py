"""The shortest way from where a flow stands to its end."""

from __future__ import annotations

from itertools import count
from typing import Final

import pytest
from attrs import evolve

from conductor_adapters.cli.ways import told_way, way_as_data
from conductor_adapters.debugger.shortest_way import Means, Way, shortest_way
from conductor_adapters.debugger.walk import least
from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    RetryPolicy,
    StepSpec,
    events,
    reduce,
)
from conductor_core.events import Event, StepError
from conductor_core.state import FlowState, initial_state
from conductor_core.testing.brief import START, answered, failed, flow, group, succeeded

PLAN: Final = StepSpec(key="plan", approval=ApprovalSpec(required=2))
WAITS: Final = StepSpec(key="w", retry=RetryPolicy(max_auto_retries=1, backoff_ms=[70]))
PARKING: Final = FlowOptions(on_failure="await-retry")
PAUSE: Final = events.PauseRequested(at_ms=0, by="ann")
FINAL: Final = StepError(message="no", terminal=True)


def state_of(spec: FlowSpec, *sent: Event) -> FlowState:
    """Where these events lead a flow."""
    state = initial_state(spec, "flow")
    for event in sent:
        state = reduce(state, event).state
    return state


def told(spec: FlowSpec, *sent: Event, now_ms: int = 0) -> list[str]:
    """What is told of the way from there."""
    state = state_of(spec, *sent)
    return list(told_way(shortest_way(state, now_ms), state))


def test_work_succeeds_and_people_approve() -> None:
    """Whoever may approve is named only where not everybody may."""
    ann = StepSpec(key="check", approval=ApprovalSpec(approvers=["ann"]))
    assert told(flow(group("g", PLAN, ann))) == [
        "the shortest way to success: 6 events",
        "  the flow starts",
        "  the work of plan#1 succeeds",
        "  somebody approves plan",
        "  somebody else approves plan",
        "  the work of check#1 succeeds",
        "  ann approves check",
    ]


def test_what_was_approved_by_one_is_approved_by_somebody_else() -> None:
    """An approval that was given counts."""
    sent = (START, succeeded("plan#1"), answered("plan"))
    assert told(flow(group("g", PLAN)), *sent)[1:] == ["  somebody else approves plan"]


def test_a_paused_flow_is_resumed() -> None:
    """Unless what runs is all that is left."""
    both = flow(group("g", "a", "b"))
    assert told(both, START, PAUSE)[1:] == [
        "  the work of a#1 succeeds",
        "  somebody resumes the flow",
        "  the work of b#1 succeeds",
    ]
    assert told(flow(group("g", "a")), START, PAUSE)[1:] == ["  the work of a#1 succeeds"]


@pytest.mark.parametrize("options", [FlowOptions(), PARKING])
def test_what_failed_is_retried(options: FlowOptions) -> None:
    """Whether the flow stopped or waits for that."""
    assert told(flow(group("g", "a", "b"), options=options), START, failed("a#1")) == [
        "the shortest way to success: 3 events",
        "  somebody retries a",
        "  the work of a#2 succeeds",
        "  the work of b#1 succeeds",
    ]


def test_a_group_is_retried_as_a_whole_where_that_takes_fewer_requests() -> None:
    """Of three steps that failed side by side."""
    spec = flow(group("g", "a", "b", "c", parallel=True), options=PARKING)
    lines = told(spec, START, failed("a#1"), failed("b#1"), failed("c#1"))
    assert lines[:2] == [
        "the shortest way to success: 4 events",
        "  somebody retries the whole group g",
    ]


def test_a_wait_ends_when_its_timer_is_due() -> None:
    """No event of a way is too early."""
    slow = StepSpec(key="a", retry=RetryPolicy(max_auto_retries=1, backoff_ms=[70], jitter=False))
    state = state_of(flow(group("g", slow)), START, failed("a#1"))
    way = shortest_way(state, 20)
    assert isinstance(way, Way)
    assert [event.at_ms for event in way.events] == [70, 70]
    assert [*told_way(way, state)][1] == "  timer backoff:a#2 fires"


def test_a_plan_that_is_stale_is_worked_out_anew() -> None:
    """Whoever approves it has it made again."""
    plan = StepSpec(key="plan", approval=ApprovalSpec(stale_after_ms=50))
    sent = (START, succeeded("plan#1"))
    assert told(flow(group("g", plan)), *sent, now_ms=49)[1:] == ["  somebody approves plan"]
    assert told(flow(group("g", plan)), *sent, now_ms=50)[1:] == [
        "  somebody approves plan",
        "  the work of plan#2 succeeds",
        "  somebody approves plan",
    ]


def test_groups_are_generated_before_they_run() -> None:
    """Which ones, nobody knows: there is an example of one."""
    assert told(FlowSpec()) == [
        "the shortest way to success: 3 events",
        "  the flow starts",
        "  the host generates groups, such as generated",
        "  the work of generated-step#1 succeeds",
    ]
    some = events.GroupsGenerated(at_ms=0, groups=[group("g", "a")], complete=False)
    lines = told(FlowSpec(), START, some)
    assert sorted(lines[1:]) == [
        "  the host generates no more groups",
        "  the work of a#1 succeeds",
    ]


def test_a_flow_continues_as_new_on_its_way() -> None:
    """That is an event of the host, too."""
    often = FlowOptions(continue_as_new_every=1)
    lines = told(flow(group("g", "a"), group("h", "b"), options=often), START)
    assert lines[0] == "the shortest way to success: 3 events"
    assert lines[2] == "  the host continues as new"


def test_nothing_is_skipped_that_need_not_be() -> None:
    """What may not be retried is skipped, and what stands behind it runs."""
    spec = flow(group("g", "a"), group("h", "b", "c"))
    assert told(spec, START, failed("a#1", error=FINAL)) == [
        "the shortest way to success: 3 events, by skips: nothing else leads there",
        "  somebody skips a",
        "  the work of b#1 succeeds",
        "  the work of c#1 succeeds",
    ]


def test_who_is_in_the_way_is_skipped_along() -> None:
    """Two steps stopped the flow, and neither may be retried."""
    spec = flow(group("g", "a", "b", parallel=True))
    lines = told(spec, START, failed("a#1", error=FINAL), failed("b#1", error=FINAL))
    assert lines[1] == "  somebody skips a and skips b along"


def test_what_cannot_succeed_is_led_to_another_end() -> None:
    """A cancel is never taken back; a flow that stops for good ends once its work does."""
    cancel = events.CancelRequested(at_ms=0, by="ann")
    assert told(flow(group("g", "a", "b", parallel=True)), START, cancel) == [
        "the shortest way to an end: 1 event: it cannot succeed any more",
        "  timer cancel fires",
    ]


def test_a_search_keeps_to_the_times_of_timers_too() -> None:
    """The grace of a cancel is over when it is, and that of one long ago is now."""
    cancel = events.CancelRequested(at_ms=0, by="ann")
    state = state_of(flow(group("g", "a", "b", parallel=True)), START, cancel)
    for now_ms, fires_ms in ((5, 30_000), (90_000, 90_000)):
        way = shortest_way(state, now_ms)
        assert isinstance(way, Way)
        assert [event.at_ms for event in way.events] == [fires_ms]


@pytest.mark.parametrize(
    ("steps", "sent", "events_left"),
    [
        (("a", "b"), (), 3),
        (("a", "b"), (START,), 2),
        (("a", "b"), (START, PAUSE), 3),
        (("a",), (START, PAUSE), 1),
        ((PLAN, "b"), (START,), 4),
        ((PLAN, "b"), (START, succeeded("plan#1"), answered("plan")), 2),
        ((WAITS, "b"), (START, failed("w#1")), 3),
        ((WAITS, "b"), (START, failed("w#1", error=FINAL)), 3),
        ((StepSpec(key="none", skipped=True), "b"), (), 2),
    ],
)
def test_the_least_is_what_nobody_can_do_without(
    steps: tuple[StepSpec | str, ...], sent: tuple[Event, ...], events_left: int
) -> None:
    """A start, a resume, a report of each step, its approvals, the end of its wait, a retry."""
    assert least(state_of(flow(group("g", *steps)), *sent)) == events_left


def test_a_group_that_is_parked_is_retried_without_its_waits() -> None:
    """One request makes again what failed, and what waits to be retried."""
    spec = flow(group("g", WAITS, evolve(WAITS, key="v"), "b", parallel=True))
    parks = events.StepFinished(at_ms=0, attempt="b#1", outcome="failed", directive="await-retry")
    lines = told(spec, START, failed("w#1"), failed("v#1"), parks)
    assert lines == [
        "the shortest way to success: 4 events",
        "  somebody retries the whole group g",
        "  the work of w#3 succeeds",
        "  the work of v#3 succeeds",
        "  the work of b#2 succeeds",
    ]


def test_what_was_planned_before_need_not_be_made_again() -> None:
    """A step that retries its group may be retried alone, also beside others (S10.3)."""
    scoped = StepSpec(key="b", retry=RetryPolicy(scope="group"))
    for parallel in (False, True):
        spec = flow(group("g", "a", scoped, parallel=parallel))
        assert told(spec, START, succeeded("a#1"), failed("b#1")) == [
            "the shortest way to success: 2 events",
            "  somebody retries b, and has all made again from b",
            "  the work of b#2 succeeds",
        ]


def test_policies_that_approve_need_nobody() -> None:
    """A plan that may pass by itself is not put to three people (S8.2)."""
    by_itself = ApprovalSpec(auto_approve_on_policy_pass=True, required=3)
    assert told(flow(group("g", StepSpec(key="plan", approval=by_itself), "b")), START) == [
        "the shortest way to success: 2 events",
        "  the work of plan#1 succeeds, and its policies pass",
        "  the work of b#1 succeeds",
    ]


def test_a_plan_that_people_are_asked_about_is_not_made_again() -> None:
    """Also where that would take fewer events, if the policies passed the next time."""
    by_itself = ApprovalSpec(auto_approve_on_policy_pass=True, required=3)
    spec = flow(group("g", StepSpec(key="plan", approval=by_itself)))
    assert told(spec, START, succeeded("plan#1"))[0] == "the shortest way to success: 3 events"


def test_a_flow_that_finished_has_no_way() -> None:
    """It succeeded, or nothing revives it."""
    assert told(flow(group("g", "a")), START, succeeded("a#1")) == [
        "it has finished (success): nothing is left to do"
    ]
    fixed = StepSpec(key="a", retryable=False, skippable=False)
    assert told(flow(group("g", fixed)), START, failed("a#1")) == [
        "it has finished (error), and no retry and no skip leads to success"
    ]


def test_what_is_not_proven_is_called_a_short_way() -> None:
    """A search that may look at nothing leaves the walk; one that is all there is says nothing."""
    spec = flow(group("g", "a", "b", "c", parallel=True), options=PARKING)
    sent = (failed("a#1"), failed("b#1"), failed("c#1"))
    state = state_of(spec, START, *sent)
    way = shortest_way(state, 0, most_states=1)
    assert next(told_way(way, state)) == "a short way to success: 6 events"
    hopeless = state_of(flow(group("g", "a", "b")), START, failed("a#1", error=FINAL))
    assert [*told_way(shortest_way(hopeless, 0, enough=lambda: True), hopeless)] == [
        "a way to its end was not found within the bounds of the search"
    ]


def test_a_way_that_is_given_up_says_how_long_it_is_at_least() -> None:
    """Of a large flow only so much is walked as there is time for."""
    state = state_of(flow(group("g", *(f"s{n}" for n in range(1_200)), parallel=True)), START)
    calls = count()
    way = shortest_way(state, 0, enough=lambda: next(calls) >= 30)
    lines = [*told_way(way, state)]
    assert lines[0] == "a way that may lead to success: at least 1,200 events"
    assert len(lines) == 12
    assert lines[-1] == "  and 1,190 more"
    data = way_as_data(way)
    assert (data["whole"], data["shortest"], data["means"]) == (False, False, Means.PLAIN)
    assert len(data["events"]) == 30


def test_the_way_of_ten_thousand_steps_is_proven() -> None:
    """It takes no search."""
    groups = [group(f"g{n}", *(f"s{n}-{m}" for m in range(50)), parallel=True) for n in range(200)]
    state = state_of(flow(*groups), START)
    way = shortest_way(state, 0)
    assert isinstance(way, Way)
    assert (way.shortest, way.count) == (True, 10_000)
