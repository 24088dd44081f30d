"""How much work the reducer does, counted in calls: the same on every machine.

Rule: what is counted is every call of a function, in Python or C, while a whole flow is played
by a world that answers every command in the order of their coming.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from conductor_core import FlowSpec, FlowState, commands, events, initial_state, reduce
from conductor_core.commands import Command
from conductor_core.events import Event


def work_of(spec: FlowSpec, *, failures: int) -> int:
    """The calls that it takes to lead a flow to success, with so many failures of each step."""
    return calls_in(lambda: play_through(spec, failures))


def play_through(spec: FlowSpec, failures: int) -> None:
    """Answer every command until the flow has succeeded."""
    state = initial_state(spec, flow_id="flow")
    waiting: list[Event] = [events.FlowStarted(at_ms=0)]
    for event in waiting:  # grows while it is read: first come, first answered
        transition = reduce(state, event)
        state = transition.state
        for command in transition.commands:
            waiting.extend(_answers(state, command, failures))
    assert state.status == "success", state.status


def _answers(state: FlowState, command: Command, failures: int) -> Iterator[Event]:
    """What a host and a patient person send after a command."""
    match command:
        case commands.DispatchStep():
            fails = command.retry + command.generation < failures
            outcome: events.WorkOutcome = "failed" if fails else "succeeded"
            yield events.StepFinished(at_ms=0, attempt=command.attempt, outcome=outcome)
        case commands.RequestApproval():
            step = command.attempt.partition("#")[0]
            yield events.ApprovalResponded(at_ms=0, step=step, response="approve", by="ana")
        case commands.ScheduleTimer() if command.timer.startswith("backoff:"):
            yield events.TimerFired(at_ms=0, timer=command.timer)
        case commands.FinishFlow() if command.outcome.status == "error":
            group = state.catalog.groups[state.current].key
            yield events.GroupRetryRequested(at_ms=0, group=group, by="ana")
        case _:
            pass


def calls_in(work: Callable[[], None]) -> int:
    """How many functions are called."""
    count = 0

    def on_event(_frame: FrameType, kind: str, _argument: Any) -> None:
        nonlocal count
        count += kind in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
