"""A state under change: what facts write to and rules read from and move on.

Rule: a draft decides nothing. It keeps the counters of the state true while attempts are
put, and collects the commands that rules emit. What a fact leaves for rules to settle is told
in the kinds of News.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, Union, cast

from conductor_core.attempt import (
    APPROVAL_AWAITING,
    ERROR,
    IN_PROGRESS,
    PENDING,
    QUEUED,
    WAITING_TO_RETRY,
    Attempt,
)
from conductor_core.building import builder, copier, opener
from conductor_core.catalog import Catalog, Place
from conductor_core.commands import CancelTimer, Command, Outcome, ScheduleTimer
from conductor_core.directives import Budget, Work
from conductor_core.frozen import frozen, open_class_of
from conductor_core.positions import PositionSet
from conductor_core.spec import FlowSpec, GroupSpec
from conductor_core.state import NONE, Cancellation, FlowState, Generating
from conductor_core.vector import Edits, Vector


@frozen
class Unnoticed:
    """What changed is no difference to any rule (S5.6)."""


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
    Unnoticed,
    Work,
    TimedOut,
    Answered,
    Expired,
    OptionChanged,
    WaitOver,
    Continued,
    GraceOver,
    Rerun,
]


NO_MORE_SLOTS: Final[tuple[str, ...]] = ()
"""Those of its base are enough; type checkers would read a tuple in its place, and see no base."""

if TYPE_CHECKING:
    _OpenState = object
else:
    _OpenState = open_class_of(FlowState)


class Draft(_OpenState):
    """A FlowState that is open to change during one transition, and becomes one by `seal`."""

    __slots__ = NO_MORE_SLOTS

    flow_id: str
    spec: FlowSpec
    catalog: Catalog
    live: Edits[Attempt]
    superseded: Vector[Vector[Attempt]] | Edits[Vector[Attempt]]
    current: int
    place: Place
    span: range
    generation: int
    pending: PositionSet
    active: int
    waiting: int
    awaiting: int
    parked: int
    wait_due_at_ms: int | None
    retrying: int | None
    skipping: bool
    stop: Outcome | None
    started: bool
    generating: Generating
    approval: str
    paused: bool
    cancellation: Cancellation | None
    continuing: bool
    suggested: bool
    incarnation: int
    groups_since: int
    run: int
    outcome: Outcome | None
    finished_at_ms: int | None
    request_ids: tuple[str, ...]
    _now_ms: int
    _commands: list[Command]

    @staticmethod
    def of(state: FlowState, now_ms: int) -> Draft:
        """Open a state for the event of a time."""
        return _opened(state, Edits(state.live), now_ms, [])

    def seal(self) -> FlowState:
        """The state that this draft becomes."""
        sealed: Any = self
        sealed.live, sealed.superseded = self.live.vector(), self.superseded.vector()
        sealed._now_ms = sealed._commands = None
        sealed.__class__ = FlowState
        return cast(FlowState, sealed)

    def freeze(self) -> FlowState:
        """The state as it is now, while the draft stays open."""
        return _frozen(self, self.live.vector(), self.superseded.vector(), None, None)

    @property
    def now_ms(self) -> int:
        """The time of the event."""
        return self._now_ms

    @property
    def commands(self) -> list[Command]:
        """What the rules emitted so far."""
        return self._commands

    # --- questions ---

    @property
    def group(self) -> GroupSpec:
        """The current group, of a flow that has one left."""
        return self.place.group

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
        """Whether, with nothing active, no step of the current group is unfinished (S7.3)."""
        if self.pending.first < self.span.stop:
            return False
        return not (self.waiting or self.awaiting or self.parked)

    def budget_of(self, position: int) -> Budget:
        """What the next retry of a step of the current group, or of the group, is charged to."""
        return _budget(
            options=self.spec.options,
            retry=self.live[position].retry,
            generation=self.generation,
            group_max_retries=self.place.max_retries,
        )

    def placed_attempts(self) -> list[tuple[int, Attempt]]:
        """The live attempts of the current group with their positions."""
        return self.attempts_in(self.span)

    def attempts_in(self, span: range) -> list[tuple[int, Attempt]]:
        """The live attempts at some positions, as they are now."""
        return list(zip(span, self.live.vector().slice(span.start, span.stop), strict=True))

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
        self.place = self.catalog.place(group)
        self.span = self.place.span

    def put(self, position: int, attempt: Attempt) -> None:
        """Let a live attempt go on as another value of itself."""
        before = self.live.swap(position, attempt)
        was, now = before.status, attempt.status
        if was is QUEUED or was is IN_PROGRESS:
            self.active -= 1
        elif was is PENDING:
            self.pending = self.pending.remove(position)
        elif was in HELD_UP:
            self._count(before, -1)
        if now is QUEUED or now is IN_PROGRESS:
            self.active += 1
        elif now is PENDING:
            self.pending = self.pending.add(position)
        elif now in HELD_UP:
            self._count(attempt, 1)

    def supersede(self, position: int, new: Attempt) -> None:
        """Let a new attempt take the place of the live one (S1.2)."""
        if isinstance(self.superseded, Vector):
            self.superseded = Edits(self.superseded)
        earlier = self.superseded[position].extend((self.live[position],))
        self.superseded.swap(position, earlier)
        self.put(position, new)

    def extend(self, groups: tuple[GroupSpec, ...]) -> None:
        """Add groups at the end of the flow."""
        known = len(self.live)
        self.catalog = self.catalog.extend(groups)
        new = [Attempt(step.key) for group in groups for step in group.steps]
        self.live.extend(new)
        self.superseded = self.superseded.vector().extend([NONE] * len(new))
        self.pending = self.pending.extend(known, known + len(new))
        self.place = self.catalog.place(self.current)
        self.span = self.place.span

    def emit(self, command: Command) -> None:
        """Tell the host to do something."""
        self._commands.append(command)

    def schedule_timer(self, timer: str, due_at_ms: int) -> None:
        """Tell the host to wake the flow."""
        delay_ms = max(0, due_at_ms - self.now_ms)
        self.emit(_schedule_timer(timer=timer, due_at_ms=due_at_ms, delay_ms=delay_ms))

    def schedule_timer_of(self, attempt: Attempt) -> None:
        """Tell the host to wake the flow for an attempt that waits, if it waits for a time."""
        if attempt.due_at_ms is not None and attempt.timer is not None:
            self.schedule_timer(attempt.timer, attempt.due_at_ms)

    def cancel_timer_of(self, attempt: Attempt) -> None:
        """Tell the host to forget the timer of an attempt that no longer waits."""
        timer = attempt.timer
        if timer is not None:
            self.emit(_cancel_timer(timer=timer))

    def _count(self, attempt: Attempt, by: int) -> None:
        """Count an attempt that is held up in, or out, by what it waits for."""
        if attempt.status is APPROVAL_AWAITING:
            self.awaiting += by
        elif attempt.status is WAITING_TO_RETRY:
            self.waiting += by
        elif attempt.parked:
            self.parked += by


HELD_UP: Final = frozenset({APPROVAL_AWAITING, WAITING_TO_RETRY, ERROR})
"""The statuses of attempts that may hold their group up though nobody works at them."""

_budget: Final = builder(Budget)
_schedule_timer: Final = builder(ScheduleTimer)
_cancel_timer: Final = builder(CancelTimer)
_opened: Final = opener(FlowState, Draft, "live", "_now_ms", "_commands")
_frozen: Final = copier(FlowState, "live", "superseded", "_now_ms", "_commands")
