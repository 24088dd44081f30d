"""A counterexample as a log that replays, and as a scenario that plays."""

from __future__ import annotations

from typing import Final

import pytest

from conductor_core import ApprovalSpec, FlowOptions, FlowSpec, StepSpec, events
from conductor_core.checking import Alphabet, Story, check, sometimes
from conductor_core.events import Event
from conductor_core.legality import ACCEPTED
from conductor_core.log import replay
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.testing.brief import START, answered, failed, fired, flow, group, succeeded
from conductor_core.testing.scenario_format import decode_scenarios
from conductor_core.testing.scenario_play import play_scenario
from conductor_core.testing.scenarios import Send
from conductor_core.testing.story_scenario import scenario_of
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
    assert finding.found == "met"
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
    data = scenario_of(story, "told")
    assert data is not None
    (scenario,) = decode_scenarios(data)
    assert play_scenario(scenario) == ()


@pytest.mark.parametrize(
    "event",
    [
        events.CancelRequested(at_ms=0, by="operator", group="g"),
        events.CancelRequested(at_ms=0, by="operator", step="b"),
        events.RerunRequested(at_ms=0, by="operator", flow_id="elsewhere", step_id="a"),
        events.RerunRequested(
            at_ms=0,
            by="operator",
            flow_id="flow",
            step_id="a",
            stale_plan=True,
            replan_step_id="a",
            additional_skip_step_ids=("b",),
        ),
        events.RerunRequested(
            at_ms=0, by="operator", flow_id="flow", step_id="", continue_from_idx=1
        ),
    ],
    ids=lambda event: type(event).__name__,
)
def test_every_field_of_a_request_is_told(event: Event) -> None:
    """A scenario asks for exactly what was asked for, whether or not it counted."""
    story = Story(PARKED, "flow", (START, failed("a#1"), event))
    data = scenario_of(story, "asked")
    assert data is not None
    (scenario,) = decode_scenarios(data)
    sent = scenario.do[-1].deed
    assert isinstance(sent, Send)
    assert sent.event == event


# --- times ---


def test_a_timer_fires_in_a_log_when_it_is_due() -> None:
    """What a search let happen at once has times in its log that a prompt host would give it."""
    story = first(events.TimerFired, RETRIED)
    assert [event.at_ms for event in story.events][:-1] == [0, 0]
    due_at_ms = dict(state_before_the_end(story).timers())["backoff:a#2"]
    assert story.events[-1].at_ms == due_at_ms > 0
    assert story.timing == "prompt"
    data = scenario_of(story, "due")
    assert data is not None
    assert data["scenarios"][0]["do"][-1] == {"advance": due_at_ms}
    assert "spec" not in data["scenarios"][0]


def state_before_the_end(story: Story) -> FlowState:
    """Where the last event of a story found the flow."""
    *_, (state, _, _) = story.transitions()
    return state


def test_a_scenario_lets_time_pass_for_a_stale_plan() -> None:
    """Virtual time moves on before an answer that comes too late."""
    spec = flow(group("g", plan(approval=ApprovalSpec(stale_after_ms=9))))
    story = stale_story(spec)
    assert story.timing == "prompt"
    data = scenario_of(story, "stale")
    assert data is not None
    assert {"advance": 9} in data["scenarios"][0]["do"]


def test_no_scenario_where_virtual_time_tells_another_story() -> None:
    """A plan that expires before it can be stale is stale only where a timer is late."""
    spec = flow(group("g", plan(approval=ApprovalSpec(timeout_ms=5, stale_after_ms=9))))
    story = stale_story(spec)
    assert story.timing == "late"
    assert str(story).endswith("(a timer fires later here than it is due, as it does when a host"
                               " was away)")  # fmt: skip
    assert scenario_of(story, "stale") is None


def test_work_takes_as_long_as_a_story_needs() -> None:
    """A timer that is set early may fire late in a story if what comes before it can wait."""
    spec = flow(group("g", StepSpec(key="a", timeout_ms=3), StepSpec(key="b", timeout_ms=9)))
    later = (START, succeeded("a#1"), fired("timeout:b#1"))
    assert [event.at_ms for event in Story(spec, "flow", later).events] == [0, 0, 9]
    abreast = flow(group("g", plan("p", approval=ApprovalSpec(stale_after_ms=5)),
                         StepSpec(key="a", timeout_ms=10, skip_on_failure=True),
                         parallel=True))  # fmt: skip
    fresh = Story(abreast, "flow", (START, succeeded("p#1"), fired("timeout:a#1"), answered("p")))
    assert [event.at_ms for event in fresh.events] == [0, 6, 10, 10]
    assert fresh.timing == "prompt"
    assert fresh.state.live[0].status == "success"


def test_two_timers_that_are_due_together() -> None:
    """Timers that are due at one time fire by themselves in the order of their ids."""
    twins = flow(group("g", *(StepSpec(key=k, timeout_ms=3, skip_on_failure=True) for k in "ab"),
                       parallel=True))  # fmt: skip
    in_turn = Story(twins, "flow", (START, fired("timeout:a#1"), fired("timeout:b#1")))
    assert [event.at_ms for event in in_turn.events] == [0, 3, 3]
    data = scenario_of(in_turn, "in turn")
    assert data is not None
    assert data["scenarios"][0]["do"] == [{"start": False}, {"start": True}, {"advance": 3}]


def test_a_scenario_in_which_timers_fire_by_hand_says_so() -> None:
    """A story of a late host is told with timers that fire by hand."""
    spec = flow(group("g", StepSpec(key="a", timeout_ms=3), StepSpec(key="b", timeout_ms=2),
                      parallel=True))  # fmt: skip
    story = Story(spec, "flow", (START, fired("timeout:a#1"), fired("timeout:b#1")))
    assert story.timing == "late"
    data = scenario_of(story, "late")
    assert data is not None
    assert data["scenarios"][0]["spec"] == "timers fire by hand here, and not when they are due"
    assert {"timer": "timeout:a#1"} in data["scenarios"][0]["do"]


def test_what_no_clock_could_tell_is_said_to_be_so() -> None:
    """A plan that is answered fresh after a timer that is due only when it is stale."""
    spec = flow(group("g", plan("p", approval=ApprovalSpec(stale_after_ms=5)),
                      StepSpec(key="a", retry=ONCE), parallel=True))  # fmt: skip
    told = (START, succeeded("p#1"), failed("a#1"), fired("backoff:a#2"), answered("p"))
    story = Story(spec, "flow", told)
    assert story.timing == "impossible"
    assert "no clock could tell this" in str(story)
    assert replay(story.log().splitlines(keepends=True)).state == story.state
    data = scenario_of(story, "never")
    assert data is not None
    assert {"timer": "backoff:a#2"} in data["scenarios"][0]["do"]
    asked = ApprovalSpec(stale_after_ms=5)
    both = flow(group("g", plan("p", approval=asked), plan("q", approval=asked), parallel=True))
    order = (succeeded("q#1"), succeeded("p#1"), answered("p", at_ms=5), answered("q"))
    assert Story(both, "flow", (START, *order)).timing == "impossible"
    assert scenario_of(Story(both, "flow", (START, *order)), "never") is None


def test_answers_that_nobody_asked_for_have_no_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reducer that hears people who were not asked still has its story told."""
    monkeypatch.setattr("conductor_core.reducer.examine", lambda state, event: ACCEPTED)
    monkeypatch.setattr("conductor_core.facts.on_approval_responded", lambda *given: None)
    spec = flow(group("g", plan(approval=ApprovalSpec(stale_after_ms=9))))
    assert Story(spec, "flow", (START, answered("plan"))).timing == "prompt"


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
    data = scenario_of(story, "refused")
    assert data is not None
    told = [action.get("expect") for action in data["scenarios"][0]["do"]]
    assert told == [None, None, {"rejected": "not-awaiting-approval"}, {"ignored": "stale-attempt"}]
    assert str(story).splitlines()[1] == (
        "operator denies plan, without naming a subject"
        " [rejected(not-awaiting-approval): 'plan#1' is queued]"
    )


def test_a_flow_with_a_plain_type_and_no_groups_can_be_told() -> None:
    """What a flow does not say its scenario does not say either."""
    data = scenario_of(Story(flow(options=FlowOptions()), "flow", ()), "nothing")
    assert data is not None
    assert data["scenarios"][0]["flow"] == {}
    assert data["scenarios"][0]["expect"] == {"flow": "pending"}
