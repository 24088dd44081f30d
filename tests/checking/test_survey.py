"""A survey finds out about many names at once, each with the shortest story of it."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from conductor_core import events
from conductor_core.checking import check, sometimes
from conductor_core.checking.check import PredicateError, Surveyed
from conductor_core.checking.processes import Processes
from conductor_core.checking.properties import History, Survey
from conductor_core.checking.search import Driver
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from tests.checking.flows import DEPLOY

NAMES: Final = frozenset({"success", "error", "cancelled", "asleep"})


def ends(before: FlowState, _event: Event, after: Transition) -> frozenset[str]:
    """The status with which a flow ends, and a name that nobody asked about."""
    ended = after.state.outcome is not None and before.outcome is None
    return frozenset({after.state.status, "whatever"} if ended else ())


ENDS: Final = Survey(name="ends", names=NAMES, shows=ends, about=())


def surveyed(survey: Survey, driver: Driver | None = None) -> Surveyed:
    """What is found out about the flow of the README."""
    found = check(DEPLOY, theorems=(), survey=survey, driver=driver).surveyed
    assert found is not None
    return found


@pytest.mark.parametrize("driver", [None, Processes(2)], ids=["one", "two"])
def test_each_name_that_is_shown_has_its_shortest_story(driver: Driver | None) -> None:
    """The same as a claim for each would have; in one process or in several."""
    found = surveyed(ENDS, driver)
    assert found.shown == NAMES - {"asleep"}
    for name in found.shown:
        claim = sometimes(name, lambda s, name=name: s.status == name and s.outcome is not None)
        story = check(DEPLOY, claim, theorems=()).finding(name).story
        assert story is not None
        assert len(found.story(name).events) == len(story.events)
        assert found.story(name).state.status == name


def test_without_a_survey_nothing_is_surveyed() -> None:
    """And what was found says so."""
    assert check(DEPLOY, theorems=()).surveyed is None


def test_all_names_may_be_shown_long_before_the_end() -> None:
    """Then nothing more is asked."""
    asked = 0

    def starts(_before: FlowState, event: Event, _after: Transition) -> frozenset[str]:
        nonlocal asked
        asked += 1
        return frozenset({"start"} if isinstance(event, events.FlowStarted) else ())

    survey = Survey(name="starts", names=frozenset({"start"}), shows=starts, about=())
    found = check(DEPLOY, theorems=(), survey=survey)
    assert asked == 1
    assert found.transitions > 100


def test_a_survey_remembers_as_a_claim_does() -> None:
    """It has a history, and is told what that observed before."""
    history = History(0, lambda n, _before, event, _after: n + isinstance(event, events.TimerFired))
    paused = History(0, lambda n, *_: n)

    def shows(_b: FlowState, event: Event, _a: Transition, past: int) -> frozenset[str]:
        return frozenset({str(past)} if isinstance(event, events.PauseRequested) else ())

    survey = Survey(name="s", names=frozenset("01"), shows=shows, about=(), history=history)
    claim = sometimes("runs", lambda s, _: s.started, about=(), history=paused)
    found = check(DEPLOY, claim, theorems=(), survey=survey)
    assert found.surveyed is not None
    assert found.surveyed.shown == {"0"}
    assert found.finding("runs").found == "met"


def test_what_a_survey_raises_is_told_as_its_own() -> None:
    """With what led there."""

    def shows(*_: object) -> frozenset[str]:
        raise KeyError("plan")

    survey = Survey(name="broken", names=NAMES, shows=shows, about=())
    with pytest.raises(PredicateError, match=r"'broken' raised KeyError: 'plan'"):
        check(DEPLOY, theorems=(), survey=survey)


def test_a_survey_that_looks_at_steps_has_them_told_apart() -> None:
    """What it is about stands in the keys of states, as with claims."""
    about, anywhere, nothing = (
        check(DEPLOY, theorems=(), survey=evolve(ENDS, about=steps))
        for steps in (("plan",), None, ())
    )
    assert nothing.states < about.states
    assert nothing.states < anywhere.states
    assert not anywhere.reductions.finished
