"""Where a flow stands: what it waits for, how far approvals are, and what may be asked of it now.

Rule: what may be asked is what `explain` says would be accepted, and the words are those of the
command line. A request is told as it would be sent, but for who asks and when; about an attempt,
it means that one and no later one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from attrs import asdict, evolve

from conductor_adapters.cli.possible import words_of
from conductor_core import events
from conductor_core.attempt import Attempt
from conductor_core.codec import encode_event
from conductor_core.events import Request, is_request
from conductor_core.explain import Quorum, explain
from conductor_core.state import FlowState

MOST: Final = 200
"""So many waits, approvals and requests are told."""
LABELS: Final = {
    "approve": "Approve",
    "deny": "Deny",
    "retry": "Plan again",
    "skip-current": "Skip",
    "skip-current-and-dependents": "Skip and stop",
    "retry-step": "Retry",
    "skip-step": "Skip",
    "approve-all": "Approve all",
    "prompt": "Ask again",
    "group-retry-requested": "Retry the group",
    "retry-now-requested": "Retry now",
    "pause-requested": "Pause",
    "resume-requested": "Resume",
    "cancel-requested": "Cancel",
}
GRAVE: Final = frozenset({"cancel-requested", "approve-all", "skip-current-and-dependents"})
"""What is asked for a second time before it is sent."""
NOTES: Final = {"approval-responded": "note", "cancel-requested": "reason"}
"""The field for words of one's own."""


def standing_of(state: FlowState) -> dict[str, Any]:
    """Where a flow stands, for a page."""
    told = explain(state)
    requests = (each for each in told.legal if is_request(each))
    return {
        "status": told.status,
        "for_people": told.for_people,
        "ended": state.outcome is not None,
        "waits": [asdict(wait) for wait in told.waits[:MOST]],
        "approvals": [_approval(state, each) for each in told.quorums[:MOST]],
        "failures": list(_failures(state)),
        "requests": list(islice((_request(state, each) for each in requests), MOST)),
    }


def waits_of(state: FlowState) -> list[dict[str, Any]]:
    """What a flow waits for, in brief."""
    return [asdict(wait) for wait in explain(state).waits]


def _approval(state: FlowState, quorum: Quorum) -> dict[str, Any]:
    attempt = state.attempt(quorum.attempt)
    assert attempt is not None, "an approval is about an attempt"
    approval = attempt.approval
    assert approval is not None, "it was asked for"
    return {
        "attempt": quorum.attempt,
        "step": quorum.step,
        "subject": None if attempt.result is None else attempt.result.subject,
        "required": quorum.required,
        "given": quorum.given,
        "left": quorum.left,
        "stale_at_ms": quorum.stale_at_ms,
        "asked_at_ms": approval.requested_at_ms,
        "due_at_ms": attempt.due_at_ms,
    }


def _failures(state: FlowState) -> Iterator[dict[str, Any]]:
    """The steps that failed and wait for somebody, with what went wrong."""
    parked = (each for each in state.current_attempts() if each.parked) if state.parked else ()
    for attempt in islice(parked, MOST):
        error = None if attempt.result is None else attempt.result.error
        yield {
            "attempt": attempt.id,
            "step": attempt.step,
            "error": None if error is None else f"{error.type}: {error.message}",
        }


# --- requests ---


def _request(state: FlowState, request: Request) -> dict[str, Any]:
    """A request as it may be sent, with its words."""
    attempt = _attempt_of(state, request)
    event = encode_event(_exact(request, attempt))
    for name in ("at_ms", "by"):
        event.pop(name, None)
    kind = _kind_of(request, event["type"])
    return {
        "event": event,
        "attempt": None if attempt is None else attempt.id,
        "label": LABELS[kind],
        "told": "".join(words_of(state, request)),
        "kind": kind,
        "grave": kind in GRAVE,
        "words": NOTES.get(event["type"]),
    }


def _attempt_of(state: FlowState, request: Request) -> Attempt | None:
    """The attempt that a request is about."""
    match request:
        case events.ApprovalResponded(step=step) | events.RetryNowRequested(step=step):
            key = step
        case events.RerunRequested(step_id=step):
            key = step
        case _:
            return None
    position = state.catalog.position_of(key)
    return None if position is None else state.live[position]


def _exact(request: Request, attempt: Attempt | None) -> Request:
    """A request about what is there now: a plan by its subject, a failure by its attempt."""
    if attempt is None:
        return request
    match request:
        case events.ApprovalResponded():
            subject = None if attempt.result is None else attempt.result.subject
            return evolve(request, subject=subject)
        case events.RerunRequested():
            return evolve(request, step_id=attempt.id)
        case _:
            return request


def _kind_of(request: Request, tag: str) -> str:
    match request:
        case events.ApprovalResponded(response=response):
            return response
        case events.RerunRequested(operation=operation):
            return operation
        case events.ApprovalOptionChanged(option=option):
            return option
        case _:
            return tag
