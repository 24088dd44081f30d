"""A log is shrunk to the least that still shows a behaviour."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conductor_adapters.debugger.predicates import predicate_of
from conductor_adapters.debugger.pytest_text import pytest_of
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.shrink import NotShown, Run, Shrunk, keeps_of, minimized, shrunk
from conductor_adapters.debugger.smaller import Case
from conductor_core import events
from conductor_core.codec import encode_spec
from conductor_core.events import Event
from conductor_core.log import replay
from conductor_core.payload import EMPTY, NULL
from conductor_core.spec import ApprovalSpec, FlowOptions, FlowSpec, RetryPolicy, StepSpec
from conductor_core.testing.brief import START, failed, fired, flow, group, succeeded
from conductor_core.testing.scenario_format import decode_scenarios
from conductor_core.testing.scenario_play import play_scenario
from tests.debugger.planted import LARGE, LEAST, SMALL, Planted
from tests.debugger.recordings import recorded, release


def shrink(recording: Recording, *texts: str, keep_flow: bool = False) -> Shrunk:
    """Shrink a log to what shows a predicate."""
    return shrunk(recording, keeps_of(predicate_of(texts)), keep_flow=keep_flow)


def planted(log: Planted) -> Recording:
    """The log of a planted failure."""
    return recorded(log.spec(), *log.story(), flow_id="planted")


def assert_every_part_is_needed(result: Shrunk, *texts: str) -> None:
    """No event can be left out alone."""
    case, keeps = result.run.case, keeps_of(predicate_of(texts))
    for index in range(len(case.events)):
        left = case.events[:index] + case.events[index + 1 :]
        with pytest.raises(NotShown):
            shrunk(recorded(case.spec, *left), keeps)


# --- how small ---


def test_a_planted_failure_of_2000_events_shrinks_to_its_least() -> None:
    """Six events of one step are left, and it takes few reductions to get there."""
    recording = planted(LARGE)
    assert len(recording.entries) == 2_000
    result = shrink(recording, "retries-exhausted")
    assert len(result.run.case.events) == LEAST
    assert result.run.case.steps == (LARGE.culprit,)
    assert result.reductions < 20 * 2_000
    assert_every_part_is_needed(result, "retries-exhausted")


def test_a_flow_that_is_kept_needs_all_that_leads_to_the_failure() -> None:
    """Without touching the flow as much is left as it takes to get there, by construction."""
    result = shrink(planted(SMALL), "retries-exhausted", keep_flow=True)
    assert len(result.run.case.events) == SMALL.least_of_flow
    assert result.run.case.spec == SMALL.spec()
    assert result.reductions < 100 * SMALL.events


def test_attempts_that_lead_nowhere_go_and_the_others_are_counted_anew() -> None:
    """What is left of a step that was tried three times is its last attempt, as the first."""
    again = events.RerunRequested(at_ms=0, by="ann", flow_id="flow-1", step_id="a#1")
    spec = flow(group("g", "a", "b"), options=FlowOptions(on_failure="await-retry"))
    story = (START, failed("a#1"), again, succeeded("a#2"), failed("b#1"))
    result = shrink(recorded(spec, *story), "step:b=error", keep_flow=True)
    assert result.run.case.events == (START, succeeded("a#1"), failed("b#1"))


def test_groups_that_come_with_events_lose_their_steps_too() -> None:
    """What was generated or appended is as much of the flow as what was declared."""
    more = (group("g", "a", "b"), group("h", "c"))
    appended = events.AppendRequested(at_ms=0, by="ann", groups=(group("i", "d", "e"),))
    story: tuple[Event, ...] = (
        START,
        events.GroupsGenerated(at_ms=0, groups=more),
        appended,
        *(succeeded(f"{key}#1") for key in "abcd"),
        failed("e#1"),
    )
    result = shrink(recorded(FlowSpec(), *story), "culprit:e")
    assert result.run.case.steps == ("e",)
    assert [type(event) for event in result.run.case.events] == [
        events.FlowStarted,
        events.AppendRequested,
        events.StepFinished,
    ]
    generated = shrink(recorded(FlowSpec(), *story), "step:c=success and command:finish-flow")
    assert generated.run.case.steps == ("c",)


def test_requests_about_what_is_gone_go_with_it() -> None:
    """A cancel, a retry and an answer about another step or group are not left behind."""
    spec = flow(
        group("g", StepSpec(key="a", approval=ApprovalSpec()), "b"),
        group("h", StepSpec(key="c", needs=("a", "b"), input={"big": 1}), "d"),
        options=FlowOptions(on_failure="await-retry"),
    )
    story = (
        START,
        succeeded("a#1"),
        events.ApprovalResponded(at_ms=0, step="a", response="approve", by="ann", note="fine"),
        events.RetryNowRequested(at_ms=0, step="b", by="ann"),
        failed("b#1"),
        events.GroupRetryRequested(at_ms=0, group="g", by="ann"),
        events.CancelRequested(at_ms=0, step="d", by="ann"),
    )
    result = shrink(recorded(spec, *story), "event:cancel-requested")
    assert [type(event) for event in result.run.case.events] == [events.CancelRequested]
    parked = shrink(recorded(spec, *story[:5]), "waits and step:b=error")
    assert parked.run.case.steps == ("b",)
    rejected = shrink(recorded(spec, *story), "verdict:rejected:not-waiting")
    assert len(rejected.run.case.events) == 2


def test_payloads_are_emptied() -> None:
    """What nothing depends on goes from the flow and from the events."""
    result = shrink(release(), "step:publish=success")
    (only,) = encode_spec(result.run.case.spec)["groups"]
    assert only["steps"] == [{"key": "publish", "work": "shell", "timeout_ms": 60_000}]
    assert result.run.case.spec.metadata == EMPTY
    _, finished = result.run.case.events
    assert isinstance(finished, events.StepFinished)
    assert finished.output == NULL


def test_a_flow_without_groups_loses_its_metadata_too() -> None:
    """What was generated keeps its steps, and nothing else."""
    groups = (group("g", StepSpec(key="a", input={"big": 1}, name="A")),)
    generated = events.GroupsGenerated(at_ms=0, groups=groups)
    recording = recorded(FlowSpec(metadata={"inputs": 1}), START, generated, failed("a#1"))
    case = shrink(recording, "step:a=error").run.case
    assert case.spec == FlowSpec()
    assert case.events[1] == events.GroupsGenerated(at_ms=0, groups=(group("g", "a"),))


def test_what_is_rerun_and_skipped_with_it_follows_the_steps_that_are_left() -> None:
    """A rerun that names an attempt is counted anew, and names no step that is gone."""
    spec = flow(group("g", "a", "b", "c"))
    skip = events.RerunRequested(
        at_ms=0, by="ann", flow_id="flow-1", step_id="b#1", additional_skip_step_ids=("c",)
    )
    stale = events.RerunRequested(
        at_ms=0,
        by="ann",
        flow_id="flow-1",
        step_id="b#2",
        stale_plan=True,
        replan_step_id="a",
    )
    story = (START, succeeded("a#1"), failed("b#1"), skip, failed("b#2"), stale, failed("b#3"))
    result = shrink(recorded(spec, *story), "attempts:b=2")
    assert result.run.case.steps == ("b",)
    assert len(result.run.case.events) == 3
    (rerun,) = (e for e in result.run.case.events if isinstance(e, events.RerunRequested))
    assert (rerun.step_id, rerun.additional_skip_step_ids, rerun.replan_step_id) == (
        "b#1",
        (),
        None,
    )


def test_timers_and_requests_about_a_group_go_with_it() -> None:
    """A backoff of a group is one of its own; another group's cancel is not left behind."""
    again = RetryPolicy(max_auto_retries=2, scope="group", backoff_ms=(10,))
    spec = flow(group("g", StepSpec(key="a", retry=again)), group("h", "b"))
    story = (
        START,
        failed("a#1"),
        fired("backoff:g@1", at_ms=10),
        succeeded("a#2", at_ms=10),
        failed("b#1", at_ms=10),
        events.CancelRequested(at_ms=10, group="h", by="ann"),
    )
    result = shrink(recorded(spec, *story), "culprit:b")
    assert [event.__class__ for event in result.run.case.events] == [
        events.FlowStarted,
        events.StepFinished,
    ]
    kept = shrink(recorded(spec, *story), "attempts:a=2 and event:timer-fired")
    assert kept.run.case.steps == ("a",)


def test_times_never_go_back_and_are_as_early_as_can_be() -> None:
    """A clock that went back is set right, and what is left happens as soon as it can."""
    spec = flow(group("g", "a"))
    story = (events.FlowStarted(at_ms=900), failed("a#1", at_ms=300))
    result = shrink(recorded(spec, *story), "status:error")
    assert [event.at_ms for event in result.run.case.events] == [0, 0]


def test_a_behaviour_of_the_users_own_is_kept() -> None:
    """A function sees all states and all entries of each candidate."""

    def pauses_before_it_fails(run: Run) -> bool:
        was_paused = [state.paused for state in run.states]
        return was_paused[-1] and any(e.event == failed("a#1") for e in run.entries)

    spec = flow(group("g", "a", "b"), group("h", "c"))
    pause = events.PauseRequested(at_ms=0, by="ann")
    resume = events.ResumeRequested(at_ms=0, by="ann")
    recording = recorded(spec, START, pause, resume, pause, failed("a#1"))
    result = shrunk(recording, pauses_before_it_fails)
    assert result.run.case.events == (START, pause, failed("a#1"))


def test_what_a_log_does_not_show_is_not_kept() -> None:
    """There is nothing to shrink to."""
    with pytest.raises(NotShown):
        shrink(release(), "status:error")


def test_minimized_asks_about_halves_first() -> None:
    """Of 64 items one is found in a few questions; none is asked of nothing."""
    asked: list[tuple[int, ...]] = []

    def keeps(items: tuple[int, ...]) -> bool:
        asked.append(items)
        return 37 in items

    assert minimized(range(64), keeps) == (37,)
    assert len(asked) < 20
    assert minimized((), keeps) == ()
    assert minimized([1, 2, 3], lambda _: True) == ()


# --- what is written ---

BEHAVIOURS = ["status:success", "step:publish=success", "command:request-approval"]


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_what_is_left_is_a_log_that_replays(behaviour: str) -> None:
    """The log verifies, and is not the flow's state alone: it shows the behaviour."""
    result = shrink(release(), behaviour)
    verified = replay(result.log().splitlines(keepends=True))
    assert verified.state == result.run.states[-1]
    assert verified.closed == (verified.state.outcome is not None)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_what_is_left_is_a_scenario_that_passes(behaviour: str) -> None:
    """The scenario plays, and expects what came of the log."""
    data = shrink(release(), behaviour).scenario("shrunk")
    assert data is not None
    (scenario,) = decode_scenarios(data)
    assert play_scenario(scenario) == ()


def test_a_story_that_no_scenario_tells_is_none() -> None:
    """A request that is known by its id alone has no words in a scenario."""
    pause = events.PauseRequested(at_ms=0, by="ann", request_id="r1")
    recording = recorded(flow(group("g", "a")), START, pause, pause)
    result = shrink(recording, "verdict:ignored:duplicate-request")
    assert len(result.run.case.events) == 3
    assert result.scenario("twice") is None


def test_what_is_left_is_a_test_that_passes_and_can_fail(tmp_path: Path) -> None:
    """Pytest runs the file; a wrong expectation fails it."""
    text = pytest_of(shrink(planted(SMALL), "retries-exhausted").run, "retries-exhausted")
    good, bad = tmp_path / "test_good.py", tmp_path / "test_bad.py"
    good.write_text(text)
    bad.write_text(text.replace("STATUS = 'error'", "STATUS = 'success'"))
    ran = [
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file],
            cwd=tmp_path, check=False, capture_output=True,
        ).returncode
        for file in (good, bad)
    ]  # fmt: skip
    assert ran == [0, 1]


def test_a_test_is_written_in_ascii() -> None:
    """Whatever stands in a log, the test is one that any editor shows as it is."""
    spec = flow(group("g", StepSpec(key="a", work="w\u00f6rk\u202e\n")))
    result = shrink(recorded(spec, START, failed("a#1")), "status:error")
    text = pytest_of(result.run, "status:error")
    assert text.isascii()
    names: dict[str, object] = {}
    exec(compile(text, "test_shrunk.py", "exec"), names)
    assert names["FLOW"] == encode_spec(result.run.case.spec)
    test = names["test_flow_1"]
    assert callable(test)
    test()


def test_a_case_knows_its_steps_wherever_they_come_from() -> None:
    """Declared, generated and appended steps, each once."""
    appended = events.AppendRequested(at_ms=0, by="ann", groups=(group("h", "b"),))
    assert Case(flow(group("g", "a")), (START, appended, appended)).steps == ("a", "b")
