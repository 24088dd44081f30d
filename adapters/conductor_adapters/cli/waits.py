"""What a run that stops short tells: what it waits for, who can end that, and how to go on.

Rule: a way on is told only where it leads past everything that is asked now. The run that
goes on with a log needs what is missing; a new run starts from the first step, so it is given
whatever this one was given, and more.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from conductor_adapters.cli.durations import told_duration
from conductor_core import explain
from conductor_core.attempt import Attempt
from conductor_core.explain import Wait
from conductor_core.spec import ApprovalSpec
from conductor_core.state import FlowState


def told_waits(state: FlowState, now_ms: int) -> Iterator[str]:
    """Say what a flow waits for, and who may approve what is to be approved."""
    for wait in explain(state).waits:
        yield f"waits for {_told(wait, now_ms)}"
    for attempt in state.open_approvals():
        yield f"{attempt.id} {who_may_approve(state, attempt)}"


def _told(wait: Wait, now_ms: int) -> str:
    subject = "" if wait.subject is None else f"{wait.subject}: "
    due = "" if wait.due_at_ms is None else f", at the latest in {_until(wait.due_at_ms, now_ms)}"
    return f"{subject}{wait.what} ({wait.who}{due})"


def _until(due_at_ms: int, now_ms: int) -> str:
    return told_duration(max(0, due_at_ms - now_ms))


def told_approval(state: FlowState, attempt: Attempt, now_ms: int) -> str:
    """Say how far an open approval is, who may go on with it, and until when."""
    count = f"{len(_given(attempt))} of {_spec(state, attempt).required} approvals"
    due = attempt.due_at_ms
    expires = "" if due is None else f"; expires in {_until(due, now_ms)}"
    return f"{count}; {who_may_approve(state, attempt)}{expires}"


def who_may_approve(state: FlowState, attempt: Attempt) -> str:
    """Name those who may still approve an attempt."""
    given, named = _given(attempt), _spec(state, attempt).approvers
    if named is not None:
        left = [name for name in named if name not in given]
        return f"may be approved by {' or '.join(left)}"
    return f"may be approved by anybody{' but ' if given else ''}{' and '.join(given)}"


def way_on(state: FlowState, log: Path | None, again: tuple[str, ...]) -> str:
    """Say how the next run gets past what this one waits for: from its log, or else anew."""
    prompt = "answer at its prompt (on a terminal, without --no-input)"
    if log is None:
        begin = "a new run starts from the first step"
        asked = [attempt for attempt in state.attempts() if _asks_people(attempt)]
    else:
        begin = f"go on with: {shlex.join(['conductor', 'run', '--resume', str(log), *again])}"
        asked = list(state.open_approvals())
    if state.parked or not state.open_approvals():
        return f"{begin}: {prompt}" if log is None else f"{begin}, and {prompt}"
    steps = ",".join(dict.fromkeys(attempt.step for attempt in asked))
    names = ",".join(_names(state, asked, resumed=log is not None))
    options = f"--approve {shlex.quote(steps)} --by {shlex.quote(names)}"
    return (
        f"{begin}: give it {options}, or {prompt}"
        if log is None
        else (f"{begin} {options}, or {prompt}")
    )


def _asks_people(attempt: Attempt) -> bool:
    """Whether people were asked to approve it."""
    return attempt.approval is not None and attempt.approval.automatic is None


def _names(state: FlowState, asked: Iterable[Attempt], *, resumed: bool) -> list[str]:
    """Enough names to approve all of these: who did already, who may, and anybody.

    Who approved before counts on in the run that goes on, and is not asked again.
    """
    names: dict[str, None] = {}
    most = 0
    for attempt in asked:
        spec = _spec(state, attempt)
        given = _given(attempt)
        missing = spec.required - (len(given) if resumed else 0)
        listed = spec.approvers or ()
        allowed = [n for n in listed if n not in given] if resumed else [*given, *listed]
        names |= dict.fromkeys(list(dict.fromkeys(allowed))[:missing])
        most = max(most, missing if spec.approvers is None else 0)
    missing = most - len(names)
    return [*names, *(f"NAME{n}" if missing > 1 else "NAME" for n in range(1, missing + 1))]


def _given(attempt: Attempt) -> tuple[str, ...]:
    return () if attempt.approval is None else attempt.approval.approvers


def _spec(state: FlowState, attempt: Attempt) -> ApprovalSpec:
    position = state.position_of(attempt.id)
    assert position is not None, f"{attempt.id!r} is an attempt of the flow"
    return state.catalog.steps[position].approval_spec
