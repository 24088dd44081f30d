"""A state under change: what facts write to and rules read from and move on.

Rule: a draft decides nothing. It keeps the counters of the state true while attempts are
put, collects the commands that rules emit, and holds the news that a fact left for them.
"""

from __future__ import annotations

from typing import TypeAlias, Union

from attrs import frozen

from conductor_core.attempt import Attempt, AttemptStatus, Result
from conductor_core.commands import CancelTimer, Command, ScheduleTimer
from conductor_core.spec import GroupSpec
from conductor_core.state import NONE, FlowState, Generating


@frozen
class Returned:
    """The work of an active attempt ended (S5.6)."""

    position: int
    outcome: str
    directive: str | None
    result: Result
    timed_out: bool = False


@frozen
class Answered:
    """A person answered the approval at a position; `response` is the last answer's."""

    position: int
    response: str


@frozen
class Expired:
    """The approval at a position was not answered in time (S8.13)."""

    position: int


@frozen
class OptionChanged:
    """A person changed the approval option (S8.15)."""


@frozen
class TimedOut:
    """The work of the attempt at a position took too long (S5.7)."""

    position: int


@frozen
class WaitOver:
    """A backoff is over, of the attempt at a position or of the group (S7.1, S11.3)."""

    position: int | None


@frozen
class Continued:
    """The host runs on with a fresh history (S13.3)."""


@frozen
class GraceOver:
    """The grace of a cancel is over (S9.4)."""


@frozen(kw_only=True)
class Rerun:
    """A rerun, checked and laid out in positions (section 10).

    `retried` are tried again on their own, `span` as the steps from a plan to its use,
    `whole_group` means the group as such; `skips` pairs positions with skip scopes.
    """

    retried: tuple[int, ...] = ()
    span: tuple[int, ...] = ()
    whole_group: bool = False
    skips: tuple[tuple[int, str], ...] = ()


News: TypeAlias = Union[
    Returned, TimedOut, Answered, Expired, OptionChanged, WaitOver, Continued, GraceOver, Rerun
]


class Draft:
    """The fields of a FlowState, open to change during one transition.

    `news` is what the event left to be settled, `commands` what the rules emitted. What was
    `unnoticed` is no difference to any rule, so that nothing is to be settled.
    """

    __slots__ = (
        "active", "approval", "awaiting", "cancellation", "catalog", "commands",
        "continuing", "current", "finished_at_ms", "flow_id", "generating", "generation",
        "groups_since", "incarnation", "live", "news", "now_ms", "outcome", "parked",
        "paused", "pending", "request_ids", "retrying", "run", "skipping", "span", "spec",
        "started", "stop", "suggested", "superseded", "unnoticed", "wait_due_at_ms", "waiting",
    )  # fmt: skip

    def __init__(self, state: FlowState, now_ms: int) -> None:
        self.now_ms = now_ms
        self.commands: list[Command] = []
        self.news: News | None = None
        self.unnoticed = False
        self.flow_id = state.flow_id
        self.spec = state.spec
        self.catalog = state.catalog
        self.live = state.live
        self.superseded = state.superseded
        self.current = state.current
        self.span = state.span
        self.generation = state.generation
        self.pending = state.pending
        self.active = state.active
        self.waiting = state.waiting
        self.awaiting = state.awaiting
        self.parked = state.parked
        self.wait_due_at_ms = state.wait_due_at_ms
        self.retrying = state.retrying
        self.skipping = state.skipping
        self.stop = state.stop
        self.started = state.started
        self.generating: Generating = state.generating
        self.approval = state.approval
        self.paused = state.paused
        self.cancellation = state.cancellation
        self.continuing = state.continuing
        self.suggested = state.suggested
        self.incarnation = state.incarnation
        self.groups_since = state.groups_since
        self.run = state.run
        self.outcome = state.outcome
        self.finished_at_ms = state.finished_at_ms
        self.request_ids = state.request_ids

    def freeze(self) -> FlowState:
        """The state as it is now."""
        return FlowState(
            flow_id=self.flow_id,
            spec=self.spec,
            catalog=self.catalog,
            live=self.live,
            superseded=self.superseded,
            current=self.current,
            span=self.span,
            generation=self.generation,
            pending=self.pending,
            active=self.active,
            waiting=self.waiting,
            awaiting=self.awaiting,
            parked=self.parked,
            wait_due_at_ms=self.wait_due_at_ms,
            retrying=self.retrying,
            skipping=self.skipping,
            stop=self.stop,
            started=self.started,
            generating=self.generating,
            approval=self.approval,
            paused=self.paused,
            cancellation=self.cancellation,
            continuing=self.continuing,
            suggested=self.suggested,
            incarnation=self.incarnation,
            groups_since=self.groups_since,
            run=self.run,
            outcome=self.outcome,
            finished_at_ms=self.finished_at_ms,
            request_ids=self.request_ids,
        )

    # --- questions ---

    @property
    def group(self) -> GroupSpec:
        """The current group, of a flow that has one left."""
        return self.catalog.groups[self.current]

    @property
    def stopping(self) -> bool:
        """Whether the group was stopped, or generation failed: nothing starts any more."""
        return self.stop is not None or self.generating == "failed"

    @property
    def backoff_timer(self) -> str:
        """The id of the backoff timer of the current group's generation (section 7)."""
        return f"backoff:{self.group.key}@{self.generation}"

    @property
    def nothing_unfinished(self) -> bool:
        """Whether no step of the current group is unfinished (S7.3)."""
        if self.active or self.waiting or self.awaiting or self.parked:
            return False
        return not self.pending or self.pending.first() >= self.span.stop

    def placed_attempts(self) -> list[tuple[int, Attempt]]:
        """The live attempts of the current group with their positions."""
        return self.attempts_in(self.span)

    def attempts_in(self, span: range) -> list[tuple[int, Attempt]]:
        """The live attempts at some positions, as they are now."""
        return list(zip(span, self.live.slice(span.start, span.stop), strict=True))

    def ran_in_generation(self, position: int) -> bool:
        """Whether an attempt of the step was dispatched since its generation began."""
        live = self.live[position]
        return live.dispatched or any(
            attempt.dispatched and attempt.generation == live.generation
            for attempt in self.superseded[position]
        )

    # --- changes ---

    def enter(self, group: int) -> None:
        """Let a group be the current one; past the last group there is none."""
        self.current, self.generation, self.skipping = group, 0, False
        self.span = self.catalog.span(group)

    def put(self, position: int, attempt: Attempt) -> None:
        """Let a live attempt go on as another value of itself."""
        before = self.live[position]
        if not (before.active and attempt.active):
            self._count(position, before, -1)
            self._count(position, attempt, 1)
        self.live = self.live.set(position, attempt)

    def supersede(self, position: int, new: Attempt) -> None:
        """Let a new attempt take the place of the live one (S1.2)."""
        earlier = self.superseded[position].extend((self.live[position],))
        self.superseded = self.superseded.set(position, earlier)
        self.put(position, new)

    def extend(self, groups: tuple[GroupSpec, ...]) -> None:
        """Add groups at the end of the flow."""
        known = len(self.live)
        self.catalog = self.catalog.extend(groups)
        new = [Attempt(step.key) for group in groups for step in group.steps]
        self.live = self.live.extend(new)
        self.superseded = self.superseded.extend([NONE] * len(new))
        self.pending = self.pending.extend(known, known + len(new))
        self.span = self.catalog.span(self.current)

    def emit(self, command: Command) -> None:
        """Tell the host to do something."""
        self.commands.append(command)

    def schedule_timer(self, timer: str, due_at_ms: int) -> None:
        """Tell the host to wake the flow."""
        delay_ms = max(0, due_at_ms - self.now_ms)
        self.emit(ScheduleTimer(timer=timer, due_at_ms=due_at_ms, delay_ms=delay_ms))

    def schedule_timer_of(self, attempt: Attempt) -> None:
        """Tell the host to wake the flow for an attempt that waits, if it waits for a time."""
        if attempt.timer is not None and attempt.due_at_ms is not None:
            self.schedule_timer(attempt.timer, attempt.due_at_ms)

    def cancel_timer_of(self, attempt: Attempt) -> None:
        """Tell the host to forget the timer of an attempt that no longer waits."""
        timer = attempt.timer
        if timer is not None:
            self.emit(CancelTimer(timer=timer))

    def _count(self, position: int, attempt: Attempt, by: int) -> None:
        """Count an attempt in, or out, by what it waits for."""
        match attempt.status:
            case AttemptStatus.QUEUED | AttemptStatus.IN_PROGRESS:
                self.active += by
            case AttemptStatus.PENDING:
                pending = self.pending
                self.pending = pending.add(position) if by > 0 else pending.remove(position)
            case AttemptStatus.WAITING_TO_RETRY:
                self.waiting += by
            case AttemptStatus.APPROVAL_AWAITING:
                self.awaiting += by
            case _ if attempt.parked:
                self.parked += by
            case _:
                pass
