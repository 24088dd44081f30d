"""What a run that stops short tells: what it waits for, who can end that, and how to go on.

Rule: a way on is told only where it leads past everything that is asked now. The run that
goes on with a log needs what is missing; a new run starts from the first step, so it is given
whatever this one was given, and more. However much a flow waits for, what is told is short.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from conductor_adapters.cli.console import counted
from conductor_core import Explanation, explain
from conductor_core.attempt import Attempt
from conductor_core.durations import told_duration
from conductor_core.events import PolicyReport
from conductor_core.explain import Quorum, Wait, enough_names, quorum_of
from conductor_core.state import FlowState

SHOWN: Final = 10
"""So many waits are told one by one, and so many steps and names stand in a command."""
PROMPT: Final = "at its prompt (on a terminal, without --no-input)"


def told_waits(state: FlowState, now_ms: int) -> Iterator[str]:
    """Say what a flow waits for, and who may approve what is to be approved."""
    explanation = explain(state)
    yield from told_each_wait(explanation, now_ms)
    told = {wait.subject for wait in explanation.waits[:SHOWN]}
    for quorum in explanation.quorums:
        if quorum.attempt in told:
            yield f"{quorum.attempt} {who_may_approve(quorum)}"


def told_each_wait(explanation: Explanation, now_ms: int) -> Iterator[str]:
    """Say what a flow waits for: the first waits, and how many there are beside them."""
    waits = explanation.waits
    quorums = {quorum.attempt: quorum for quorum in explanation.quorums}
    for wait in waits[:SHOWN]:
        yield f"waits for {_told(wait, quorums, now_ms)}"
    if len(waits) > SHOWN:
        yield f"and for {len(waits) - SHOWN:,} things more"


def _told(wait: Wait, quorums: Mapping[str, Quorum], now_ms: int) -> str:
    """Tell a wait; whose approval it is for is told in a line of its own."""
    subject = "" if wait.subject is None else f"{wait.subject}: "
    due = "" if wait.due_at_ms is None else f", at the latest in {_until(wait.due_at_ms, now_ms)}"
    quorum = None if wait.subject is None else quorums.get(wait.subject)
    what = wait.what if quorum is None else how_many_approved(quorum)
    return f"{subject}{what} ({wait.who}{due})"


def _until(due_at_ms: int, now_ms: int) -> str:
    return told_duration(max(0, due_at_ms - now_ms))


# --- approvals ---


def told_approval(state: FlowState, attempt: Attempt, now_ms: int) -> str:
    """Say how far an open approval is, who may go on with it, and until when."""
    quorum, due = quorum_of(state, attempt), attempt.due_at_ms
    expires = "" if due is None else f"; expires in {_until(due, now_ms)}"
    return f"{how_many_approved(quorum)}; {who_may_approve(quorum)}{expires}"


def told_policy(policy: PolicyReport | None) -> Iterator[str]:
    """What policies found that people should know of before they answer."""
    if policy is None:
        return
    if not policy.evaluated:
        yield "its policies could not be evaluated"
    yield from (f"denied by policy: {text}" for text in policy.deny_violations)
    yield from (f"warned by policy: {text}" for text in policy.warn_violations)


def how_many_approved(quorum: Quorum) -> str:
    """Count the approvals."""
    return f"{len(quorum.given)} of {quorum.required} approvals"


def who_may_approve(quorum: Quorum) -> str:
    """Name those who may still approve."""
    if quorum.left is not None:
        return f"may be approved by {' or '.join(quorum.left)}"
    given = quorum.given
    return f"may be approved by anybody{' but ' if given else ''}{' and '.join(given)}"


# --- how to go on ---


def way_on(state: FlowState, log: Path | None, again: tuple[str, ...]) -> str:
    """Say how the next run gets past what this one waits for: from its log, or else anew."""
    options = _options(state, anew=log is None)
    answer = f"{_what_to_do(state)} {PROMPT}"
    if log is None:
        given = "" if options is None else f"give it {options}, or "
        return f"a new run starts from the first step: {given}{answer}"
    begin = f"go on with: {shlex.join(['conductor', 'run', '--resume', str(log), *again])}"
    return f"{begin}, and {answer}" if options is None else f"{begin} {options}, or {answer}"


def _what_to_do(state: FlowState) -> str:
    """What a person does at the prompt."""
    return "answer" if state.parked or state.awaiting else "resume it"


def _options(state: FlowState, *, anew: bool) -> str | None:
    """The options that answer everything; None where options cannot."""
    if state.parked or state.paused or not state.awaiting:
        return None
    asked = state.attempts() if anew else state.open_approvals()
    quorums = [quorum_of(state, attempt) for attempt in asked if _asks_people(attempt)]
    steps = list(dict.fromkeys(quorum.step for quorum in quorums))
    names, more = enough_names(quorums, anew=anew)
    anybody = (f"NAME{n}" if more > 1 else "NAME" for n in range(1, more + 1))
    by = [*names, *islice(anybody, SHOWN + 1)]
    return (
        f"--approve {_listed(steps, 'STEP', len(steps))}"
        f" --by {_listed(by, 'NAME', len(names) + more)}"
    )


def _asks_people(attempt: Attempt) -> bool:
    """Whether people were asked to approve it."""
    return attempt.approval is not None and attempt.approval.automatic is None


def _listed(values: Sequence[str], placeholder: str, count: int) -> str:
    """The value of an option; of very many the number."""
    if count <= SHOWN:
        return shlex.quote(",".join(values))
    return f"{placeholder},... ({counted(count, placeholder.lower())})"
