"""Why a flow waits, who can unblock it, and which events are legal now.

Rule: an explanation is read from the state and from the judge; it has no rules of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Final, Literal, TypeAlias

from conductor_core import events
from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.events import Event
from conductor_core.frozen import frozen
from conductor_core.legality import ACCEPTED, judge
from conductor_core.rerun import OPERATIONS
from conductor_core.spec import StepSpec
from conductor_core.state import FlowState

__all__ = ["Explanation", "Quorum", "Wait", "Who", "explain"]

Who: TypeAlias = Literal["worker", "clock", "person", "host"]
ANYBODY: Final = "anybody"
MANY: Final = 50
RESPONSES: Final = ("approve", "deny", "skip-current", "skip-current-and-dependents", "retry")
UP_TO_PEOPLE: Final = ("approval-awaiting", "failed-pending-retry", "paused")
"""The statuses of a flow that nothing but a request moves on, while no approval expires."""


@frozen(kw_only=True)
class Wait:
    """One thing that a flow waits for: what it is, who can end it, and when at the latest.

    `subject` is the attempt or the group that waits; None means the flow itself.
    """

    what: str
    who: Who
    subject: str | None = None
    due_at_ms: int | None = None

    def __str__(self) -> str:
        subject = "" if self.subject is None else f"{self.subject}: "
        due = "" if self.due_at_ms is None else f", at the latest at {self.due_at_ms} ms"
        return f"{subject}{self.what} ({self.who}{due})"


@frozen(kw_only=True)
class Quorum:
    """How far an approval is that was asked for: how many must approve, and who did.

    `approvers` are those who may, None where anybody may. An approval from `stale_at_ms` on
    has the plan worked out anew (S8.5).
    """

    attempt: str
    step: str
    required: int
    given: tuple[str, ...]
    approvers: tuple[str, ...] | None
    stale_at_ms: int | None

    @property
    def missing(self) -> int:
        """How many approvals are missing."""
        return max(self.required - len(self.given), 0)

    @property
    def left(self) -> tuple[str, ...] | None:
        """Who of those who may approve has not; None where anybody else may."""
        if self.approvers is None:
            return None
        return tuple(name for name in self.approvers if name not in self.given)


@frozen(kw_only=True)
class Explanation:
    """Why a flow is where it is.

    `waits` is empty only when the flow has ended. `for_people` says that nothing but a request
    moves it on, and `quorums` how far its open approvals are. `legal` are events that would be
    accepted now, with `at_ms` 0 and, where a name is needed, one that is allowed; of more than
    MANY attempts that failed only so many are spoken of there. `next_timer` is
    the open timer that is due first, with its time.
    """

    status: str
    waits: tuple[Wait, ...]
    for_people: bool
    quorums: tuple[Quorum, ...]
    legal: tuple[Event, ...]
    next_timer: tuple[str, int] | None

    def __str__(self) -> str:
        return "\n".join([f"flow is {self.status}", *(f"  waits for {w}" for w in self.waits)])


def explain(state: FlowState) -> Explanation:
    """Say why a flow waits, who can unblock it, and which events are legal now."""
    return Explanation(
        status=state.status,
        waits=tuple(_waits(state)),
        for_people=waits_for_people(state),
        quorums=tuple(quorum_of(state, attempt) for attempt in state.open_approvals()),
        legal=tuple(event for event in _candidates(state) if judge(state, event) is ACCEPTED),
        next_timer=min(state.timers(), key=lambda timer: (timer[1], timer[0]), default=None),
    )


def waits_for_people(state: FlowState) -> bool:
    """Whether nothing but a request moves a flow on, while no approval expires; costs little."""
    return state.status in UP_TO_PEOPLE


def step_of(state: FlowState, attempt: Attempt) -> StepSpec:
    """The step that an attempt of a flow executes."""
    position = state.position_of(attempt.id)
    assert position is not None, f"{attempt.id!r} has no position"
    return state.catalog.steps[position]


def quorum_of(state: FlowState, attempt: Attempt) -> Quorum:
    """How far an approval is that was asked for."""
    spec, approval = step_of(state, attempt).approval_spec, attempt.approval
    assert approval is not None, f"{attempt.id!r} was never asked about"
    stale_after_ms = spec.stale_after_ms
    return Quorum(
        attempt=attempt.id,
        step=attempt.step,
        required=spec.required,
        given=approval.approvers,
        approvers=spec.approvers,
        stale_at_ms=None if stale_after_ms is None else approval.requested_at_ms + stale_after_ms,
    )


def enough_names(quorums: Sequence[Quorum], *, anew: bool = False) -> tuple[tuple[str, ...], int]:
    """Names that meet all of these together, and how many more people that takes, whoever they are.

    What is asked for `anew` needs all of its approvals again, first those of who gave them.
    """
    names: dict[str, None] = {}
    for quorum in quorums:
        named = (*(quorum.given if anew else ()), *(quorum.left or ()))
        names |= dict.fromkeys(named[: quorum.required if anew else quorum.missing])
    by_anybody = (quorum for quorum in quorums if quorum.approvers is None)
    more = [_others_needed(quorum, names, anew=anew) for quorum in by_anybody]
    return tuple(names), max([0, *more])


def _others_needed(quorum: Quorum, names: Collection[str], *, anew: bool) -> int:
    """How many people an approval by anybody takes beside those who are named."""
    if anew:
        return quorum.required - len(names)
    # Who approved before is not heard again.
    return quorum.missing - len(names) + sum(name in names for name in quorum.given)


def _waits(state: FlowState) -> Iterator[Wait]:
    if state.outcome is not None:
        return
    if not state.started:
        yield Wait(what="its start", who="host")
        return
    for attempt in state.current_attempts():
        yield from _waits_of(state, attempt)
    if state.cancellation is not None:
        due = state.cancellation.due_at_ms
        yield Wait(what="the acknowledgement of its cancel", who="worker", due_at_ms=due)
        return
    if state.wait_timer is not None:
        key = state.catalog.groups[state.current].key
        yield Wait(what="the end of its backoff", who="clock", subject=key,
                   due_at_ms=state.wait_due_at_ms)  # fmt: skip
    if state.generating == "running":
        yield Wait(what="the groups that are being generated", who="host")
    if state.continuing:
        yield Wait(what="its continuation as new", who="host")
    if state.paused:
        yield Wait(what="somebody to resume it", who="person")


def _waits_of(state: FlowState, attempt: Attempt) -> Iterator[Wait]:
    due = attempt.due_at_ms
    if attempt.active:
        yield Wait(what="the end of its work", who="worker", subject=attempt.id, due_at_ms=due)
    elif attempt.status is AttemptStatus.WAITING_TO_RETRY:
        yield Wait(what="the end of its backoff", who="clock", subject=attempt.id, due_at_ms=due)
    elif attempt.parked:
        yield Wait(what="a retry or a skip", who="person", subject=attempt.id)
    elif attempt.awaiting:
        yield Wait(what=_missing(state, attempt), who="person", subject=attempt.id, due_at_ms=due)


def _missing(state: FlowState, attempt: Attempt) -> str:
    """The approvals that are missing, and whose they may be."""
    quorum = quorum_of(state, attempt)
    count = f"{len(quorum.given)} of {quorum.required} approvals"
    return count if quorum.left is None else f"{count}, by {' or '.join(quorum.left)}"


def _candidates(state: FlowState) -> Iterator[Event]:
    """One event of every kind for everything in the flow that it could be about."""
    yield events.FlowStarted(at_ms=0)
    failed = islice((a for a in state.current_attempts() if a.failed), MANY)
    yield from (rerun for attempt in failed for rerun in _reruns_of(state, attempt))
    for attempt in state.current_attempts():
        yield events.StepStarted(at_ms=0, attempt=attempt.id)
        yield events.StepFinished(at_ms=0, attempt=attempt.id, outcome="succeeded")
        yield from _requests_about(state, attempt)
    for timer, due_at_ms in state.timers():
        yield events.TimerFired(at_ms=due_at_ms, timer=timer)
    yield events.GroupsGenerated(at_ms=0)
    yield events.GenerationFailed(at_ms=0)
    yield events.ContinueAsNewSuggested(at_ms=0, incarnation=state.incarnation)
    yield events.ContinuedAsNew(at_ms=0, incarnation=state.incarnation)
    if state.current < len(state.catalog.groups):
        key = state.catalog.groups[state.current].key
        yield events.GroupRetryRequested(at_ms=0, group=key, by=ANYBODY)
    for option in ("approve-all", "prompt"):
        yield events.ApprovalOptionChanged(at_ms=0, option=option, by=ANYBODY)
    yield events.PauseRequested(at_ms=0, by=ANYBODY)
    yield events.ResumeRequested(at_ms=0, by=ANYBODY)
    yield events.CancelRequested(at_ms=0, by=ANYBODY)


def _requests_about(state: FlowState, attempt: Attempt) -> Iterator[Event]:
    step = attempt.step
    if attempt.awaiting:
        for response in RESPONSES:
            by = _approver(state, attempt)
            yield events.ApprovalResponded(at_ms=0, step=step, response=response, by=by)
    yield events.RetryNowRequested(at_ms=0, step=step, by=ANYBODY)


def _reruns_of(state: FlowState, attempt: Attempt) -> Iterator[Event]:
    """The reruns of a failed attempt; whether one may be depends on its whole group."""
    for operation in OPERATIONS:
        yield events.RerunRequested(
            at_ms=0, by=ANYBODY, flow_id=state.flow_id, step_id=attempt.step, operation=operation
        )


def _approver(state: FlowState, attempt: Attempt) -> str:
    """Somebody who may approve and has not."""
    left = quorum_of(state, attempt).left
    return ANYBODY if left is None else left[0]
