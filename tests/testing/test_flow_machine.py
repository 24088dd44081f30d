"""The state machine over a flow of one's own: what it plays, holds and tells."""

from __future__ import annotations

import unittest
from typing import Final

import pytest
import yaml
from attrs import evolve
from hypothesis import given, settings
from hypothesis.stateful import run_state_machine_as_test

from conductor_core import ApprovalSpec, FlowSpec, StepSpec, events
from conductor_core.checking import Alphabet, eventually, never, sometimes
from conductor_core.checking.properties import History, LeadsTo
from conductor_core.events import Event
from conductor_core.log import replay
from conductor_core.reducer import Transition, reduce
from conductor_core.state import FlowState, initial_state
from conductor_core.testing import flow_is, flow_laws, step
from conductor_core.testing.arbitrary.choices import Choose
from conductor_core.testing.arbitrary.names import approver
from conductor_core.testing.arbitrary.plays import Play
from conductor_core.testing.brief import START, flow, group, succeeded
from conductor_core.testing.flow_laws import FlowLaws
from conductor_core.testing.flow_machine import FlowMachine, flow_machine, lively_alphabet
from conductor_core.testing.scenario_format import decode_scenarios
from conductor_core.testing.scenario_play import play_scenario
from conductor_core.testing.strategies import plays_of
from conductor_core.verdicts import Accepted, Ignored
from tests.checking.flows import AWAIT_RETRY, DEPLOY, ONCE, plan

FORGIVING: Final = flow(group("g", plan(skip_on_failure=True), StepSpec(key="apply")))
UNAPPROVED: Final = step("apply").runs & ~step("plan").approved
APPLIED: Final = never(str(UNAPPROVED), UNAPPROVED, about=UNAPPROVED.about)
QUICK: Final = settings(
    max_examples=100, stateful_step_count=20, derandomize=True, database=None, deadline=None
)


def told_by(machine: type[FlowMachine]) -> tuple[str, str]:
    """What the machine complains of, and what Hypothesis notes of it."""
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(machine, settings=QUICK)
    return str(caught.value), "\n".join(getattr(caught.value, "__notes__", []))


def counted_in(declared: FlowSpec) -> set[type[Event]]:
    """The kinds of events that count somewhere when everything may happen to a flow."""
    counted: set[type[Event]] = set()

    class Machine(FlowMachine):
        """A flow to which everything may happen."""

        spec = evolve(declared, options=evolve(AWAIT_RETRY, continue_as_new_every=1))
        alphabet = evolve(lively_alphabet(declared), appended=(group("late", "z"),))

        def teardown(self) -> None:
            """Remember what counted."""
            counted.update(
                type(event)
                for _, event, after in self.story.transitions()
                if isinstance(after.verdict, Accepted)
            )

    run_state_machine_as_test(Machine, settings=settings(QUICK, max_examples=300))
    return counted


@pytest.mark.unmeasured
def test_everything_happens_to_a_flow() -> None:
    """Every kind of event is played, and each that can count counts."""
    declared = flow(group("p", plan(), StepSpec(key="b", retry=ONCE), parallel=True))
    assert counted_in(flow()) | counted_in(declared) == {
        events.FlowStarted,
        events.GroupsGenerated,
        events.GenerationFailed,
        events.StepStarted,
        events.StepFinished,
        events.TimerFired,
        events.ContinueAsNewSuggested,
        events.ContinuedAsNew,
        events.ApprovalResponded,
        events.ApprovalOptionChanged,
        events.CancelRequested,
        events.RerunRequested,
        events.GroupRetryRequested,
        events.RetryNowRequested,
        events.PauseRequested,
        events.ResumeRequested,
        events.AppendRequested,
    }


def test_what_is_found_is_told_as_story_scenario_and_log() -> None:
    """The smallest example is noted in forms that replay and play."""
    complaint, notes = told_by(flow_machine(FORGIVING, APPLIED))
    assert complaint == f"never: {UNAPPROVED}"
    assert "Draw 1: flow started" in notes
    what, _, rest = notes.partition("what happened:\n")[2].partition("\n\nas a scenario:\n\n")
    scenario, _, log = rest.partition("\n\nas a log:\n\n")
    assert [line for line in what.splitlines() if line[2].isdigit()] == [
        "  1. flow started -> dispatch plan#1",
        "  2. plan#1 failed: Error: failed -> dispatch apply#1",
    ]
    (played,) = decode_scenarios(yaml.safe_load(scenario))
    assert play_scenario(played) == ()
    lines = log.partition("\n\n")[0].splitlines(keepends=True)
    assert replay([line.removesuffix("\n") + "\n" for line in lines]).state.status == "in-progress"


def test_a_subclass_says_what_must_hold() -> None:
    """The hook sees the state and the commands after whatever happened."""

    class Machine(FlowMachine):
        """A flow that somebody believes never to start anything."""

        spec = DEPLOY
        alphabet = Alphabet()

        def invariant(self) -> None:
            """Nothing is commanded."""
            assert not self.commands, "a command"

    complaint, notes = told_by(Machine)
    assert complaint.startswith("a command\n")
    assert "  1. flow started -> dispatch plan#1\n" in notes


def test_what_comes_in_the_end_is_held_too() -> None:
    """The host answers, nobody else acts, and the goal is never reached."""
    ended = flow_is("success", "error", "cancelled")
    complaint, notes = told_by(flow_machine(DEPLOY, eventually(str(ended), ended, about=())))
    assert complaint.startswith("eventually: the flow is success or error or cancelled; the host")
    assert "what happened:\n\n" in notes


def test_a_machine_that_could_hold_only_by_mistake_is_refused() -> None:
    """What is no claim or about no step is told once the class is made, a missing flow later."""
    with pytest.raises(ValueError, match="expected a claim such as `never` makes, got Condition"):
        flow_machine(DEPLOY, UNAPPROVED)  # type: ignore[arg-type]
    typo = never("typo", UNAPPROVED, about=("applx",))
    with pytest.raises(ValueError, match="'typo' is about 'applx', which is no step of the flow"):
        type("Typo", (FlowMachine,), {"spec": DEPLOY, "claims": (typo,)})
    nothing = type("Nothing", (FlowMachine,), {})
    with pytest.raises(ValueError, match="Nothing: expected a flow as its `spec`, got none"):
        nothing()


def test_a_test_case_can_be_had_at_once() -> None:
    """The class has the test case of Hypothesis, which passes for a flow that is as it should."""
    case = flow_machine(flow(group("g", "a")), alphabet=Alphabet(endings=())).TestCase
    case.settings = QUICK
    result = unittest.TestResult()
    case("runTest").run(result)
    assert result.wasSuccessful()


# --- plays of a flow ---


@given(plays_of(FORGIVING, most=10, flow_id="deploy-1"))
@settings(QUICK)
def test_plays_of_a_flow_are_of_that_flow(play: Play) -> None:
    """Whatever happens happens to the flow that was given."""
    assert play.start == initial_state(FORGIVING, "deploy-1")
    assert play.events


def chooser(number: int) -> Choose:
    """Always chooses that number, or the last there is."""
    return lambda count: min(number, count - 1)


def test_people_whom_only_the_flow_names_answer_too() -> None:
    """Approvers with names of their own are among those who answer, and strangers too."""
    approval = ApprovalSpec(required=2, approvers=["zoe", "yan"])
    state = initial_state(flow(group("g", plan(approval=approval), "apply")), "f")
    asked: dict[str, list[str]] = {
        key: [approver(chooser(number), state, key) for number in range(6)]
        for key in ("plan", "apply", "nowhere")
    }
    assert asked["plan"][:3] == ["zoe", "yan", "ana"]
    assert asked["apply"][:3] == asked["nowhere"][:3] == ["ana", "bo", "cy"]


# --- laws and claims, held step by step ---


def test_claims_remember_what_they_have_seen() -> None:
    """A claim with a history is given what it observed of all that counted."""

    def count(number: int, *_: object) -> int:
        return number + 1

    history = History(0, count)
    seen = never("two things happen", lambda _, number: number == 2, history=history)
    comes = LeadsTo(
        name="a third",
        statement="something happens a third time",
        history=history,
        start=lambda _, number: number == 1,
        goal=lambda _, number: number == 3,
    )
    begun = reduce(initial_state(DEPLOY, "f"), START)
    planned = reduce(begun.state, succeeded("plan#1"))
    laws = FlowLaws((seen,), alphabet=Alphabet())
    laws.after(initial_state(DEPLOY, "f"), START, begun)
    with pytest.raises(AssertionError, match="never: two things happen"):
        laws.after(begun.state, succeeded("plan#1"), planned)
    with pytest.raises(AssertionError, match="a third time; the host answers, and it never comes"):
        FlowLaws((comes,), alphabet=Alphabet()).after(initial_state(DEPLOY, "f"), START, begun)


def test_what_is_owed_comes_while_the_host_answers() -> None:
    """Work ends and groups arrive until the goal is reached."""
    ended = flow_is("success")
    laws = FlowLaws((eventually(str(ended), ended, about=()),), alphabet=Alphabet())
    laws.begin(initial_state(flow(group("g", "a", "b"), group("h", "c")), "f"))


def test_a_host_is_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A goal that is not reached in so many answers counts as never reached."""
    monkeypatch.setattr(flow_laws, "PATIENCE", 2)
    ended = flow_is("success")
    laws = FlowLaws((eventually(str(ended), ended, about=()),), alphabet=Alphabet())
    with pytest.raises(AssertionError, match="the host answers, and it never comes"):
        laws.begin(initial_state(flow(group("g", "a", "b")), "f"))


def refuse(state: FlowState) -> Transition:
    """A transition that is refused and yet commands something."""
    return Transition(state, reduce(initial_state(DEPLOY, "f"), START).commands, Ignored("no"))


def test_an_event_that_did_not_count_changes_nothing() -> None:
    """What is refused leaves the state alone and commands nothing."""
    start = initial_state(DEPLOY, "f")
    other = initial_state(DEPLOY, "g")
    laws = FlowLaws((), alphabet=Alphabet())
    with pytest.raises(AssertionError, match="did not count and changed something: flow started"):
        laws.after(start, START, refuse(other))
    with pytest.raises(AssertionError, match="did not count and commanded: flow started"):
        laws.after(start, START, refuse(start))


def test_a_fact_counts_once_and_an_attempt_is_dispatched_once() -> None:
    """The same fact twice, and the same dispatch twice, break laws 2 and 4."""
    start = initial_state(DEPLOY, "f")
    begun = reduce(start, START)
    laws = FlowLaws((), alphabet=Alphabet())
    laws.after(start, START, begun)
    with pytest.raises(AssertionError, match="a fact counted twice: flow started"):
        laws.after(start, START, begun)
    with pytest.raises(AssertionError, match="plan#1 was dispatched twice"):
        laws.after(start, succeeded("x#1"), begun)


def test_nothing_is_dispatched_while_the_flow_is_held() -> None:
    """A dispatch in a paused flow breaks law 7."""
    start = initial_state(DEPLOY, "f")
    begun = reduce(start, START)
    paused = evolve(begun, state=evolve(begun.state, paused=True))
    with pytest.raises(AssertionError, match="plan#1 was dispatched while the flow is held"):
        FlowLaws((), alphabet=Alphabet()).after(start, START, paused)


def test_a_machine_refuses_what_it_could_never_find_untrue() -> None:
    """That something never happens is for a search to tell."""
    claim = sometimes("it succeeds", lambda state: state.status == "success", about=())
    with pytest.raises(ValueError, match="'it succeeds': no machine can tell that something"):
        flow_machine(DEPLOY, claim)
