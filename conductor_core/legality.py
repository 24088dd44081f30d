"""Whether an event counts: section 4.

Rule: `TABLE` says what the phase of the flow alone decides, for every class of event; where
it says nothing, the judge of that class looks closer. Facts are never rejected (S4.3),
and requests are rejected with the first code that applies (S4.2). What a judge finds out about
an event that counts is handed to whoever records it, who need not look for it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Final, TypeAlias, Union, assert_never

from conductor_core import events
from conductor_core.attempt import IN_PROGRESS, AttemptStatus
from conductor_core.draft import Continued, Rerun, WaitOver
from conductor_core.errors import shown
from conductor_core.events import Event, Request, is_request
from conductor_core.generation import Delivery, clash, delivery_of
from conductor_core.rerun import lay_out_group_retry, lay_out_rerun
from conductor_core.spec import group_problems
from conductor_core.state import FlowState
from conductor_core.verdicts import Accepted, Ignored, Rejected, Verdict

ACCEPTED: Final = Accepted()
NO_CHANGE: Final = Ignored("no-change")
STALE_ATTEMPT: Final = Ignored("stale-attempt")
UNKNOWN_ATTEMPT: Final = Ignored("unknown-attempt")
STALE_TIMER: Final = Ignored("stale-timer")
STALE_INCARNATION: Final = Ignored("stale-incarnation")
DUPLICATE_REQUEST: Final = Ignored("duplicate-request")
ALREADY_STARTED: Final = Ignored("already-started")
NOT_STARTED: Final = Rejected("not-started", "the flow has not started")
FLOW_FINISHED: Final = Rejected("flow-finished", "the flow has ended")
FLOW_CANCELLED: Final = Rejected("flow-cancelled", "the flow is being cancelled")


class Phase(StrEnum):
    """How far a flow is, as far as the table asks."""

    PENDING = auto()
    LIVE = auto()
    CANCELLING = auto()
    ENDED = auto()
    CANCELLED = auto()


_PENDING: Final = Phase.PENDING
_LIVE: Final = Phase.LIVE


def phase_of(state: FlowState) -> Phase:
    """The phase of a flow."""
    if state.outcome is not None:
        return Phase.ENDED if state.outcome.status != "cancelled" else Phase.CANCELLED
    if state.cancellation is not None:
        return Phase.CANCELLING
    return _LIVE if state.started else _PENDING


_LIVE_ONLY: Final[Mapping[Phase, Verdict]] = {
    Phase.PENDING: NOT_STARTED,
    Phase.CANCELLING: FLOW_CANCELLED,
    Phase.ENDED: FLOW_FINISHED,
    Phase.CANCELLED: FLOW_FINISHED,
}
_WHILE_GENERATING: Final[Mapping[Phase, Verdict]] = {
    Phase.PENDING: NO_CHANGE,
    Phase.CANCELLING: NO_CHANGE,
    Phase.ENDED: NO_CHANGE,
    Phase.CANCELLED: NO_CHANGE,
}

TABLE: Final[Mapping[type[Event], Mapping[Phase, Verdict]]] = {
    events.FlowStarted: {
        Phase.LIVE: ALREADY_STARTED,
        Phase.CANCELLING: ALREADY_STARTED,
        Phase.ENDED: ALREADY_STARTED,
        Phase.CANCELLED: ALREADY_STARTED,
    },
    events.GroupsGenerated: _WHILE_GENERATING,
    events.GenerationFailed: _WHILE_GENERATING,
    events.StepStarted: {},
    events.StepFinished: {},
    events.TimerFired: {},
    events.ContinueAsNewSuggested: {},
    events.ContinuedAsNew: {},
    events.ApprovalResponded: _LIVE_ONLY,
    events.ApprovalOptionChanged: _LIVE_ONLY,
    events.CancelRequested: {Phase.ENDED: FLOW_FINISHED, Phase.CANCELLED: NO_CHANGE},
    events.RerunRequested: {},
    events.GroupRetryRequested: {
        Phase.PENDING: NOT_STARTED,
        Phase.CANCELLING: FLOW_CANCELLED,
    },
    events.RetryNowRequested: _LIVE_ONLY,
    events.PauseRequested: _LIVE_ONLY,
    events.ResumeRequested: _LIVE_ONLY,
    events.AppendRequested: {
        Phase.CANCELLING: FLOW_CANCELLED,
        Phase.ENDED: FLOW_FINISHED,
        Phase.CANCELLED: FLOW_FINISHED,
    },
}


Finding: TypeAlias = Union[int, Delivery, Rerun, Continued, WaitOver]
"""What came to light about an event that counts: the position of the step that it names, what a
delivery of groups is, what a rerun or the end of a wait comes to."""


def judge(state: FlowState, event: Event) -> Verdict:
    """Say whether an event counts in a state; an event that counts changes something."""
    found = examine(state, event)
    return found if isinstance(found, (Accepted, Ignored, Rejected)) else ACCEPTED


def examine(state: FlowState, event: Event) -> Verdict | Finding:
    """The verdict on an event, or what was found out about one that counts."""
    if state.request_ids and is_request(event) and _is_known(state, event):
        return DUPLICATE_REQUEST  # S4.5: before any other code
    by_phase = TABLE[type(event)]
    verdict = by_phase.get(phase_of(state)) if by_phase else None
    return _look_closer(state, event) if verdict is None else verdict


def _is_known(state: FlowState, request: Request) -> bool:
    """Whether one of the last requests had the same id; many have none."""
    return request.request_id is not None and request.request_id in state.request_ids


def _look_closer(state: FlowState, event: Event) -> Verdict | Finding:
    match event:
        case events.StepFinished():
            return _judge_attempt(state, event.attempt)
        case events.StepStarted():
            return _judge_attempt(state, event.attempt, IN_PROGRESS)
        case events.TimerFired():
            return _judge_timer(state, event.timer)
        case events.ApprovalResponded():
            return _judge_response(state, event)
        case events.FlowStarted():
            return ACCEPTED  # S4.4
        case events.GroupsGenerated():
            return _judge_delivery(state, event)
        case events.GenerationFailed():
            return ACCEPTED if state.generating == "running" else NO_CHANGE
        case events.ContinueAsNewSuggested():
            return _judge_suggestion(state, event)
        case events.ContinuedAsNew():
            return _judge_continued(state, event)
        case events.ApprovalOptionChanged():
            return _judge_option(state, event)
        case events.CancelRequested():
            return _judge_cancel(state, event)
        case events.RerunRequested():
            return _judge_rerun(state, event)
        case events.GroupRetryRequested():
            return _judge_group_retry(state, event)
        case events.RetryNowRequested():
            return _judge_retry_now(state, event)
        case events.PauseRequested():
            return NO_CHANGE if state.paused else ACCEPTED
        case events.ResumeRequested():
            return ACCEPTED if state.paused else NO_CHANGE
        case events.AppendRequested():
            return _judge_append(state, event)
        case _:
            assert_never(event)


# --- facts (S4.3) ---


def _judge_attempt(
    state: FlowState, attempt_id: str, told: AttemptStatus | None = None
) -> Verdict | int:
    """A fact about work counts while its attempt is live and active, and if it is news (S1.4)."""
    position = state.catalog.position_of_attempt(attempt_id)
    if position is not None:
        live = state.live[position]
        if live.id == attempt_id:
            if live.status is told:
                return NO_CHANGE
            return position if live.active else STALE_ATTEMPT
    return UNKNOWN_ATTEMPT if state.attempt(attempt_id) is None else STALE_ATTEMPT


def _judge_timer(state: FlowState, timer: str) -> Verdict | int:
    """A timer counts while it is open; that of an attempt is found by the attempt's position."""
    if not is_open_timer(state, timer):
        return STALE_TIMER
    position = state.position_of(timer.partition(":")[2])
    return ACCEPTED if position is None else position


def is_open_timer(state: FlowState, timer: str) -> bool:
    """Whether a timer is one of those that the state waits for (S14.1)."""
    if timer == "cancel":
        return state.cancellation is not None and state.cancellation.due_at_ms is not None
    name = timer.partition(":")[2]
    if "#" not in name:
        return timer == state.wait_timer
    position = state.position_of(name)
    return position is not None and state.live[position].timer == timer


def _judge_delivery(state: FlowState, event: events.GroupsGenerated) -> Verdict | Delivery:
    """Groups count while they are being generated, and if they say anything new (S12.2)."""
    if state.generating != "running":
        return NO_CHANGE
    delivery = delivery_of(state.catalog, event.groups)
    is_news = event.complete or delivery is not Delivery.KNOWN
    return delivery if is_news else NO_CHANGE


def _judge_incarnation(state: FlowState, incarnation: int) -> Verdict:
    """What was sent about an earlier history is stale (S13.3a)."""
    if incarnation != state.incarnation:
        return STALE_INCARNATION
    return ACCEPTED if state.is_live else NO_CHANGE


def _judge_suggestion(state: FlowState, event: events.ContinueAsNewSuggested) -> Verdict:
    verdict = _judge_incarnation(state, event.incarnation)
    known = state.suggested or state.continuing
    return NO_CHANGE if verdict is ACCEPTED and known else verdict


def _judge_continued(state: FlowState, event: events.ContinuedAsNew) -> Verdict:
    verdict = _judge_incarnation(state, event.incarnation)
    return NO_CHANGE if verdict is ACCEPTED and not state.continuing else verdict


# --- requests (S4.2, then the rule at hand) ---


def unknown_step(key: str) -> Rejected:
    """Nothing in the flow has that key."""
    return Rejected("unknown-step", f"no step is named {shown(key)}")


def unknown_group(key: str) -> Rejected:
    """Nothing in the flow has that key."""
    return Rejected("unknown-group", f"no group is named {shown(key)}")


def _judge_response(state: FlowState, event: events.ApprovalResponded) -> Verdict | int:
    """The codes that come before those of the response's own row (section 8)."""
    position = state.catalog.position_of(event.step)
    if position is None:
        return unknown_step(event.step)
    attempt, step = state.live[position], state.catalog.steps[position]
    if not attempt.awaiting or attempt.approval is None or attempt.result is None:
        return Rejected("not-awaiting-approval", f"{attempt.id!r} is {attempt.status}")
    approvers, subject = step.approval_spec.approvers, attempt.result.subject
    if approvers is not None and event.by not in approvers:
        names = shown(list(approvers))
        return Rejected("not-an-approver", f"{shown(event.by)} is not among {names}")
    if event.subject is not None and event.subject != subject:
        return Rejected(
            "subject-mismatch", f"{shown(event.subject)} was answered, not {shown(subject)}"
        )
    if event.response == "approve" and event.by in attempt.approval.approvers:
        return Rejected(
            "already-responded", f"{shown(event.by)} has approved {attempt.id!r} before"
        )
    return _judge_response_row(state, event.response, position)


def _judge_response_row(state: FlowState, response: str, position: int) -> Verdict | int:
    """The codes of the responses' own rows (S8.5 to S8.12)."""
    attempt, step = state.live[position], state.catalog.steps[position]
    match response:
        case "approve" | "deny":
            return position
        case "skip-current" | "skip-current-and-dependents":
            if step.skippable:
                return position
            return Rejected("not-skippable", f"step {step.key!r} may not be skipped by a person")
        case "retry":
            if attempt.retry + 1 <= step.retry.max_retries:
                return position
            budget = step.retry.max_retries
            return Rejected("retries-exhausted", f"{attempt.id!r} used up its {budget} retries")
        case _:
            return Rejected("unknown-response", f"{shown(response)} is no answer to an approval")


def _judge_option(state: FlowState, event: events.ApprovalOptionChanged) -> Verdict:
    if event.option not in ("prompt", "approve-all"):
        return Rejected(
            "unknown-option", f"{shown(event.option)} is neither prompt nor approve-all"
        )
    return NO_CHANGE if event.option == state.approval else ACCEPTED


def _judge_cancel(state: FlowState, event: events.CancelRequested) -> Verdict:
    """A cancel counts once, and not for what has finished (S9.1)."""
    position = None if event.step is None else state.catalog.position_of(event.step)
    group = None if event.group is None else state.catalog.group_of(event.group)
    if event.step is not None and position is None:
        return unknown_step(event.step)
    if event.group is not None and group is None:
        return unknown_group(event.group)
    if state.cancellation is not None:
        return NO_CHANGE
    if position is not None and not state.live[position].unfinished:
        return Rejected("already-finished", f"step {shown(event.step)} has finished")
    if group is not None and _has_finished(state, group):
        return Rejected("already-finished", f"group {shown(event.group)} has finished")
    return ACCEPTED


def _has_finished(state: FlowState, group: int) -> bool:
    """Whether nothing in a group is left to be done; what the flow went past is."""
    if group < state.current:
        return True
    return not any(attempt.unfinished for attempt in state.live_of(group))


def _judge_rerun(state: FlowState, event: events.RerunRequested) -> Verdict | Rerun | Continued:
    if event.flow_id != state.flow_id:
        return Rejected(
            "flow-mismatch", f"{shown(event.flow_id)} was named, this is {state.flow_id!r}"
        )
    if event.continue_from_idx > 0:
        return _judge_second_leg(state, event.continue_from_idx)
    return lay_out_rerun(state, event)


def _judge_second_leg(state: FlowState, index: int) -> Verdict | Continued:
    """A continued run takes over from where the state is, and nowhere else (S10.6)."""
    if state.is_cancelling:
        return FLOW_CANCELLED
    if not state.is_live or index != state.current:
        problem = f"{shown(index)} is not the index of the current group of a live flow"
        return Rejected("invalid-continue-index", problem)
    return Continued() if state.continuing else NO_CHANGE


def _judge_group_retry(state: FlowState, event: events.GroupRetryRequested) -> Verdict | Rerun:
    group = state.catalog.group_of(event.group)
    if group is None:
        return unknown_group(event.group)
    return lay_out_group_retry(state, group)


def _judge_retry_now(state: FlowState, event: events.RetryNowRequested) -> Verdict | WaitOver:
    position = state.catalog.position_of(event.step)
    if position is None:
        return unknown_step(event.step)
    attempt = state.live[position]
    if state.wait_due_at_ms is not None and position in state.span:
        return WaitOver(None)
    if attempt.status is AttemptStatus.WAITING_TO_RETRY:
        return WaitOver(position)
    return Rejected("not-waiting", f"{attempt.id!r} is {attempt.status} and waits out no backoff")


def _judge_append(state: FlowState, event: events.AppendRequested) -> Verdict:
    """New groups count when their keys are new and they are valid (S11.4)."""
    if not event.groups:
        return NO_CHANGE
    key = clash(state.catalog, event.groups)
    if key is not None:
        return Rejected("duplicate-key", f"{shown(key)} is a key of the flow already")
    problems = group_problems(event.groups, state.catalog)
    if problems:
        return Rejected("invalid-groups", "; ".join(f"{path}: {text}" for path, text in problems))
    return ACCEPTED
