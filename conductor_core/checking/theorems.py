"""What must hold of every flow, whatever it declares: the built-in theorems.

Rule: a theorem is a property like any other, read from the rules it cites. It looks at what a
transition does, and asks the judge what would count; it has no rules of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conductor_core import events
from conductor_core.attempt import AttemptStatus
from conductor_core.checking.gate import gate
from conductor_core.checking.moves import next_approver, rerun
from conductor_core.checking.properties import TOTAL, Invariant, LeadsTo, Property
from conductor_core.commands import DispatchStep, FinishFlow
from conductor_core.events import Event
from conductor_core.legality import ACCEPTED, judge
from conductor_core.reducer import Transition
from conductor_core.state import FlowState

# --- no dead end (law 10) ---


def is_dead_end(state: FlowState) -> bool:
    """Whether a live flow has nothing that leads it on, a cancel or a pause aside."""
    if state.outcome is not None:
        return False
    return not any(judge(state, event) is ACCEPTED for event in _leading_on(state))


def _leading_on(state: FlowState) -> Iterator[Event]:
    """What a host or a person would do for a flow, whatever the bounds of the search."""
    if not state.started:
        yield events.FlowStarted(at_ms=0)
    steps = state.catalog.steps
    for position, attempt in zip(state.span, state.current_attempts(), strict=True):
        if attempt.active:
            yield events.StepFinished(at_ms=0, attempt=attempt.id, outcome="succeeded")
        elif attempt.awaiting:
            by = next_approver(steps[position], attempt)
            yield events.ApprovalResponded(at_ms=0, step=attempt.step, response="approve", by=by)
        elif attempt.parked:
            yield rerun(state, attempt.step, "retry-step")
            yield rerun(state, attempt.step, "skip-step")
    for timer, due_at_ms in state.timers():
        yield events.TimerFired(at_ms=due_at_ms, timer=timer)
    if state.generating == "running":
        yield events.GroupsGenerated(at_ms=0)
    if state.continuing:
        yield events.ContinuedAsNew(at_ms=0, incarnation=state.incarnation)
    if state.paused:
        yield events.ResumeRequested(at_ms=0, by="operator")


NO_DEAD_END: Final = Invariant(
    name="no dead end",
    statement="from every live state some event leads on, a cancel or a pause aside (law 10)",
    about=(),
    violates=is_dead_end,
)

# --- cancel always ends (S9) ---


def is_cancelled(state: FlowState) -> bool:
    """Whether the flow ended as cancelled."""
    return state.outcome is not None and state.outcome.status == "cancelled"


def forsakes_cancel(before: FlowState, event: Event, after: Transition) -> bool:
    """Whether a cancel is taken back, or something is dispatched after it (law 6)."""
    if before.cancellation is None and not isinstance(event, events.CancelRequested):
        return False
    if any(isinstance(command, DispatchStep) for command in after.commands):
        return True
    if before.cancellation is None:
        return False
    return after.state.cancellation is None or (is_cancelled(before) and after.state is not before)


CANCEL_ENDS: Final = LeadsTo(
    name="cancel always ends",
    statement="every fair run ends as cancelled once a cancel was accepted (S9.4)",
    about=(),
    start=lambda state: state.cancellation is not None,
    goal=is_cancelled,
)
CANCEL_IS_FINAL: Final = Invariant(
    name="cancel is final",
    statement="after an accepted cancel nothing is dispatched, and nothing revives it (law 6)",
    about=(),
    violates_on=forsakes_cancel,
)

# --- deny is final (S8.8, S8.14) ---

_RERUNS: Final = (events.RerunRequested, events.GroupRetryRequested)


def forsakes_deny(before: FlowState, event: Event, after: Transition) -> bool:
    """Whether a deny does not stop the flow, or is undone by anything but a person's rerun."""
    if after.verdict is not ACCEPTED:
        return False
    if isinstance(event, events.ApprovalResponded) and event.response == "deny":
        return _overlooks(event.step, after)
    if before.stop is None or before.stop.reason != "denied" or isinstance(event, _RERUNS):
        return False
    if any(isinstance(command, DispatchStep) for command in after.commands):
        return True
    live = zip(before.current_attempts(), after.state.live.slice(
        before.span.start, before.span.stop), strict=True)  # fmt: skip
    return any(a.status is AttemptStatus.APPROVAL_DENIED and a != b for a, b in live)


def _overlooks(step: str, after: Transition) -> bool:
    """Whether the step that was denied is not, or the flow goes on behind it."""
    position = after.state.catalog.position_of(step)
    assert position is not None, f"{step!r} passed the judge"
    denied = after.state.live[position].status is AttemptStatus.APPROVAL_DENIED
    starts = any(isinstance(command, DispatchStep) for command in after.commands)
    return not denied or starts or after.state.stop is None


DENY_IS_FINAL: Final = Invariant(
    name="deny is final",
    statement="a deny stops the flow, and only a person's rerun sets it going again (S8.14)",
    about=(),
    violates_on=forsakes_deny,
)

# --- retries within budgets (law 9) ---


def exceeds_budget(state: FlowState) -> bool:
    """Whether a step or the current group was retried more often than it may be."""
    if not state.span:
        return False
    if state.generation > state.place.max_retries:
        return True
    steps = state.catalog.steps.slice(state.span.start, state.span.stop)
    attempts = zip(steps, state.current_attempts(), strict=True)
    return any(attempt.retry > step.retry.max_retries for step, attempt in attempts)


def retries_too_often(before: FlowState, event: Event, after: Transition) -> bool:
    """Whether work that failed was retried by itself more often than it may be (S6.16).

    A retry that the work asked for is none of these (S6.15), and a failure that joins a group
    retry which was decided before is not charged (S7.2).
    """
    failed = _failed_by_itself(event)
    if failed is None or after.verdict is not ACCEPTED or before.retrying is not None:
        return False
    position = before.position_of(failed)
    assert position is not None, f"{failed!r} passed the judge"
    state, budget = after.state, before.catalog.steps[position].retry.max_auto_retries
    if state.retrying is not None or _is_next_generation(before, state):
        return before.generation + 1 > budget
    retry = state.live[position].retry
    return retry > before.live[position].retry and retry > budget


def _failed_by_itself(event: Event) -> str | None:
    """The attempt that ended and left open whether it is retried, if one did."""
    match event:
        case events.StepFinished(attempt=attempt, directive=directive):
            return None if directive in ("retry", "retry-group") else attempt
        case events.TimerFired(timer=timer) if timer.startswith("timeout:"):
            return timer.partition(":")[2]
        case _:
            return None


def _is_next_generation(before: FlowState, state: FlowState) -> bool:
    """Whether the current group was retried as a whole."""
    return state.current == before.current and state.generation > before.generation


WITHIN_BUDGETS: Final = Invariant(
    name="retries within budgets",
    statement="no step and no group is retried beyond max_retries, nor by itself beyond"
    " max_auto_retries (law 9)",
    about=(),
    violates=exceeds_budget,
    violates_on=retries_too_often,
)

# --- exactly one finish (law 11) ---


def finishes_wrongly(before: FlowState, _event: Event, after: Transition) -> bool:
    """Whether finish-flow and the end of a run do not come together, or something is left."""
    state = after.state
    # A rerun may revive a flow and end it anew in one transition: that is another run.
    ran = before.outcome is None or state.run > before.run
    finishes = [command for command in after.commands if isinstance(command, FinishFlow)]
    if not ran or state.outcome is None:
        return bool(finishes)
    left = state.active or state.waiting or state.awaiting or state.parked or state.timers()
    return finishes != [FinishFlow(outcome=state.outcome, run=state.run)] or bool(left)


def ends_twice(before: FlowState, event: Event, after: Transition) -> bool:
    """Whether the end of a run is taken back by anything but a rerun, or a run ends twice."""
    if before.outcome is None or after.state is before:
        return False
    revived = isinstance(event, _RERUNS) and after.state.run == before.run + 1
    return not revived


def finishes_more_than_once(before: FlowState, event: Event, after: Transition) -> bool:
    """Whether a run does not end exactly once."""
    return finishes_wrongly(before, event, after) or ends_twice(before, event, after)


ONE_FINISH: Final = Invariant(
    name="exactly one finish",
    statement="a run ends with one finish-flow and nothing left open, and only a rerun begins"
    " another (law 11)",
    about=(),
    violates_on=finishes_more_than_once,
)

THEOREMS: Final[tuple[Property, ...]] = (
    TOTAL,
    NO_DEAD_END,
    CANCEL_ENDS,
    CANCEL_IS_FINAL,
    DENY_IS_FINAL,
    WITHIN_BUDGETS,
    ONE_FINISH,
    gate(),
)
