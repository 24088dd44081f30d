"""Given, when, then: true claims pass and chain, untrue ones say what came instead."""

from __future__ import annotations

import pytest

from conductor_core import ApprovalSpec, StepSpec
from conductor_core.commands import CancelTimer, FinishFlow, Outcome
from conductor_core.events import PauseRequested, ResumeRequested
from conductor_core.testing import given
from conductor_core.testing.brief import (
    START,
    answered,
    cancelled,
    failed,
    fired,
    flow,
    group,
    retried,
    skipped,
    succeeded,
)

PLAN = StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=1000))
SPEC = flow(group("network", PLAN, "apply"))


def test_a_story_is_told_in_a_row() -> None:
    """Claims chain, and so do the events that follow one another."""
    story = given(SPEC, START, succeeded("plan#1"))
    story.when(answered("plan")).then_dispatched("apply#1").then_status(
        "in-progress", plan="success", **{"apply#1": "queued"}
    ).when(succeeded("apply#1")).then(
        FinishFlow(outcome=Outcome(status="success"), run=1)
    ).then_status("success").when(failed("apply#1")).then_ignored("stale-attempt").when(
        answered("plan")
    ).then_rejected("flow-finished")


def test_a_story_begins_anywhere() -> None:
    """A state that is there already begins a story as a spec does."""
    state = given(SPEC, START, flow_id="deploy-42").state
    assert state.flow_id == "deploy-42"
    assert given(state, succeeded("plan#1")).state.open_approvals()[0].id == "plan#1"


def test_a_word_for_every_event_of_a_whiteboard() -> None:
    """The brief forms are the events that they stand for."""
    story = given(SPEC, START, succeeded("plan#1"), fired("approval:plan#1", at_ms=1000))
    story.when(retried("plan")).then_dispatched("plan#2")
    story.when(skipped("plan", "apply")).then_status(
        "success", plan="user-skipped", apply="user-skipped"
    )
    given(SPEC).when(cancelled(reason="too late")).then_status("cancelled")


def test_what_is_given_must_be_accepted() -> None:
    """An event that does not count spoils the story, and is named with its place in it."""
    with pytest.raises(
        AssertionError, match=r"event 2 .* ignored\(already-started\): flow-started"
    ):
        given(SPEC, START, START)


def test_other_commands_are_named() -> None:
    """The commands that were expected and those that came stand below each other."""
    told = """\
these commands after approval-responded {"at_ms": 0, "step": "plan", "response": "deny", \
"by": "ann"}
expected:
  cancel-timer {"timer": "approval:plan#2"}
came:
  cancel-timer {"timer": "approval:plan#1"}
  finish-flow {"outcome": {"status": "error", "reason": "denied", "step": "plan#1", "message": \
"Approval denied"}, "run": 1}"""
    denied = given(SPEC, START, succeeded("plan#1")).when(answered("plan", "deny"))
    with pytest.raises(AssertionError) as failure:
        denied.then(CancelTimer(timer="approval:plan#2"))
    assert str(failure.value) == told


def test_no_commands_are_named_too() -> None:
    """Where nothing came, or nothing was expected, the message says so."""
    paused = given(SPEC, START).when(PauseRequested(at_ms=0, by="ann")).then()
    with pytest.raises(AssertionError, match=r"expected:\n  plan#1\ncame:\n  nothing"):
        paused.then_dispatched("plan#1")
    with pytest.raises(AssertionError, match=r"expected:\n  nothing\ncame:\n  plan#1"):
        given(SPEC).when(START).then_dispatched()


def test_another_verdict_is_named() -> None:
    """A verdict that was not expected is named with what it tells people."""
    resumed = given(SPEC).when(ResumeRequested(at_ms=0, by="ann"))
    told = r"came:\n  rejected\(not-started\)\n  the flow has not started"
    with pytest.raises(AssertionError, match=told):
        resumed.then_ignored("no-change")
    with pytest.raises(AssertionError, match=r"expected:\n  accepted\ncame:\n  rejected"):
        resumed.then()
    with pytest.raises(AssertionError, match=r"expected:\n  accepted\ncame:\n  rejected"):
        resumed.then_dispatched()
    with pytest.raises(AssertionError, match=r"expected:\n  rejected\(not-started\)\ncame:\n  acc"):
        given(SPEC).when(START).then_rejected("not-started")


def test_another_status_is_named() -> None:
    """A status that was not expected is named with its step, an unknown step as unknown."""
    started = given(SPEC).when(START)
    with pytest.raises(AssertionError, match=r"the status of the flow after flow-started"):
        started.then_status("success")
    with pytest.raises(
        AssertionError, match=r"the status of plan after .*\n.*\n  success\n.*\n  q"
    ):
        started.then_status("in-progress", plan="success")
    with pytest.raises(AssertionError, match=r"came:\n  unknown"):
        started.then_status("in-progress", **{"plan#2": "pending"})
