"""A counterexample as a log that replays, and as a scenario that plays."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from conductor_core import ApprovalSpec, FlowOptions, FlowSpec, StepSpec, events
from conductor_core.checking import Alphabet, Story, check, sometimes
from conductor_core.checking.story import told_event
from conductor_core.events import Event
from conductor_core.log import replay
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group
from conductor_core.testing.scenario_format import decode_scenarios
from conductor_core.testing.scenario_play import play_scenario
from tests.checking.flows import AWAIT_RETRY, DEPLOY, ONCE, plan

EVERYTHING: Final = Alphabet(
    starts=True,
    retry_now=True,
    options=("approve-all",),
    suggestions=1,
    generated=(group("g", StepSpec(key="a", retry=ONCE)),),
    appended=(group("late", plan("z")),),
)
GENERATED: Final = flow()
PARKED: Final = flow(group("g", "a", "b"), options=AWAIT_RETRY)
RETRIED: Final = flow(group("g", StepSpec(key="a", retry=ONCE)))


def first(kind: type[Event], spec: FlowSpec) -> Story:
    """The shortest story that ends with an accepted event of a kind."""

    def met(before: FlowState, event: Event, after: Transition) -> bool:
        return isinstance(event, kind) and after.state is not before

    claim = sometimes("it happens", transition=met)
    finding = check(spec, claim, alphabet=EVERYTHING, theorems=(), max_states=500).findings[0]
    assert finding.verdict == "met"
    assert finding.story is not None
    return finding.story


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (events.FlowStarted, DEPLOY),
        (events.StepStarted, DEPLOY),
        (events.StepFinished, DEPLOY),
        (events.TimerFired, RETRIED),
        (events.GroupsGenerated, GENERATED),
        (events.GenerationFailed, GENERATED),
        (events.ContinueAsNewSuggested, DEPLOY),
        (events.ContinuedAsNew, DEPLOY),
        (events.ApprovalResponded, DEPLOY),
        (events.ApprovalOptionChanged, DEPLOY),
        (events.CancelRequested, DEPLOY),
        (events.RerunRequested, PARKED),
        (events.GroupRetryRequested, PARKED),
        (events.RetryNowRequested, RETRIED),
        (events.PauseRequested, DEPLOY),
        (events.ResumeRequested, DEPLOY),
        (events.AppendRequested, DEPLOY),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_every_kind_of_event_can_be_told(kind: type[Event], spec: FlowSpec) -> None:
    """Whatever a search sends stands in a log that replays and in a scenario that plays."""
    story = first(kind, spec)
    assert replay(story.log().splitlines(keepends=True)).state == story.state
    data = story.scenario("told")
    assert data is not None
    (scenario,) = decode_scenarios(data)
    assert play_scenario(scenario) == ()


def test_a_scenario_lets_time_pass_for_a_stale_plan() -> None:
    """Virtual time moves on before an answer that comes too late."""
    spec = flow(group("g", plan(approval=ApprovalSpec(stale_after_ms=9))))
    story = stale_story(spec)
    data = story.scenario("stale")
    assert data is not None
    assert {"advance": 9} in data["scenarios"][0]["do"]


def test_no_scenario_where_virtual_time_tells_another_story() -> None:
    """A plan that expires before it can be stale is stale only in a search without time."""
    spec = flow(group("g", plan(approval=ApprovalSpec(timeout_ms=5, stale_after_ms=9))))
    assert stale_story(spec).scenario("stale") is None


def stale_story(spec: FlowSpec) -> Story:
    """The shortest story in which a plan grows stale."""
    claim = sometimes("a plan is stale", stale)
    story = check(spec, claim, theorems=()).findings[0].story
    assert story is not None
    return story


def stale(state: FlowState) -> bool:
    """Whether the plan was made again because it was answered too late."""
    return any(attempt.reason == "stale-plan" for attempt in state.attempts())


def test_what_is_refused_is_told_with_its_verdict() -> None:
    """A scenario expects the refusal of what does not count."""
    start = events.FlowStarted(at_ms=0)
    deny = events.ApprovalResponded(at_ms=0, step="plan", response="deny", by="operator")
    late = events.StepFinished(at_ms=0, attempt="apply#1", outcome="succeeded")
    story = Story(DEPLOY, "flow", (start, deny, late))
    data = story.scenario("refused")
    assert data is not None
    told = [action.get("expect") for action in data["scenarios"][0]["do"]]
    assert told == [None, None, {"rejected": "not-awaiting-approval"}, {"ignored": "stale-attempt"}]
    assert str(story).splitlines()[1] == (
        "approval-responded step=plan response=deny by=operator: rejected(not-awaiting-approval)"
    )


def test_a_flow_with_a_plain_type_and_no_groups_can_be_told() -> None:
    """What a flow does not say its scenario does not say either."""
    data = Story(flow(options=FlowOptions()), "flow", ()).scenario("nothing")
    assert data is not None
    assert data["scenarios"][0]["flow"] == {}
    assert data["scenarios"][0]["expect"] == {"flow": "pending"}


def test_an_event_is_told_in_a_few_words() -> None:
    """An event is told by its tag and by what it says beside its time."""
    event = events.TimerFired(at_ms=3, timer="cancel")
    assert told_event(event) == told_event(evolve(event, at_ms=4)) == "timer-fired timer=cancel"
