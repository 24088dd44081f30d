"""Where a flow stands, for people.

Rule: everything is read from the state; what matters now is told one by one, up to a
limit, and all the rest is counted. `standing_data` has the same for programs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Final

from attrs import frozen

from conductor_adapters.cli.console import cut
from conductor_adapters.cli.possible import told_requests
from conductor_adapters.cli.reports import told_facts, told_next_timer
from conductor_adapters.cli.waits import told_approval, told_each_wait, told_policy
from conductor_adapters.cli.ways import told_way, way_of
from conductor_adapters.debugger.legal import legal_facts, legal_requests
from conductor_core import explain
from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.commands import Outcome
from conductor_core.directives import describe
from conductor_core.durations import told_duration
from conductor_core.events import StepError
from conductor_core.explain import quorum_of, step_of
from conductor_core.state import FlowState

SHOWN: Final = 10
"""So many attempts, and so many violations, are told one by one."""
GROUPS_SHOWN: Final = 5
"""So many neighbours of one status have a line each."""

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


def told_standing(state: FlowState, now_ms: int) -> Iterator[str]:
    """Say where a flow stands, what it waits for, what may happen to it, and what leads on."""
    explanation = explain(state)
    yield f"flow {state.flow_id} ({state.spec.type}): {state.status}{_run(state)}"
    yield from _indented(_about(state), 2)
    yield from _indented(told_each_wait(explanation, now_ms), 2)
    yield "groups" if state.catalog.groups else "no groups yet"
    yield from _indented(_groups(state, now_ms), 2)
    requests = list(told_requests(state, legal_requests(state, explanation, now_ms)))
    yield "people may now" if requests else "there is nothing that people may ask of it"
    yield from _indented(requests, 2)
    facts = list(told_facts(legal_facts(state, now_ms), now_ms))
    yield from ("the host may now report",) if facts else ()
    yield from _indented(facts, 2)
    yield from told_next_timer(state, explanation, now_ms)
    yield from told_way(way_of(state, now_ms), state)


def _indented(lines: Iterable[str], by: int) -> Iterator[str]:
    return (f"{' ' * by}{line}" for line in lines)


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
class Group:
    """A group in brief: its place, its status, and how many of its attempts have which."""

    index: int
    key: str
    status: str
    counts: Counter[str]
    current: bool


def _group(state: FlowState, index: int) -> Group:
    counts = Counter(attempt.status.value for attempt in state.live_of(index))
    key = state.catalog.groups[index].key
    return Group(index, key, state.group_status(index), counts, index == state.current)


def in_brief(state: FlowState) -> Iterator[Group]:
    """The groups of a flow."""
    return (_group(state, index) for index in range(len(state.catalog.groups)))


def _groups(state: FlowState, now_ms: int) -> Iterator[str]:
    """The current group in full; of the others, neighbours of one status together."""
    for _, row in groupby(in_brief(state), key=lambda group: (group.current, group.status)):
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


def _current(state: FlowState, group: Group, now_ms: int) -> Iterator[str]:
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
    step = step_of(state, attempt)
    reason = f" ({attempt.reason})" if attempt.reason else ""
    retries = f", retry {attempt.retry} of {step.retry.max_retries}" if attempt.retry else ""
    generation = f", generation {attempt.generation}" if attempt.generation else ""
    name = f" ({step.name})" if step.name else ""
    return f"{attempt.id}{name}: {attempt.status}{reason}{retries}{generation}"


def _about_attempt(state: FlowState, attempt: Attempt, now_ms: int) -> Iterator[str]:
    if attempt.result is not None and attempt.result.subject is not None:
        yield f"subject: {cut(attempt.result.subject)}"
    if attempt.awaiting:
        found = told_policy(None if attempt.result is None else attempt.result.policy)
        yield from (cut(text) for text in islice(found, SHOWN))
        yield told_approval(state, attempt, now_ms)
        yield from _staleness(state, attempt, now_ms)
    yield from _answers(attempt)
    yield from _failure(attempt)
    before = attempt_before(state, attempt)
    if before is not None:
        yield f"{before.id} before it: {before.status} ({before.reason})"
        yield from _indented(_failure(before), 2)


def attempt_before(state: FlowState, attempt: Attempt) -> Attempt | None:
    """The attempt that this one tries again, if that failed, while it has nothing to say itself."""
    if attempt.n == 1 or attempt.result is not None:
        return None
    before = state.attempt(f"{attempt.step}#{attempt.n - 1}")
    return before if before is not None and went_wrong(before) else None


def _staleness(state: FlowState, attempt: Attempt, now_ms: int) -> Iterator[str]:
    stale_at_ms = quorum_of(state, attempt).stale_at_ms
    if stale_at_ms is None:
        return
    if stale_at_ms > now_ms:
        yield f"stale in {told_duration(stale_at_ms - now_ms)}"
    else:
        yield "stale: to approve it has it worked out anew"


def _answers(attempt: Attempt) -> Iterator[str]:
    for answer in () if attempt.approval is None else attempt.approval.answers:
        yield f"{answer.by}: {answer.response}" + (f": {cut(answer.note)}" if answer.note else "")


def went_wrong(attempt: Attempt) -> bool:
    """Whether there is a failure to tell of."""
    return attempt.failed or attempt.status is AttemptStatus.ERROR or attempt.error is not None


def _failure(attempt: Attempt) -> Iterator[str]:
    """Say why an attempt failed: what anybody may know, then what operators need."""
    if went_wrong(attempt):
        yield f"for people: {cut(describe(attempt.reason, attempt.error))}"
        for text in islice(violations(attempt), SHOWN):
            yield f"denied by policy: {cut(text)}"
        yield from _errors(attempt.error)


def violations(attempt: Attempt) -> tuple[str, ...]:
    """What a policy denied it for."""
    policy = None if attempt.result is None else attempt.result.policy
    return () if policy is None else policy.deny_violations


def _errors(error: StepError | None) -> Iterator[str]:
    """An error with its causes, for operators."""
    caused = ""
    while error is not None:
        flags = [name for name in ("terminal", "non_retryable") if getattr(error, name)]
        told = f" ({', '.join(flags)})" if flags else ""
        yield f"{caused}{error.type}{told}: {cut(error.message)}"
        if error.details.value is not None:
            yield f"  details: {cut(error.details.text)}"
        caused, error = "caused by ", error.cause
