"""What `conductor check` tells of violations that no sound flow has."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from conductor_adapters.cli.check_claims import Claim
from conductor_adapters.cli.check_report import Result, as_data, told_bad
from conductor_core import events
from conductor_core.checking import Checked, Finding, Reductions, Story, check, eventually
from conductor_core.testing.brief import START
from tests.checking.flows import DEPLOY

PAUSE: Final = events.PauseRequested(at_ms=0, by="ana")
RESUME: Final = events.ResumeRequested(at_ms=0, by="ana")
ENDS: Final = eventually("it ends", lambda state: state.outcome is not None, about=())
CHECKED: Final = check(DEPLOY, ENDS, max_states=10)


def violated(**fields: object) -> Finding:
    """A violation of the claim that the flow ends."""
    story = Story(DEPLOY, "flow", (START,))
    fields = {"name": "it ends", "says": "eventually: it ends", "story": story, **fields}
    return Finding(found="violated", **fields)  # type: ignore[arg-type] # of any type here


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
