"""What a host that lost its memory must make up for, and do again (S14.2, S14.3).

Rule: everything is read from the state, and every command is idempotent by its ids.
"""

from __future__ import annotations

from collections.abc import Iterator

from conductor_core.attempt import Attempt
from conductor_core.commands import CancelFutures, Command, FinishFlow, ScheduleTimer
from conductor_core.orders import continuation_of, dispatch_of, generation_of, request_of
from conductor_core.spec import StepSpec
from conductor_core.state import FlowState


def pending_commands(state: FlowState, *, at_ms: int) -> tuple[Command, ...]:
    """Every command whose effect may have been lost, in an order that is safe to follow.

    `at_ms` is the host's clock now: timers get the delay that is left of them. What must not
    run twice unseen is left out, see `interrupted_attempts`.
    """
    return tuple(_commands(state, at_ms))


def interrupted_attempts(state: FlowState) -> tuple[str, ...]:
    """The active attempts with `on_recovery: fail`, which a host that crashed answers for.

    It sends step-finished, failed, with an error of type `interrupted`, for each (S14.3).
    """
    return tuple(
        attempt.id
        for attempt, step in _active(state)
        if step.on_recovery == "fail" and not attempt.cancel_requested
    )


def overdue_timers(state: FlowState, *, at_ms: int) -> tuple[str, ...]:
    """The open timers that fell due by `at_ms`, the earliest first, ties by their ids.

    A host that comes back sends timer-fired for each before it follows what is pending; what
    one of them closes is ignored when its turn comes (S4.3).
    """
    due = sorted((due_ms, timer) for timer, due_ms in state.timers() if due_ms <= at_ms)
    return tuple(timer for _, timer in due)


def _commands(state: FlowState, at_ms: int) -> Iterator[Command]:
    if state.outcome is not None:
        yield FinishFlow(outcome=state.outcome, run=state.run)
        return
    asked = tuple(attempt.id for attempt, _ in _active(state) if attempt.cancel_requested)
    if asked:
        yield CancelFutures(attempts=asked)
    for attempt, step in _active(state):
        if not attempt.cancel_requested and step.on_recovery == "redispatch":
            yield dispatch_of(state, attempt, step)
    for timer, due_at_ms in state.timers():
        delay_ms = max(0, due_at_ms - at_ms)
        yield ScheduleTimer(timer=timer, due_at_ms=due_at_ms, delay_ms=delay_ms)
    for attempt in state.open_approvals():
        position = state.position_of(attempt.id)
        assert position is not None, f"{attempt.id!r} has no position"
        yield request_of(attempt, state.catalog.steps[position].approval_spec)
    if state.generating == "running" and state.cancellation is None:
        yield generation_of(state)
    if state.continuing:
        yield continuation_of(state)


def _active(state: FlowState) -> Iterator[tuple[Attempt, StepSpec]]:
    """The active attempts with their steps, in flow order."""
    if state.active:
        for position in state.span:
            attempt = state.live[position]
            if attempt.active:
                yield attempt, state.catalog.steps[position]
