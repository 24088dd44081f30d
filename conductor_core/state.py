"""Where a run is, and what can be asked about it.

Rule: frozen all the way down, hashable and canonical. What a rule asks often is a counter or
a cursor that `Draft` keeps; everything else is derived by the questions here. Only the
current group can hold attempts that are active, waiting, awaiting approval or parked,
so the counters speak of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from attrs import field

from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.catalog import Catalog, Place
from conductor_core.commands import Command, Outcome
from conductor_core.errors import SpecError
from conductor_core.frozen import frozen
from conductor_core.positions import PositionSet
from conductor_core.spec import FlowSpec, flow_id_problems
from conductor_core.vector import Vector

__all__ = ["FLOW_STATUSES", "Cancellation", "FlowState", "Generating", "initial_state"]

Generating: TypeAlias = Literal["no", "running", "complete", "failing", "failed"]

NONE: Final[Vector[Attempt]] = Vector()
"""What a step that was never tried again has superseded."""


FLOW_STATUSES: Final = (
    *("pending", "cancelling", "in-progress", "paused", "failed-pending-retry"),
    *("approval-awaiting", "success", "error", "cancelled"),
)
"""Every status of a flow (section 3)."""


@frozen(kw_only=True)
class Cancellation:
    """A cancel that was accepted (section 9).

    `carried_out`: what does not run was swept and what runs was told. The grace timer
    `cancel` is due at `due_at_ms`; `unacknowledged` are the attempts it gave up on.
    """

    by: str
    reason: str | None = None
    carried_out: bool = False
    due_at_ms: int | None = None
    unacknowledged: tuple[str, ...] = ()


@frozen(kw_only=True)
class FlowState:
    """The whole of a run.

    `live` holds the live attempt of every step by position, `superseded` those before it,
    oldest first. `current` is the index of the current group, `place` where it stands and
    `span` its positions (none when every group has finished), `generation` how often it was
    retried. `pending` are the positions of the flow whose live attempt is pending.
    `wait_due_at_ms` is the group's backoff, `retrying` the position that first decided to
    retry the group; `skipping` says that the group does without what was not dispatched
    (S7.2), `stop` is the outcome of a stop that was decided. `groups_since` counts those that
    finished since the last continue-as-new.
    """

    flow_id: str
    spec: FlowSpec
    catalog: Catalog
    live: Vector[Attempt]
    superseded: Vector[Vector[Attempt]]

    current: int = 0
    place: Place = field(eq=False)
    span: range
    generation: int = 0
    pending: PositionSet
    active: int = 0
    waiting: int = 0
    awaiting: int = 0
    parked: int = 0
    wait_due_at_ms: int | None = None
    retrying: int | None = None
    skipping: bool = False
    stop: Outcome | None = None

    started: bool = False
    generating: Generating = "no"
    approval: str = "prompt"
    paused: bool = False
    cancellation: Cancellation | None = None
    continuing: bool = False
    suggested: bool = False
    incarnation: int = 0
    groups_since: int = 0
    run: int = 1
    outcome: Outcome | None = None
    finished_at_ms: int | None = None
    request_ids: tuple[str, ...] = ()

    # Only of use while a transition is under way (`draft.Draft`).
    _now_ms: int | None = field(default=None, init=False, eq=False, repr=False)
    _commands: list[Command] | None = field(default=None, init=False, eq=False, repr=False)

    # --- the flow ---

    @property
    def is_live(self) -> bool:
        """Whether the flow has started and not ended."""
        return self.started and self.outcome is None

    @property
    def is_cancelling(self) -> bool:
        """Whether a cancel is being carried out."""
        return self.cancellation is not None and self.outcome is None

    @property
    def needs_groups(self) -> bool:
        """Whether its groups are still to be made, now or when it starts (section 12)."""
        return self.generating == "running" or not (self.started or self.spec.groups)

    @property
    def status(self) -> str:
        """The flow's status (section 3): the first that matches."""
        if self.outcome is not None:
            return self.outcome.status
        if not self.started:
            return "pending"
        if self.cancellation is not None:
            return "cancelling"
        if self._is_busy:
            return "in-progress"
        if self.paused:
            return "paused"
        if self.parked:
            return "failed-pending-retry"
        return "approval-awaiting" if self.awaiting else "in-progress"

    @property
    def _is_busy(self) -> bool:
        generating = self.generating == "running" and self.current == len(self.catalog.groups)
        waits = bool(self.waiting) or self.wait_due_at_ms is not None
        return bool(self.active) or waits or generating or self.continuing

    # --- groups ---

    @property
    def wait_timer(self) -> str | None:
        """The id of the current group's open backoff timer (section 7)."""
        if self.wait_due_at_ms is None:
            return None
        return f"backoff:{self.catalog.groups[self.current].key}@{self.generation}"

    def live_of(self, group: int) -> Iterator[Attempt]:
        """The live attempts of a group, in order."""
        span = self.catalog.span(group)
        return self.live.slice(span.start, span.stop)

    def group_status(self, group: int) -> str:
        """The status of a group (section 3): the first that matches."""
        current = group == self.current
        if current and (self.active or self.waiting or self.wait_due_at_ms is not None):
            return "in-progress"
        if current and self.parked:
            return "failed-pending-retry"
        if current and self.awaiting:
            return "approval-awaiting"
        statuses = {attempt.status for attempt in self.live_of(group)}
        ran = self._ever_ran(group)
        if AttemptStatus.PENDING in statuses:
            return "in-progress" if ran or len(statuses) > 1 else "pending"
        if group < self.current:
            return "success"
        if AttemptStatus.NOT_ATTEMPTED in statuses and not ran:
            return "discarded"
        return self._ended_group_status(group)

    def _ended_group_status(self, group: int) -> str:
        """The status of a group that ended before the flow went past it."""
        if self.outcome is not None and self.outcome.status == "cancelled":
            return "cancelled"
        if any(attempt.decided_stop for attempt in self.live_of(group)):
            return "error"
        if group == self.current and self.stop is not None:
            return "error"
        swept = any(attempt.swept for attempt in self.live_of(group))
        return "discarded" if swept else "success"

    def _ever_ran(self, group: int) -> bool:
        span = self.catalog.span(group)
        earlier = self.superseded.slice(span.start, span.stop)
        return any(attempt.dispatched for attempt in self.live_of(group)) or any(
            attempt.dispatched for attempts in earlier for attempt in attempts
        )

    # --- attempts ---

    def attempts(self) -> Iterator[Attempt]:
        """Every attempt, steps in flow order, oldest first."""
        for earlier, attempt in zip(self.superseded, self.live, strict=True):
            yield from earlier
            yield attempt

    def position_of(self, attempt_id: str) -> int | None:
        """The position of the step that an attempt id names, whether or not it exists."""
        return self.catalog.position_of_attempt(attempt_id)

    def attempt(self, attempt_id: str) -> Attempt | None:
        """An attempt, live or superseded, by its id."""
        position = self.position_of(attempt_id)
        if position is None:
            return None
        live = self.live[position]
        if live.id == attempt_id:
            return live
        earlier, n = self.superseded[position], attempt_id.rpartition("#")[2]
        if not n.isdecimal() or len(n) > 9 or not 0 < int(n) <= len(earlier):
            return None
        found = earlier[int(n) - 1]
        return found if found.id == attempt_id else None

    def live_attempt(self, step: str) -> Attempt | None:
        """The live attempt of a step, by the step's key (S1.2); None for a step that is unknown."""
        position = self.catalog.position_of(step)
        return None if position is None else self.live[position]

    def open_approvals(self) -> tuple[Attempt, ...]:
        """The attempts whose approval is open, in flow order."""
        return tuple(a for a in self.current_attempts() if a.awaiting) if self.awaiting else ()

    def current_attempts(self) -> Iterator[Attempt]:
        """The live attempts of the current group, in order."""
        return self.live.slice(self.span.start, self.span.stop)

    # --- timers ---

    def timers(self) -> tuple[tuple[str, int], ...]:
        """The open timers and when they are due, by id (S14.1)."""
        timers: list[tuple[str, int]] = []
        if self.cancellation is not None and self.cancellation.due_at_ms is not None:
            timers.append(("cancel", self.cancellation.due_at_ms))
        if self.wait_timer is not None and self.wait_due_at_ms is not None:
            timers.append((self.wait_timer, self.wait_due_at_ms))
        if self.active or self.waiting or self.awaiting:
            timers += (
                (attempt.timer, attempt.due_at_ms)
                for attempt in self.current_attempts()
                if attempt.timer is not None and attempt.due_at_ms is not None
            )
        return tuple(sorted(timers))


def initial_state(spec: FlowSpec, flow_id: str) -> FlowState:
    """The state of a flow that has not started; raises SpecError for a bad flow id (S2.1)."""
    problems = flow_id_problems(flow_id)
    if problems:
        raise SpecError(tuple(problems))
    catalog = Catalog().extend(spec.groups)
    place = catalog.place(0)
    return FlowState(
        flow_id=flow_id,
        spec=spec,
        catalog=catalog,
        live=Vector(Attempt(step.key) for step in catalog.steps),
        superseded=Vector.repeated(NONE, len(catalog.steps)),
        place=place,
        span=place.span,
        pending=PositionSet().extend(0, len(catalog.steps)),
        approval=spec.options.approval,
    )
