"""What is told to be legal is accepted, and whatever is accepted is of a kind that is told."""

from __future__ import annotations

from collections.abc import Hashable

from hypothesis import assume, given
from hypothesis import strategies as st

from conductor_adapters.debugger.legal import legal_facts, legal_requests
from conductor_core import events, explain, reduce
from conductor_core.events import Event, is_request
from conductor_core.legality import ACCEPTED
from conductor_core.state import FlowState
from conductor_core.testing.arbitrary.plays import Play
from conductor_core.testing.strategies import events_for, plays


def last(play: Play) -> tuple[FlowState, int]:
    """Where a play ends, and when."""
    state = play.transitions[-1].state if play.transitions else play.start
    return state, max([0, *(event.at_ms for event in play.events)])


def legal(state: FlowState, now_ms: int) -> list[Event]:
    """Every event that is told."""
    requests = legal_requests(state, explain(state), now_ms)
    return [*legal_facts(state, now_ms), *requests]


def kind(state: FlowState, event: Event) -> tuple[Hashable, ...]:
    """What is told apart of an event (see `legal`)."""
    name: Hashable = type(event).__name__
    match event:
        case events.StepStarted():
            return name, event.attempt
        case events.StepFinished():
            return name, event.attempt, event.outcome
        case events.TimerFired():
            return name, event.timer
        case events.GroupsGenerated():
            return name, event.complete
        case events.ApprovalResponded():
            return name, event.step, event.response
        case events.ApprovalOptionChanged():
            return name, event.option
        case events.GroupRetryRequested():
            return name, event.group
        case events.RetryNowRequested():
            return name, event.step
        case events.RerunRequested():
            return name, *kind_of_rerun(state, event)
        case _:
            return (name,)


def kind_of_rerun(state: FlowState, event: events.RerunRequested) -> tuple[Hashable, ...]:
    """The step and the operation of a rerun, and from where on all is planned anew."""
    if event.continue_from_idx:
        return ("take over",)
    step = event.step_id
    if state.catalog.position_of(step) is None:
        step = step.rpartition("#")[0]
    if event.stale_plan and event.operation == "retry-step":
        return step, "from", event.replan_step_id
    return step, event.operation


def is_left_out(state: FlowState, event: Event) -> bool:
    """Whether it has another step of a parallel group planned anew, which is not told."""
    return (
        isinstance(event, events.RerunRequested)
        and event.stale_plan
        and bool(state.span)
        and state.catalog.groups[state.current].parallel
    )


@given(plays(most=60))
def test_what_is_told_is_accepted(play: Play) -> None:
    """Each event by the reducer, facts and requests each with their own, at its time."""
    state, now_ms = last(play)
    for event in legal(state, now_ms):
        assert reduce(state, event).verdict is ACCEPTED, event
        due_at_ms = 0
        if isinstance(event, events.TimerFired):
            due_at_ms = dict(state.timers())[event.timer]
        assert event.at_ms == max(now_ms, due_at_ms)
    assert not any(is_request(fact) for fact in legal_facts(state, now_ms))


@given(plays(most=60), st.data())
def test_what_is_accepted_is_told(play: Play, data: st.DataObject) -> None:
    """Whatever may come next and counts is of a kind that is told; the same event twice is not."""
    state, now_ms = last(play)
    told = [kind(state, event) for event in legal(state, now_ms)]
    for _ in range(8):
        event = data.draw(events_for(state, at_ms=now_ms))
        if reduce(state, event).verdict is ACCEPTED and not is_left_out(state, event):
            assert kind(state, event) in told, event


@given(plays(most=60))
def test_no_event_is_told_twice(play: Play) -> None:
    """What differs in nothing is one thing to tell."""
    state, now_ms = last(play)
    told = legal(state, now_ms)
    assert len(told) == len(set(told))


@given(plays(most=60))
def test_a_flow_that_waits_for_its_host_says_what_for(play: Play) -> None:
    """Whatever lives, and waits for no person, has a fact that counts."""
    state, now_ms = last(play)
    assume(state.is_live and not explain(state).for_people)
    facts = [*legal_facts(state, now_ms)]
    assert any(not isinstance(fact, events.ContinueAsNewSuggested) for fact in facts)
