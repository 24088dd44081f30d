"""Why a flow does not go on: what its host has left undone.

Rule: a diagnosis is read from the host's own state, the calls that the worker got, and the
timers that the reducer would have open.
"""

from __future__ import annotations

from typing import TypeAlias

from conductor_core.attempt import Attempt
from conductor_core.explain import explain
from conductor_core.state import FlowState
from conductor_core.testing.conformance.breakages import Breach, Breakage
from conductor_core.testing.conformance.foreseen import Foreseen
from conductor_core.testing.conformance.likeness import told_differences
from conductor_core.testing.conformance.worker import GENERATION, Worker

Finding: TypeAlias = tuple[Breakage, str]


def diagnose(state: FlowState, world: Foreseen, worker: Worker) -> Breach:
    """What keeps a flow from what was foreseen."""
    late = [timer for timer, _ in state.timers() if world.fires(timer)]
    breakage, what = _found(state, worker, late)
    differ = told_differences(world.likeness(), world.likeness(state))
    told = [f"  {line}" for line in differ] or ["  nothing"]
    lines = [*str(explain(state)).split("\n"), "what differs from the reducer's state:", *told]
    return Breach(breakage, what, lines)


def _found(state: FlowState, worker: Worker, late: list[str]) -> Finding:
    if state.outcome is not None:
        return Breakage.OTHER_STATE, "the flow ended otherwise than by the reducer"
    active = [attempt for attempt in state.current_attempts() if attempt.active]
    for attempt in active:
        if found := _work(attempt, worker):
            return found
    if late:
        return Breakage.LOST_TIMER, f"timer {late[0]!r} is due and does not fire"
    for attempt in active:
        if attempt.cancel_requested and not worker.at(attempt.id):
            what = f"the work of {attempt.id!r} was to give up and is lost, and the flow waits on"
            return Breakage.CANCEL_NOT_TOLD, what
    if state.generating == "running" and (found := _generation(worker)):
        return found
    if state.continuing:
        return Breakage.LOST_COMMAND, "the host does not continue as new"
    return Breakage.OTHER_STATE, "the flow rests where the reducer would have gone on"


def _work(attempt: Attempt, worker: Worker) -> Finding | None:
    """What is wrong with the work of an active attempt; not that it is lost and was to give up."""
    calls = worker.at(attempt.id)
    if calls:
        if attempt.cancel_requested and not any(call.told for call in calls):
            what = f"the work of {attempt.id!r} was never told to give up"
            return Breakage.CANCEL_NOT_TOLD, what
        return None
    if attempt.id in worker.answered:
        what = f"the work of {attempt.id!r} has ended and the flow waits on"
        return Breakage.LOST_ANSWER, what
    if attempt.cancel_requested:
        return None
    again = " again" if worker.deliveries[attempt.id] else ""
    return Breakage.LOST_DELIVERY, f"attempt {attempt.id!r} was not delivered{again}"


def _generation(worker: Worker) -> Finding | None:
    """What is wrong with a generation that is under way."""
    if worker.at(GENERATION):
        return None
    if GENERATION in worker.answered:
        return Breakage.LOST_ANSWER, "the groups were generated and the flow waits on"
    again = " again" if worker.deliveries[GENERATION] else ""
    return Breakage.LOST_COMMAND, f"the groups of the flow were not asked for{again}"
