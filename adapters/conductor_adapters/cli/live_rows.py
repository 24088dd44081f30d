"""What the live view says of a flow's groups and attempts, and which of them it shows.

Rule: rows are read from the state, which is asked anew each time; that costs no more than a
look at every attempt of the current group. Where there is no room for all, what people must
see comes first (what asks them, what failed, what waits, what runs) and the rest is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from attrs import frozen

from conductor_adapters.cli.console import counted
from conductor_adapters.cli.live_marks import (
    ASKING,
    FAILURE,
    MORE,
    OF_ATTEMPT,
    OF_GROUP,
    PASSED_OVER,
    WAITING,
    Look,
)
from conductor_adapters.cli.live_times import Times
from conductor_adapters.cli.waits import told_approval
from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.durations import told_countdown
from conductor_core.events import StepError
from conductor_core.explain import step_of
from conductor_core.state import FlowState
from conductor_core.vector import Vector

KINDS: Final = ("waiting for people", "failed", "waiting to retry", "running")
"""What is shown of a group that is too large, in the order in which it is."""

# A member of an enum costs more to name than a global.
_PENDING: Final = AttemptStatus.PENDING
_SUCCESS: Final = AttemptStatus.SUCCESS
_QUEUED: Final = AttemptStatus.QUEUED
_IN_PROGRESS: Final = AttemptStatus.IN_PROGRESS
_WAITING_TO_RETRY: Final = AttemptStatus.WAITING_TO_RETRY


@frozen(kw_only=True)
class Row:
    """A line about a group or an attempt, or about those that are not shown."""

    look: Look
    label: str = ""
    took_ms: int | None = None
    detail: str = ""
    depth: int = 0


@frozen
class Survey:
    """The attempts of a group by kind, and how many finished well or are pending."""

    kinds: tuple[Sequence[Attempt], ...]
    done: int
    pending: int

    @property
    def failed(self) -> Sequence[Attempt]:
        """Those that failed and ask nobody."""
        return self.kinds[KINDS.index("failed")]

    @property
    def finished(self) -> int:
        """How many have finished, well or not."""
        return self.done + len(self.failed)


class Rows:
    """Chooses and words the rows; remembers what it said of groups that have finished."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._over = False
        self._run = 1
        self._past: dict[int, Row] = {}
        self._surveyed: tuple[Vector[Attempt], int, Survey] | None = None
        self._retried: tuple[Vector[Vector[Attempt]], int, int] | None = None

    def live(self, state: FlowState, now_ms: int, room: int) -> list[Row]:
        """The groups around the current one, and the attempts of that one."""
        current, steps = state.current, len(state.span)
        own = 1 if steps else 0
        before, after = current, len(state.catalog.groups) - current - own
        others = min(before + after, max(room // 3, room - own - steps, 0))
        shown_after = min(after, max(others // 2, others - before))
        return [
            *self._before(state, now_ms, others - shown_after),
            *(self._current(state, now_ms, room - others - own) if own and room > others else ()),
            *self._after(state, now_ms, shown_after),
        ]

    def final(self, state: FlowState, now_ms: int, room: int) -> list[Row]:
        """All groups with all attempts, if there is room; nothing runs any more."""
        self._over = True
        groups = len(state.catalog.groups)
        if groups + sum(1 + len(earlier) for earlier in state.superseded) > room:
            return self.live(state, now_ms, room)
        return [
            row
            for group in range(groups)
            for row in (
                self._group(state, group, now_ms),
                *(self._attempt(state, one, now_ms) for one in _attempts(state, group)),
            )
        ]

    # --- groups ---

    def _before(self, state: FlowState, now_ms: int, room: int) -> Iterator[Row]:
        """The groups before the current one, as far as there is room for the latest."""
        count = state.current
        hidden = 0 if count <= room else count - room + 1
        if hidden and room:
            yield Row(look=MORE, detail=f"{counted(hidden, 'group')} before")
        for group in range(hidden, count) if room else ():
            yield self._group(state, group, now_ms)

    def _after(self, state: FlowState, now_ms: int, room: int) -> Iterator[Row]:
        """The groups after the current one, as far as there is room for the next."""
        first = state.current + 1
        count = len(state.catalog.groups) - first
        shown = count if count <= room else room - 1
        for group in range(first, first + shown):
            yield self._group(state, group, now_ms)
        if shown < count and room:
            yield Row(look=MORE, detail=f"{counted(count - shown, 'group')} after")

    def _current(self, state: FlowState, now_ms: int, room: int) -> Iterator[Row]:
        """The current group, and of its attempts as many as there is room for."""
        yield self._group(state, state.current, now_ms)
        survey = self._survey(state, state.current)
        for attempt in self._chosen(state, survey, room):
            yield self._attempt(state, attempt, now_ms)
        if len(state.span) > room > 0:
            yield Row(look=MORE, detail=_told_rest(survey, room - 1), depth=1)

    def _chosen(self, state: FlowState, survey: Survey, room: int) -> Iterator[Attempt]:
        """The attempts of the current group that are shown."""
        if len(state.span) + self._retries(state, state.current) <= room:
            yield from _attempts(state, state.current)
        elif len(state.span) <= room:
            yield from state.current_attempts()
        else:
            given = shares([len(kind) for kind in survey.kinds], room - 1)
            for kind, count in zip(survey.kinds, given, strict=True):
                yield from kind[:count]

    def _group(self, state: FlowState, group: int, now_ms: int) -> Row:
        """A line about a group; that of one the flow went past is told once."""
        if state.run != self._run:
            self._run, self._past = state.run, {}
        if group in self._past:
            return self._past[group]
        # One that lies ahead of a live flow need not be looked at.
        ahead = state.is_live and group > state.current
        status = "pending" if ahead else state.group_status(group)
        row = Row(
            look=WAITING if group == state.current and state.wait_timer else OF_GROUP[status],
            label=state.catalog.groups[group].key,
            took_ms=self._times.of_group(group, now_ms),
            detail=", ".join(self._told_group(state, group, status, now_ms)),
        )
        if group < state.current:
            self._past[group] = row
        return row

    def _told_group(self, state: FlowState, group: int, status: str, now_ms: int) -> Iterator[str]:
        """Say how far a group is, and what failed or was tried again."""
        spec = state.catalog.groups[group]
        if status not in ("pending", "success", "in-progress"):
            yield status
        steps = counted(len(spec.steps), "step")
        if status == "pending":
            yield steps
        else:
            yield from self._told_progress(state, group, steps)
        if group == state.current and state.wait_due_at_ms is not None:
            yield f"retries as a whole in {told_countdown(state.wait_due_at_ms - now_ms)}"
        if spec.name is not None:
            yield spec.name

    def _told_progress(self, state: FlowState, group: int, steps: str) -> Iterator[str]:
        survey = self._survey(state, group)
        whole = survey.finished == len(state.catalog.groups[group].steps)
        yield steps if whole else f"{survey.finished:,} of {steps} finished"
        if survey.failed:
            yield f"{len(survey.failed):,} failed"
        retries = self._retries(state, group)
        if retries:
            yield counted(retries, "retry", "retries")

    def _attempt(self, state: FlowState, attempt: Attempt, now_ms: int) -> Row:
        """A line about an attempt."""
        name = step_of(state, attempt).name
        cut_short = self._over and attempt.active
        told = "ran when the run stopped" if cut_short else _told_attempt(state, attempt, now_ms)
        return Row(
            look=PASSED_OVER if cut_short else _look(attempt),
            label=attempt.id,
            took_ms=self._times.of_attempt(attempt.id, now_ms),
            detail=told if name is None else f"{told}, {name}",
            depth=1,
        )

    # --- what is counted anew only when it changed ---

    def _survey(self, state: FlowState, group: int) -> Survey:
        """The attempts of a group by kind."""
        known = self._surveyed
        if known is None or known[0] is not state.live or known[1] != group:
            self._surveyed = known = (state.live, group, surveyed(state.live_of(group)))
        return known[2]

    def _retries(self, state: FlowState, group: int) -> int:
        """How many attempts of a group were superseded."""
        known = self._retried
        if known is None or known[0] is not state.superseded or known[1] != group:
            span = state.catalog.span(group)
            count = sum(map(len, state.superseded.slice(span.start, span.stop)))
            self._retried = known = (state.superseded, group, count)
        return known[2]


# --- attempts ---


def surveyed(attempts: Iterable[Attempt]) -> Survey:
    """Sort attempts by what people must see of them."""
    asking: list[Attempt] = []
    failed: list[Attempt] = []
    waiting: list[Attempt] = []
    active: list[Attempt] = []
    done = pending = 0
    # There may be very many attempts: the commonest statuses come first.
    for attempt in attempts:
        status = attempt.status
        if status is _PENDING:
            pending += 1
        elif status is _SUCCESS:
            done += 1
        elif status is _IN_PROGRESS or status is _QUEUED:
            active.append(attempt)
        elif status is _WAITING_TO_RETRY:
            waiting.append(attempt)
        elif attempt.awaiting or attempt.parked:
            asking.append(attempt)
        elif OF_ATTEMPT[status] is FAILURE:
            failed.append(attempt)
        else:
            done += 1
    return Survey((asking, failed, waiting, active), done, pending)


def shares(sizes: Sequence[int], room: int) -> list[int]:
    """Give out room in turn, so that none of the kinds hides another."""
    given = [0] * len(sizes)
    while room > 0 and sum(given) < sum(sizes):
        for kind, size in enumerate(sizes):
            if given[kind] < size and room > 0:
                given[kind] += 1
                room -= 1
    return given


def _told_rest(survey: Survey, room: int) -> str:
    """Count what is not shown."""
    given = shares([len(kind) for kind in survey.kinds], room)
    rest = [len(kind) - count for kind, count in zip(survey.kinds, given, strict=True)]
    counts = [*zip(rest, KINDS, strict=True), (survey.done, "done"), (survey.pending, "pending")]
    return ", ".join(f"{count:,} {kind}" for count, kind in counts if count)


def _attempts(state: FlowState, group: int) -> Iterator[Attempt]:
    """All attempts of a group, those of a step together, oldest first."""
    span = state.catalog.span(group)
    for earlier, live in zip(
        state.superseded.slice(span.start, span.stop), state.live_of(group), strict=True
    ):
        yield from chain(earlier, (live,))


def _look(attempt: Attempt) -> Look:
    return ASKING if attempt.parked else OF_ATTEMPT[attempt.status]


def _told_attempt(state: FlowState, attempt: Attempt, now_ms: int) -> str:
    """Say where an attempt is, and what it waits for."""
    match attempt.status:
        case AttemptStatus.QUEUED | AttemptStatus.IN_PROGRESS:
            told = "queued" if attempt.status is AttemptStatus.QUEUED else "runs"
            asked = ", is to give up" if attempt.cancel_requested else ""
            return f"{told}{_due('times out', attempt, now_ms)}{asked}"
        case AttemptStatus.WAITING_TO_RETRY:
            return f"waits{_due('retries', attempt, now_ms)}"
        case AttemptStatus.APPROVAL_AWAITING:
            return f"waits for approval: {told_approval(state, attempt, _tick(attempt, now_ms))}"
        case AttemptStatus.ERROR:
            asks = ", waits for a retry or a skip" if attempt.parked else ""
            return f"error{_told_error(attempt.error)}{asks}"
        case _:
            return attempt.status.value


def _due(what: str, attempt: Attempt, now_ms: int) -> str:
    due_ms = attempt.due_at_ms
    return "" if due_ms is None else f", {what} in {told_countdown(due_ms - now_ms)}"


def _tick(attempt: Attempt, now_ms: int) -> int:
    """The last time from which it was whole seconds until the attempt is due."""
    due_ms = attempt.due_at_ms
    return now_ms if due_ms is None else due_ms + (now_ms - due_ms) // 1000 * 1000


def _told_error(error: StepError | None) -> str:
    if error is None:
        return ""
    return f": {error.type}: {error.message}" if error.message else f": {error.type}"
