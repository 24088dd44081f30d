"""A line for everything that happens to a flow, for people who watch it.

Rule: a line says what came in, what became of it, and what it set going, in the words of the
events and commands; it looks at nothing else.
"""

from __future__ import annotations

from typing import Final, assert_never

from conductor_core import commands, events
from conductor_core.commands import Command
from conductor_core.durations import told_duration
from conductor_core.events import Event, PolicyReport, StepError, StepFinished
from conductor_core.reducer import Transition
from conductor_core.verdicts import Accepted, Rejected

SHOWN: Final = 3
"""So many dispatches of one transition are named, the others counted."""

_ANSWERS: Final = {
    "approve": "approves",
    "deny": "denies",
    "skip-current": "skips",
    "skip-current-and-dependents": "skips with its dependents",
    "retry": "sends back",
}


def line_of(event: Event, transition: Transition) -> str:
    """Tell an event with its verdict and its commands."""
    parts = [described(event)]
    verdict = transition.verdict
    if isinstance(verdict, Rejected) and verdict.message:
        parts.append(f" [{verdict}: {verdict.message}]")
    elif not isinstance(verdict, Accepted):
        parts.append(f" [{verdict}]")
    set_going = _set_going(transition.commands)
    if set_going:
        parts.append(f" -> {', '.join(set_going)}")
    return "".join(parts)


def described(event: Event) -> str:
    """Tell an event."""
    match event:
        case events.FlowStarted():
            return "flow started"
        case events.StepStarted(attempt=attempt):
            return f"{attempt} runs"
        case events.StepFinished():
            return _finished(event)
        case events.TimerFired(timer=timer):
            return f"timer {timer} fired"
        case events.GroupsGenerated(groups=groups):
            return f"groups generated: {', '.join(group.key for group in groups) or 'none'}"
        case events.GenerationFailed(error=error):
            return f"generation failed: {_told(error)}"
        case events.ContinueAsNewSuggested():
            return "continue-as-new suggested"
        case events.ContinuedAsNew():
            return "continued as new"
        case _:
            return f"{event.by} {_asked(event)}"


def _finished(event: StepFinished) -> str:
    told = f"{event.attempt} {event.outcome}"
    if event.error is not None:
        told += f": {_told(event.error)}"
    if event.directive is not None:
        told += f", asks to {event.directive}"
    if event.noop is True:
        told += ", with nothing to do"
    return told if event.policy is None else f"{told}, {_judged(event.policy)}"


def _judged(policy: PolicyReport) -> str:
    if not policy.evaluated:
        return "its policies could not be evaluated"
    if policy.deny_violations:
        return f"a policy denies it ({', '.join(policy.deny_violations)})"
    if policy.warn_violations:
        return f"policies pass with warnings ({', '.join(policy.warn_violations)})"
    return "all policies pass"


def _told(error: StepError) -> str:
    return f"{error.type}: {error.message}" if error.message else error.type


def _asked(request: events.Request) -> str:
    """Tell what somebody asks for."""
    match request:
        case events.ApprovalResponded(step=step, response=response, note=note):
            answer = _ANSWERS.get(response, f"answers {response!r} to")
            return f"{answer} {step}" + (f": {note}" if note else "")
        case events.ApprovalOptionChanged(option=option):
            return f"sets the approval option to {option}"
        case events.CancelRequested(group=group, step=step, reason=reason):
            what = step or group or "the flow"
            return f"cancels {what}" + (f": {reason}" if reason else "")
        case events.RerunRequested(step_id=step, operation=operation):
            return f"asks to {operation} {step}"
        case events.GroupRetryRequested(group=group):
            return f"retries group {group}"
        case events.RetryNowRequested(step=step):
            return f"retries {step} now"
        case events.PauseRequested():
            return "pauses the flow"
        case events.ResumeRequested():
            return "resumes the flow"
        case events.AppendRequested(groups=groups):
            return f"appends {', '.join(group.key for group in groups) or 'nothing'}"
        case _:
            assert_never(request)


def _set_going(going: tuple[Command, ...]) -> list[str]:
    """Tell commands, in their order; of many dispatches the first."""
    dispatched = [
        command.attempt for command in going if isinstance(command, commands.DispatchStep)
    ]
    told = [text for command in going if (text := _commanded(command))]
    if dispatched:
        more = f" and {len(dispatched) - SHOWN} more" if len(dispatched) > SHOWN else ""
        told.append(f"dispatch {' '.join(dispatched[:SHOWN])}{more}")
    return told


def _commanded(command: Command) -> str | None:
    """Tell a command; None for what is told elsewhere or says nothing to people."""
    match command:
        case commands.RequestApproval(attempt=attempt, subject=subject):
            return f"ask for approval of {attempt}" + (f" ({subject})" if subject else "")
        case commands.CancelFutures(attempts=attempts):
            return f"cancel {' '.join(attempts)}"
        case commands.ScheduleTimer(timer=timer, delay_ms=delay_ms):
            return f"timer {timer} in {told_duration(delay_ms)}"
        case commands.GenerateSteps():
            return "generate groups"
        case commands.ContinueAsNew():
            return "continue as new"
        case commands.FinishFlow(outcome=outcome):
            return f"flow {outcome.status}"
        case commands.DispatchStep() | commands.CancelTimer():
            return None
        case _:
            assert_never(command)
