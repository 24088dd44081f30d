"""Where a flow stands, for programs.

Rule: all that is told to people is here too, as data and without their limits. What they are
told as a time from now is a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, TypeVar

from attrs import asdict

from conductor_adapters.cli.possible import words_of
from conductor_adapters.cli.reports import next_timer_as_data, told_fact
from conductor_adapters.cli.standing import (
    Group,
    attempt_before,
    in_brief,
    matters,
    violations,
    went_wrong,
)
from conductor_adapters.cli.ways import way_as_data, way_of
from conductor_adapters.debugger.legal import legal_facts, legal_requests
from conductor_core import explain
from conductor_core.attempt import Attempt
from conductor_core.codec import encode_event, writer
from conductor_core.directives import describe
from conductor_core.events import StepError
from conductor_core.explain import quorum_of, step_of
from conductor_core.state import Cancellation, FlowState

T = TypeVar("T")

MOST: Final = 10_000
"""So many requests, and so many facts, are there one by one, the others counted."""


def standing_as_data(state: FlowState, now_ms: int) -> dict[str, Any]:
    """Where a flow stands, as data; `stop` is the outcome of a stop that is under way."""
    explanation = explain(state)
    requests, more_requests = _first(legal_requests(state, explanation, now_ms))
    facts, more_facts = _first(legal_facts(state, now_ms))
    stop = state.stop if state.outcome is None else None
    return {
        "flow_id": state.flow_id,
        "type": state.spec.type,
        "status": state.status,
        "run": state.run,
        "paused": state.paused,
        "approval_option": state.approval,
        "outcome": None if state.outcome is None else asdict(state.outcome),
        "stop": None if stop is None else asdict(stop),
        "cancellation": _cancellation_as_data(state.cancellation),
        "at_ms": now_ms,
        "for_people": explanation.for_people,
        "waits": [asdict(wait) for wait in explanation.waits],
        "groups": [_group_as_data(state, group) for group in in_brief(state)],
        "requests": [
            {"told": "".join(words_of(state, request)), "request": encode_event(request)}
            for request in requests
        ],
        "more_requests": more_requests,
        "facts": [{"told": told_fact(it, now_ms), "fact": encode_event(it)} for it in facts],
        "more_facts": more_facts,
        "next_timer": next_timer_as_data(state, explanation, now_ms),
        "way": way_as_data(way_of(state, now_ms)),
    }


def _first(found: Iterator[T]) -> tuple[list[T], int]:
    """The first events, and how many more there are."""
    return list(islice(found, MOST)), sum(1 for _ in found)


def _cancellation_as_data(cancellation: Cancellation | None) -> dict[str, Any] | None:
    return None if cancellation is None else {"by": cancellation.by, "reason": cancellation.reason}


def _group_as_data(state: FlowState, group: Group) -> dict[str, Any]:
    attempts = state.current_attempts() if group.current else ()
    return {
        "key": group.key,
        "status": group.status,
        "current": group.current,
        "counts": dict(group.counts),
        "attempts": [_attempt_as_data(state, it) for it in attempts if matters(it)],
    }


def _attempt_as_data(state: FlowState, attempt: Attempt) -> dict[str, Any]:
    step, before = step_of(state, attempt), attempt_before(state, attempt)
    return {
        "attempt": attempt.id,
        "step": step.key,
        "name": step.name,
        "status": attempt.status,
        "directive": attempt.directive,
        "reason": attempt.reason,
        "retry": attempt.retry,
        "max_retries": step.retry.max_retries,
        "generation": attempt.generation,
        "due_at_ms": attempt.due_at_ms,
        "subject": None if attempt.result is None else attempt.result.subject,
        "approval": _approval_as_data(state, attempt),
        "failure": _failure_as_data(attempt),
        "failure_before": None if before is None else _failure_as_data(before),
    }


def _approval_as_data(state: FlowState, attempt: Attempt) -> dict[str, Any] | None:
    """An approval; `may_approve` are those who still may while it is open, null for anybody."""
    approval = attempt.approval
    if approval is None:
        return None
    quorum = quorum_of(state, attempt)
    return {
        **asdict(approval),
        "required": quorum.required,
        "missing": quorum.missing if attempt.awaiting else 0,
        "may_approve": quorum.left if attempt.awaiting else (),
        "stale_at_ms": quorum.stale_at_ms,
    }


def _failure_as_data(attempt: Attempt) -> dict[str, Any] | None:
    if not went_wrong(attempt):
        return None
    return {
        "attempt": attempt.id,
        "status": attempt.status,
        "reason": attempt.reason,
        "message": describe(attempt.reason, attempt.error),
        "deny_violations": list(violations(attempt)),
        "error": None if attempt.error is None else writer(StepError)(attempt.error),
    }
