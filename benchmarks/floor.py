"""What a plain event costs before anything is asked: the records that it leaves, and no more.

Rule: of a step that ends well in a sequential group it makes the very transition that `reduce`
makes, which is asserted, in one function that looks at nothing it could find otherwise. That is
the floor of the data model in this interpreter; what `reduce` takes above it is asking.
"""

from __future__ import annotations

from typing import Final

from benchmarks.rounds import Candidate, played
from benchmarks.workloads import SEQUENTIAL
from conductor_core import FlowState, Transition, events, reduce
from conductor_core.attempt import QUEUED, SUCCESS, Attempt, Result
from conductor_core.building import builder, copier
from conductor_core.commands import DispatchStep
from conductor_core.legality import ACCEPTED
from conductor_core.payload import EMPTY
from conductor_core.vector import Edits

_result: Final = builder(Result)
_ended: Final = copier(Attempt, "status", "directive", "result")
_queued: Final = copier(Attempt, "status", "dispatched")
_dispatch: Final = builder(DispatchStep)
_next: Final = copier(FlowState, "live", "pending")
_transition: Final = builder(Transition)


def plain(state: FlowState, event: events.StepFinished) -> Transition:
    """The transition of a step that ended well, and is followed by one like it."""
    position = state.pending.first
    live = Edits(state.live)
    result = _result(output=event.output, noop=event.noop, metadata=event.metadata)
    live.swap(position - 1, _ended(live[position - 1], SUCCESS, "continue", result))
    attempt = _queued(live[position], QUEUED, True)
    live.swap(position, attempt)
    step, name = state.place.step_at(position), attempt.id
    command = _dispatch(
        attempt=name,
        work=step.handler,
        input=step.input,
        outputs=EMPTY,
        subjects=EMPTY,
        idempotency_key=f"{state.flow_id}/{name}",
        retry=attempt.retry,
        generation=attempt.generation,
        timeout_ms=step.timeout_ms,
    )
    after = _next(state, live.vector(), state.pending.remove(position))
    return _transition(after, (command,), ACCEPTED)


def candidate(name: str, steps: int, times: int) -> Candidate:
    """The first event of the sequential shape, again and again."""
    recording = SEQUENTIAL.recorded(steps)
    state, event = recording.started, recording.events[0]
    assert isinstance(event, events.StepFinished)
    assert plain(state, event) == reduce(state, event), "it makes another transition"

    def play() -> None:
        for _ in range(times):
            plain(state, event)

    return played(name, times, lambda: [play])
