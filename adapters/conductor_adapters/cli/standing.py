"""Where a flow stands, for people and for programs.

Rule: everything is read from the state; what matters now is told one by one, up to a
limit, and all the rest is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any, Final

from attrs import asdict, frozen

from conductor_adapters.cli.durations import told_duration
from conductor_adapters.cli.possible import told_requests, words_of
from conductor_adapters.cli.waits import told_approval, told_waits
from conductor_core import explain
from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.codec import encode_event, writer
from conductor_core.commands import Outcome
from conductor_core.directives import describe
from conductor_core.events import StepError, is_request
from conductor_core.state import FlowState

SHOWN: Final = 10
"""So many waits, and so many attempts, are told one by one."""
GROUPS_SHOWN: Final = 5
"""So many neighbours of one status have a line each."""
WIDTH: Final = 400
"""So many characters of what work left behind are shown."""

QUIET: Final = frozenset(
    {
        AttemptStatus.PENDING,
        AttemptStatus.SUCCESS,
        AttemptStatus.AUTO_SKIPPED,
        AttemptStatus.USER_SKIPPED,
        AttemptStatus.DISCARDED,
        AttemptStatus.NOT_ATTEMPTED,
    }
)
"""The statuses of attempts of which there is no more to say than how many there are."""


def standing_as_data(state: FlowState, now_ms: int) -> dict[str, Any]:
    """Where a flow stands, as data: what `told_standing` tells, without its limits."""
    explanation = explain(state)
    return {
        "flow_id": state.flow_id,
        "type": state.spec.type,
        "status": state.status,
        "run": state.run,
        "paused": state.paused,
        "outcome": None if state.outcome is None else asdict(state.outcome),
        "at_ms": now_ms,
        "waits": [asdict(wait) for wait in explanation.waits],
        "groups": [_group_as_data(state, group) for group in _in_brief(state)],
        "requests": [
            {"told": "".join(words_of(state, event)), "request": encode_event(event)}
            for event in explanation.legal
            if is_request(event)
        ],
    }


def _group_as_data(state: FlowState, group: _Group) -> dict[str, Any]:
    attempts = state.current_attempts() if group.current else ()
    return {
        "key": group.key,
        "status": group.status,
        "counts": dict(group.counts),
        "attempts": [_attempt_as_data(state, it) for it in attempts if matters(it)],
    }


def _attempt_as_data(state: FlowState, attempt: Attempt) -> dict[str, Any]:
    approval, before = attempt.approval, _before(state, attempt)
    return {
        "attempt": attempt.id,
        "status": attempt.status,
        "directive": attempt.directive,
        "reason": attempt.reason,
        "retry": attempt.retry,
        "generation": attempt.generation,
        "due_at_ms": attempt.due_at_ms,
        "subject": None if attempt.result is None else attempt.result.subject,
        "approval": None if approval is None else asdict(approval),
        "failure": _failure_as_data(attempt),
        "failure_before": None if before is None else _failure_as_data(before),
    }


def _failure_as_data(attempt: Attempt) -> dict[str, Any] | None:
    if not _went_wrong(attempt):
        return None
    return {
        "attempt": attempt.id,
        "message": describe(attempt.reason, attempt.error),
        "deny_violations": list(_violations(attempt)),
        "error": None if attempt.error is None else writer(StepError)(attempt.error),
    }


def told_standing(state: FlowState, now_ms: int) -> Iterator[str]:
    """Say where a flow stands, what it waits for and what may be asked of it."""
    yield f"flow {state.flow_id} ({state.spec.type}): {state.status}{_run(state)}"
    yield from _indented(_about(state), 2)
    yield from _indented(_few(list(told_waits(state, now_ms))), 2)
    yield "groups" if state.catalog.groups else "no groups yet"
    yield from _indented(_groups(state, now_ms), 2)
    requests = list(told_requests(state, explain(state).legal))
    yield "people may now" if requests else "there is nothing that people may ask of it"
    yield from _indented(requests, 2)


def _indented(lines: Iterable[str], by: int) -> Iterator[str]:
    return (f"{' ' * by}{line}" for line in lines)


def _few(lines: list[str]) -> Iterator[str]:
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"and {len(lines) - SHOWN:,} lines more of this kind"


# --- the flow ---


def _run(state: FlowState) -> str:
    return f", run {state.run}" if state.run > 1 else ""


def _about(state: FlowState) -> Iterator[str]:
    """What holds for the whole flow and is not what one expects."""
    if state.outcome is not None:
        yield from _ended(state.outcome)
    if state.cancellation is not None:
        reason = state.cancellation.reason
        yield f"cancelled by {state.cancellation.by}" + (f": {reason}" if reason else "")
    if state.paused:
        yield "paused: nothing new starts"
    if state.outcome is None and state.stop is not None:
        yield f"to stop: {told_outcome(state.stop)}"
    if state.approval != state.spec.options.approval:
        yield f"approval option: {state.approval}"


def _ended(outcome: Outcome) -> Iterator[str]:
    if outcome.status != "success":
        yield f"because: {told_outcome(outcome)}"


def told_outcome(outcome: Outcome) -> str:
    """Say why a flow ended, with what people are told of it."""
    at = f" at {outcome.step}" if outcome.step else ""
    told = f": {outcome.message}" if outcome.message else ""
    exhausted = ", its retries are used up" if outcome.retries_exhausted else ""
    return f"{outcome.reason}{at}{told}{exhausted}"


# --- groups ---


@frozen
class _Group:
    """A group in brief: its place, its status, and how many of its attempts have which."""

    index: int
    key: str
    status: str
    counts: Counter[str]
    current: bool


def _group(state: FlowState, index: int) -> _Group:
    counts = Counter(attempt.status.value for attempt in state.live_of(index))
    key = state.catalog.groups[index].key
    return _Group(index, key, state.group_status(index), counts, index == state.current)


def _in_brief(state: FlowState) -> Iterator[_Group]:
    return (_group(state, index) for index in range(len(state.catalog.groups)))


def _groups(state: FlowState, now_ms: int) -> Iterator[str]:
    """The current group in full; of the others, neighbours of one status together."""
    for _, row in groupby(_in_brief(state), key=lambda group: (group.current, group.status)):
        alike = list(row)
        if alike[0].current:
            yield from _current(state, alike[0], now_ms)
        elif len(alike) <= GROUPS_SHOWN:
            yield from (_line(group.key, group.status, group.counts) for group in alike)
        else:
            counts = sum((group.counts for group in alike), Counter[str]())
            names = f"{alike[0].key} to {alike[-1].key} ({len(alike):,} groups)"
            yield _line(names, alike[0].status, counts)


def _line(name: str, status: str, counts: Counter[str]) -> str:
    return f"{name}: {status} ({_counted(counts)})"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in counts.items())


def _current(state: FlowState, group: _Group, now_ms: int) -> Iterator[str]:
    """A group, what matters in it, and how many there are of the rest."""
    yield f"{group.key}: {group.status}"
    rest = Counter(group.counts)
    for attempt in _told_one_by_one(state):
        rest[attempt.status.value] -= 1
        yield f"  {_heading(state, attempt)}"
        yield from _indented(_about_attempt(state, attempt, now_ms), 4)
    rest = +rest
    if rest:
        yield f"  {'and ' if rest.total() < group.counts.total() else ''}{_counted(rest)}"


def _told_one_by_one(state: FlowState) -> list[Attempt]:
    """The attempts that matter most, in flow order."""
    mattering = sorted(
        (_weight(attempt), number, attempt)
        for number, attempt in enumerate(state.current_attempts())
        if matters(attempt)
    )
    return [attempt for _, _, attempt in sorted(mattering[:SHOWN], key=lambda it: it[1])]


def matters(attempt: Attempt) -> bool:
    """Whether there is more to say about an attempt than its status."""
    if attempt.status is AttemptStatus.CANCELLED:
        return attempt.dispatched
    return attempt.status not in QUIET


def _weight(attempt: Attempt) -> int:
    """What is told first where not all can be: what people must look after."""
    if attempt.failed:
        return 0
    return 1 if attempt.awaiting else 2


# --- attempts ---


def _heading(state: FlowState, attempt: Attempt) -> str:
    step = state.catalog.steps[_position(state, attempt)]
    reason = f" ({attempt.reason})" if attempt.reason else ""
    retries = f", retry {attempt.retry} of {step.retry.max_retries}" if attempt.retry else ""
    generation = f", generation {attempt.generation}" if attempt.generation else ""
    name = f" ({step.name})" if step.name else ""
    return f"{attempt.id}{name}: {attempt.status}{reason}{retries}{generation}"


def _position(state: FlowState, attempt: Attempt) -> int:
    position = state.position_of(attempt.id)
    assert position is not None, f"{attempt.id!r} is an attempt of the flow"
    return position


def _about_attempt(state: FlowState, attempt: Attempt, now_ms: int) -> Iterator[str]:
    if attempt.result is not None and attempt.result.subject is not None:
        yield f"subject: {_cut(attempt.result.subject)}"
    if attempt.awaiting:
        yield told_approval(state, attempt, now_ms)
        yield from _staleness(state, attempt, now_ms)
    yield from _answers(attempt)
    yield from _failure(attempt)
    before = _before(state, attempt)
    if before is not None and _went_wrong(before):
        yield f"{before.id} before it: {before.status} ({before.reason})"
        yield from _indented(_failure(before), 2)


def _before(state: FlowState, attempt: Attempt) -> Attempt | None:
    """The attempt that this one tries again, while it has nothing to say of itself."""
    if attempt.n == 1 or attempt.result is not None:
        return None
    earlier = state.superseded[_position(state, attempt)]
    return earlier[len(earlier) - 1]


def _staleness(state: FlowState, attempt: Attempt, now_ms: int) -> Iterator[str]:
    stale_after_ms = state.catalog.steps[_position(state, attempt)].approval_spec.stale_after_ms
    if stale_after_ms is None or attempt.approval is None:
        return
    left = attempt.approval.requested_at_ms + stale_after_ms - now_ms
    if left > 0:
        yield f"stale in {told_duration(left)}"
    else:
        yield "stale: to approve it has it worked out anew"


def _answers(attempt: Attempt) -> Iterator[str]:
    for answer in () if attempt.approval is None else attempt.approval.answers:
        yield f"{answer.by}: {answer.response}" + (f": {_cut(answer.note)}" if answer.note else "")


def _went_wrong(attempt: Attempt) -> bool:
    return attempt.failed or attempt.status is AttemptStatus.ERROR or attempt.error is not None


def _failure(attempt: Attempt) -> Iterator[str]:
    """Say why an attempt failed: what anybody may know, then what operators need."""
    if _went_wrong(attempt):
        yield f"for people: {_cut(describe(attempt.reason, attempt.error))}"
        for text in islice(_violations(attempt), SHOWN):
            yield f"denied by policy: {_cut(text)}"
        yield from _errors(attempt.error)


def _violations(attempt: Attempt) -> tuple[str, ...]:
    policy = None if attempt.result is None else attempt.result.policy
    return () if policy is None else policy.deny_violations


def _errors(error: StepError | None) -> Iterator[str]:
    """An error with its causes, for operators."""
    caused = ""
    while error is not None:
        flags = [name for name in ("terminal", "non_retryable") if getattr(error, name)]
        told = f" ({', '.join(flags)})" if flags else ""
        yield f"{caused}{error.type}{told}: {_cut(error.message)}"
        if error.details.value is not None:
            yield f"  details: {_cut(error.details.text)}"
        caused, error = "caused by ", error.cause


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}..."
