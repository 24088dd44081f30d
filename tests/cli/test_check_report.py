"""What `conductor check` tells of violations that no sound flow has."""

from __future__ import annotations

from typing import Final

import pytest
from attrs import evolve

from conductor_adapters.cli.check_claims import Claim
from conductor_adapters.cli.check_report import Result, as_data, told_bad
from conductor_adapters.cli.check_story import told_end, told_events
from conductor_core import StepSpec, events, initial_state
from conductor_core.checking import Checked, Finding, Reductions, Story, check, eventually
from conductor_core.checking.alphabet import NOOP, PASSED, UNEVALUATED
from conductor_core.checking.moves import finished
from conductor_core.testing.brief import START, flow, group
from tests.checking.flows import DEPLOY

PAUSE: Final = events.PauseRequested(at_ms=0, by="ana")
RESUME: Final = events.ResumeRequested(at_ms=0, by="ana")
ENDS: Final = eventually("it ends", lambda state: state.outcome is not None, about=())
CHECKED: Final = check(DEPLOY, ENDS, max_states=10)


def violated(**fields: object) -> Finding:
    """A violation of the claim that the flow ends."""
    story = Story(DEPLOY, "flow", (START,))
    fields = {"name": "it ends", "says": "eventually: it ends", "story": story, **fields}
    return Finding(verdict="violated", **fields)  # type: ignore[arg-type]


def result(finding: Finding) -> Result:
    """A search that found this and nothing else."""
    checked: Checked = evolve(CHECKED, findings=(finding,), stopped_by=None)
    return Result(
        file="flow.yaml",
        checked=checked,
        claims=(Claim(ENDS, "rules.py:3"),),
        reductions=Reductions(),
        cause=None,
        max_memory_mib=None,
        processes=1,
        seconds=0.25,
        memory=0,
    )


def test_what_comes_again_and_again_is_told_after_the_way_to_it() -> None:
    """A run that goes round for ever is told up to the end of its first round."""
    finding = violated(circle=(PAUSE, RESUME))
    lines = [*told_bad(result(finding))]
    assert lines[2:8] == [
        "  it takes 1 event, and no fewer will do:",
        "  1. flow started -> dispatch plan#1",
        "  and then again and again:",
        "  2. ana pauses the flow",
        "  3. ana resumes the flow",
        "  then the flow is in-progress; plan#1 queued",
    ]
    (data,) = as_data(result(finding))["claims"]
    assert [event["type"] for event in data["circle"]] == ["pause-requested", "resume-requested"]


def test_an_event_that_the_reducer_does_not_survive_is_told() -> None:
    """Where a reducer raises, the event and the error come last."""
    finding = violated(fatal=PAUSE, error="ValueError: \x07")
    assert "  ana pauses the flow: the reducer raises ValueError: \x07" in [
        *told_bad(result(finding))
    ]


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (NOOP, "plan#1 succeeded, with nothing to do ->"),
        (PASSED, "plan#1 succeeded, all policies pass ->"),
        (UNEVALUATED, "plan#1 succeeded, its policies could not be evaluated ->"),
    ],
)
def test_the_particulars_of_work_are_told(ending: object, told: str) -> None:
    """What a search chooses of an ending stands in its line."""
    story = Story(DEPLOY, "flow", (START, finished("plan#1", ending)))  # type: ignore[arg-type]
    assert [*told_events(story)][1].startswith(told)


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
