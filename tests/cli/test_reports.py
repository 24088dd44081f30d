"""What the host may report now, in words, and the timer that is due next."""

from __future__ import annotations

from typing import Any, Final

import pytest

from conductor_adapters.cli.reports import (
    next_timer_as_data,
    told_fact,
    told_facts,
    told_next_timer,
)
from conductor_adapters.debugger.legal import example_group, legal_facts
from conductor_core import FlowOptions, FlowSpec, RetryPolicy, StepSpec, events, explain, reduce
from conductor_core.events import Event
from conductor_core.state import FlowState, initial_state
from conductor_core.testing.brief import START, failed, flow, group, succeeded

GROWS_LONG: Final = "that its history grows long (continue-as-new-suggested)"


def state_of(spec: FlowSpec, *sent: Event) -> FlowState:
    """Where these events lead a flow."""
    state = initial_state(spec, "flow")
    for event in sent:
        state = reduce(state, event).state
    return state


def told(spec: FlowSpec, *sent: Event, now_ms: int = 0) -> list[str]:
    """What the host may report there."""
    return list(told_facts(legal_facts(state_of(spec, *sent), now_ms), now_ms))


def next_timer(spec: FlowSpec, *sent: Event, now_ms: int = 0) -> list[str]:
    """What is told of the next timer."""
    state = state_of(spec, *sent)
    return list(told_next_timer(state, explain(state), now_ms))


def test_what_runs_may_be_reported() -> None:
    """A start once, an end as long as there is none, and nothing of what does not run."""
    spec = flow(group("g", "a", "b", parallel=True), group("h", "c"))
    begun = events.StepStarted(at_ms=0, attempt="a#1")
    assert told(spec, START, begun) == [
        "how work ended: a#1, b#1 (step-finished)",
        "that work has begun: b#1 (step-started)",
        GROWS_LONG,
    ]


def test_of_many_attempts_some_are_named() -> None:
    """All others are counted."""
    wide = flow(group("g", *(f"s{n}" for n in range(2_000)), parallel=True))
    line, *_ = told(wide, START)
    assert line == "that work has begun: s0#1, s1#1, s2#1, s3#1, s4#1 and 1,995 more (step-started)"


def test_a_start_is_all_there_is_before_it() -> None:
    """And nothing after the end."""
    assert told(flow(group("g", "a"))) == ["that the flow has started (flow-started)"]
    assert told(flow(group("g", "a")), START, succeeded("a#1")) == []


def test_groups_may_come_or_fail_to() -> None:
    """All that answers the command to generate them."""
    assert told(FlowSpec(), START) == [
        "the last of the groups that are generated (groups-generated)",
        "some of the groups that are generated (groups-generated)",
        "that no more groups are generated (groups-generated)",
        "that the groups could not be generated (generation-failed)",
        GROWS_LONG,
    ]


def test_a_continuation_is_reported_once_it_is_asked_for() -> None:
    """It answers the command to continue as new."""
    often = FlowOptions(continue_as_new_every=1)
    spec = flow(group("g", "a"), group("h", "b"), options=often)
    assert told(spec, START, succeeded("a#1")) == [
        "that it runs on with a fresh history (continued-as-new)"
    ]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [("succeeded", "succeeded"), ("failed", "failed"), ("cancelled", "was cancelled")],
)
def test_a_fact_by_itself_says_all_of_it(outcome: Any, words: str) -> None:
    """How work ended is told apart for programs."""
    fact = events.StepFinished(at_ms=0, attempt="a#1", outcome=outcome)
    assert told_fact(fact, 0) == f"that the work of a#1 {words} (step-finished)"


def test_an_example_has_a_key_that_is_new() -> None:
    """Whatever keys the flow has."""
    state = state_of(flow(group("new", "a"), group("g", "new-step-2")))
    assert example_group(state, "new") == group("new-3", "new-step-3")


# --- the next timer ---

TIMED: Final = StepSpec(
    key="a", timeout_ms=5_000, retry=RetryPolicy(max_auto_retries=1, backoff_ms=[90], jitter=False)
)


def test_the_next_timer_says_what_it_is_for_and_leads_to() -> None:
    """Of those that are open the first."""
    late = StepSpec(key="b", timeout_ms=60_000)
    assert next_timer(flow(group("g", TIMED, late, parallel=True)), START, now_ms=1_000) == [
        "next timer: timeout:a#1, the time limit of its work, due in 4 s, before 1 other timer",
        "  then a#1 is error (timeout); cancel a#1, timer backoff:a#2 in 0.09 s",
    ]


@pytest.mark.parametrize(
    ("now_ms", "due"), [(0, "due in 0.09 s"), (90, "due now"), (1_090, "due since 1 s")]
)
def test_a_timer_that_is_due_says_since_when(now_ms: int, due: str) -> None:
    """Its host is away, or about to fire it."""
    assert next_timer(flow(group("g", TIMED)), START, failed("a#1"), now_ms=now_ms) == [
        f"next timer: backoff:a#2, the end of its backoff, {due}",
        "  then a#2 is queued; timer timeout:a#2 in 5 s, dispatch a#2",
    ]


def test_a_timer_that_sets_nothing_going_says_what_the_flow_is_then() -> None:
    """The backoff of a group ends while the flow is paused."""
    of_group = RetryPolicy(max_auto_retries=1, scope="group", backoff_ms=[90], jitter=False)
    pause = events.PauseRequested(at_ms=0, by="ann")
    spec = flow(group("g", StepSpec(key="a", retry=of_group)))
    assert next_timer(spec, START, failed("a#1"), pause)[1] == "  then the flow is paused"


def test_programs_get_the_event_of_its_firing() -> None:
    """Not before it is due, and not before now."""
    state = state_of(flow(group("g", TIMED)), START)
    data = next_timer_as_data(state, explain(state), 7_000)
    assert data is not None
    assert (data["due_at_ms"], data["in_ms"]) == (5_000, -2_000)
    assert data["event"] == {"type": "timer-fired", "at_ms": 7_000, "timer": "timeout:a#1"}
    ended = state_of(flow(group("g", "a")))
    assert next_timer_as_data(ended, explain(ended), 0) is None
