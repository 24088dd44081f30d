"""Why a flow does not go on: what its host has left undone.

Rule: a diagnosis is read from the host's own state, the calls that the worker got, and the
timers that the reducer would have open.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias

from conductor_core.explain import explain
from conductor_core.state import FlowState
from conductor_core.testing.conformance.breakages import Breach, Breakage
from conductor_core.testing.conformance.likeness import likeness, told_differences
from conductor_core.testing.conformance.worker import GENERATION, Worker

Finding: TypeAlias = tuple[Breakage, str]


def diagnose(
    state: FlowState, foreseen: dict[str, Any], worker: Worker, timers: Collection[str]
) -> Breach:
    """What keeps a flow from what was foreseen; `timers` are those that stay open then."""
    breakage, what = _found(state, worker, timers)
    differ = told_differences(foreseen, likeness(state))
    told = [f"  {line}" for line in differ] or ["  nothing"]
    lines = [*str(explain(state)).split("\n"), "what differs from the reducer's state:", *told]
    return Breach(breakage, what, lines)


def _found(state: FlowState, worker: Worker, timers: Collection[str]) -> Finding:
    if state.outcome is not None:
        return Breakage.OTHER_STATE, "the flow ended otherwise than by the reducer"
    for attempt in state.current_attempts():
        if attempt.active and (found := _work(attempt.id, worker, attempt.cancel_requested)):
            return found
    late = [timer for timer, _ in state.timers() if timer not in timers]
    if late:
        return Breakage.LOST_TIMER, f"timer {late[0]!r} is due and does not fire"
    if state.generating == "running" and (found := _generation(worker)):
        return found
    if state.continuing:
        return Breakage.LOST_COMMAND, "the host does not continue as new"
    return Breakage.OTHER_STATE, "the flow rests where the reducer would have gone on"


def _work(attempt: str, worker: Worker, cancelled: bool) -> Finding | None:
    """What is wrong with the work of an active attempt."""
    calls = worker.at(attempt)
    if calls:
        if cancelled and not any(call.told for call in calls):
            return Breakage.CANCEL_NOT_TOLD, f"the work of {attempt!r} was never told to give up"
        return None
    if attempt in worker.answered:
        return Breakage.LOST_ANSWER, f"the work of {attempt!r} has ended and the flow waits on"
    again = " again" if worker.deliveries[attempt] else ""
    return Breakage.LOST_DELIVERY, f"attempt {attempt!r} was not delivered{again}"


def _generation(worker: Worker) -> Finding | None:
    """What is wrong with a generation that is under way."""
    if worker.at(GENERATION):
        return None
    if GENERATION in worker.answered:
        return Breakage.LOST_ANSWER, "the groups were generated and the flow waits on"
    again = " again" if worker.deliveries[GENERATION] else ""
    return Breakage.LOST_COMMAND, f"the groups of the flow were not asked for{again}"
