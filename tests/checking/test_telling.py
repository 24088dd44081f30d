"""How a story is told to people."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from conductor_core import FlowState, StepSpec, Transition, events, initial_state, reduce
from conductor_core.checking import Ending, Story
from conductor_core.checking.alphabet import DENIED, NOOP, OK, PASSED, UNEVALUATED
from conductor_core.checking.moves import finished
from conductor_core.checking.telling import told_end, told_events
from conductor_core.events import Event
from conductor_core.testing.brief import START, flow, group
from tests.checking.flows import DEPLOY

PAUSE: Final = events.PauseRequested(at_ms=0, by="ana")


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (NOOP, "plan#1 succeeded, with nothing to do ->"),
        (PASSED, "plan#1 succeeded, all policies pass ->"),
        (DENIED, "plan#1 succeeded, a policy denies it (denied) ->"),
        (UNEVALUATED, "plan#1 succeeded, its policies could not be evaluated ->"),
    ],
)
def test_the_particulars_of_work_are_told(ending: Ending, told: str) -> None:
    """What a search chooses of an ending stands in its line."""
    story = Story(DEPLOY, "flow", (START, finished("plan#1", ending)))
    assert [*told_events(story.transitions())][1].startswith(told)


def test_many_attempts_are_counted() -> None:
    """Where a story ends, a few attempts are named and the others counted."""
    spec = flow(group("g", *(StepSpec(key=f"s{n}") for n in range(12)), parallel=True))
    told = told_end(Story(spec, "flow", (START,)).state)
    assert told.startswith("in-progress; s0#1 queued, s1#1 queued, ")
    assert told.endswith("s7#1 queued and 4 more")


def test_a_paused_flow_is_told_as_paused() -> None:
    """That a flow is paused may not show in its status."""
    assert told_end(Story(DEPLOY, "flow", (START, PAUSE)).state) == (
        "in-progress, paused; plan#1 queued"
    )
    assert told_end(initial_state(DEPLOY, "flow")) == "pending; nothing ran"
    idle = Story(flow(group("g", "a", "b")), "flow", (START, PAUSE, finished("a#1", OK)))
    assert told_end(idle.state) == "paused; a#1 success"


def test_an_answer_tells_what_it_is_about_if_that_is_not_the_plan() -> None:
    """An approval that names no subject, or another one, says so."""
    planned = finished("plan#1", OK, with_subject=True)
    answer = events.ApprovalResponded(at_ms=0, step="plan", response="approve", by="ana")
    another = evolve(answer, subject="another")
    told = [*told_events(Story(DEPLOY, "flow", (START, planned, another, answer)).transitions())]
    assert told[2].startswith("ana approves plan, but means another subject [rejected")
    assert told[3].startswith("ana approves plan, without naming a subject -> dispatch apply#1")


def test_time_that_passes_is_told() -> None:
    """What happens later is told with how much later."""
    start, later = initial_state(DEPLOY, "flow"), evolve(PAUSE, at_ms=60_000)
    begun = reduce(start, START)
    happened: list[tuple[FlowState, Event, Transition]] = [
        (start, START, begun),
        (begun.state, later, reduce(begun.state, later)),
    ]
    assert [*told_events(happened)][1] == "after 1 min: ana pauses the flow"
