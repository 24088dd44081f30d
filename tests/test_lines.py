"""A line for everything that happens: every event, every verdict, every command."""

from __future__ import annotations

import pytest

from conductor_core import FlowSpec, GroupSpec, StepSpec, Transition, commands, events
from conductor_core.commands import Command
from conductor_core.events import Event, PolicyReport, StepError
from conductor_core.lines import described, line_of
from conductor_core.payload import EMPTY
from conductor_core.state import initial_state
from conductor_core.verdicts import Accepted, Ignored, Rejected, Verdict

GROUP = GroupSpec(key="g", steps=(StepSpec(key="a"),))
STATE = initial_state(FlowSpec(groups=(GROUP,)), "f")
ERROR = StepError(type="OSError", message="no space")
WARNED = PolicyReport(warn_violations=("port 22 is open", "no owner"))


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (events.FlowStarted(at_ms=0), "flow started"),
        (events.StepStarted(at_ms=0, attempt="a#1"), "a#1 runs"),
        (
            events.StepFinished(at_ms=0, attempt="a#1", outcome="succeeded", directive="stop"),
            "a#1 succeeded, asks to stop",
        ),
        (
            events.StepFinished(at_ms=0, attempt="a#1", outcome="failed", error=ERROR),
            "a#1 failed: OSError: no space",
        ),
        (
            events.StepFinished(at_ms=0, attempt="a#1", outcome="failed", error=StepError()),
            "a#1 failed: Error",
        ),
        (
            events.StepFinished(at_ms=0, attempt="a#1", outcome="succeeded", policy=WARNED),
            "a#1 succeeded, policies pass with warnings (port 22 is open, no owner)",
        ),
        (events.TimerFired(at_ms=0, timer="cancel"), "timer cancel fired"),
        (events.GroupsGenerated(at_ms=0, groups=(GROUP,)), "groups generated: g"),
        (events.GroupsGenerated(at_ms=0), "groups generated: none"),
        (events.GenerationFailed(at_ms=0, error=ERROR), "generation failed: OSError: no space"),
        (events.ContinueAsNewSuggested(at_ms=0, incarnation=0), "continue-as-new suggested"),
        (events.ContinuedAsNew(at_ms=0, incarnation=0), "continued as new"),
        (
            events.ApprovalResponded(at_ms=0, by="ana", step="a", response="deny", note="no"),
            "ana denies a: no",
        ),
        (
            events.ApprovalResponded(at_ms=0, by="ana", step="a", response="shrug"),
            "ana answers 'shrug' to a",
        ),
        (
            events.ApprovalOptionChanged(at_ms=0, by="ana", option="prompt"),
            "ana sets the approval option to prompt",
        ),
        (events.CancelRequested(at_ms=0, by="ana"), "ana cancels the flow"),
        (
            events.CancelRequested(at_ms=0, by="ana", group="g", reason="late"),
            "ana cancels g: late",
        ),
        (
            events.RerunRequested(at_ms=0, by="ana", flow_id="f", step_id="a"),
            "ana asks to retry-step a",
        ),
        (events.GroupRetryRequested(at_ms=0, by="ana", group="g"), "ana retries group g"),
        (events.RetryNowRequested(at_ms=0, by="ana", step="a"), "ana retries a now"),
        (events.PauseRequested(at_ms=0, by="ana"), "ana pauses the flow"),
        (events.ResumeRequested(at_ms=0, by="ana"), "ana resumes the flow"),
        (events.AppendRequested(at_ms=0, by="ana", groups=(GROUP,)), "ana appends g"),
        (events.AppendRequested(at_ms=0, by="ana"), "ana appends nothing"),
    ],
)
def test_every_event_is_told(event: Event, line: str) -> None:
    """What was seen, or who asked for what."""
    assert described(event) == line


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (Accepted(), "flow started"),
        (Ignored("already-started"), "flow started [ignored(already-started)]"),
        (Rejected("no"), "flow started [rejected(no)]"),
        (Rejected("no", "not now"), "flow started [rejected(no): not now]"),
    ],
)
def test_a_verdict_is_told_unless_it_is_accepted(verdict: Verdict, told: str) -> None:
    """Who is refused reads why."""
    assert line_of(events.FlowStarted(at_ms=0), Transition(STATE, (), verdict)) == told


def dispatch(attempt: str) -> commands.DispatchStep:
    """The dispatch of an attempt."""
    return commands.DispatchStep(
        attempt=attempt, work="a", input=EMPTY, outputs=EMPTY, subjects=EMPTY,
        idempotency_key=attempt, retry=0, generation=0, timeout_ms=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("going", "told"),
    [
        ((dispatch("a#1"),), "dispatch a#1"),
        (tuple(dispatch(f"s{n}#1") for n in range(9)), "dispatch s0#1 s1#1 s2#1 and 6 more"),
        (
            (
                commands.RequestApproval(
                    attempt="a#1", subject="sha256:1", required=1, approvers=None, expires_at_ms=9
                ),
                commands.ScheduleTimer(timer="approval:a#1", due_at_ms=9, delay_ms=1500),
            ),
            "ask for approval of a#1 (sha256:1), timer approval:a#1 in 1.5 s",
        ),
        ((commands.CancelFutures(attempts=("a#1", "b#1")),), "cancel a#1 b#1"),
        ((commands.CancelTimer(timer="cancel"),), None),
        (
            (commands.GenerateSteps(flow_id="f", flow_type="t", metadata=EMPTY, run=1),),
            "generate groups",
        ),
        ((commands.ContinueAsNew(start_from_group_idx=1, incarnation=0),), "continue as new"),
        (
            (commands.FinishFlow(outcome=commands.Outcome(status="error"), run=1),),
            "flow error",
        ),
    ],
)
def test_what_was_set_going_is_told(going: tuple[Command, ...], told: str | None) -> None:
    """Commands follow the event that led to them."""
    line = line_of(events.FlowStarted(at_ms=0), Transition(STATE, going, Accepted()))
    assert line == ("flow started" if told is None else f"flow started -> {told}")
