"""What one event costs that touches every step of its group, for each step touched.

Such an event is linear by nature: a stop that sweeps what is pending, a cancel, the retry of a
group, the start of a parallel group. The flow is led up to it once, and the one event is timed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from attrs import frozen

from benchmarks.parts import Part, run
from benchmarks.rounds import Candidate, medians, played, times_to_reach
from benchmarks.rows import Row
from benchmarks.scale import Scale
from conductor_core import (
    FlowSpec,
    FlowState,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    events,
    initial_state,
    reduce,
    verdicts,
)

GOAL_US: Final = 4.0
LINEAR: Final = 1.5
"""What a step touched may cost at the second size, measured by the first."""


@frozen
class Sweep:
    """A state, the event that sweeps it, and how many steps that touches."""

    state: FlowState
    event: events.Event
    touched: int


def stop(steps: int) -> Sweep:
    """The first step of a sequential group fails, and the others are discarded."""
    return Sweep(_started(_flow(steps)), _finished("s0#1", "failed"), steps)


def cancel_pending(steps: int) -> Sweep:
    """A flow is cancelled of which one step runs and all others wait for their turn."""
    return Sweep(_started(_flow(steps)), events.CancelRequested(at_ms=1, by="ann"), steps)


def cancel_active(steps: int) -> Sweep:
    """A flow is cancelled while every step of its parallel group runs."""
    state = _started(_flow(steps, parallel=True))
    return Sweep(state, events.CancelRequested(at_ms=1, by="ann"), steps)


def retry_group(steps: int) -> Sweep:
    """The last step of a sequential group fails, and all are tried again."""
    return _last_fails(steps, parallel=False, touched=steps)


def retry_parallel_group(steps: int) -> Sweep:
    """The last step of a parallel group fails: each gets a new attempt and is dispatched."""
    return _last_fails(steps, parallel=True, touched=2 * steps)


def start_parallel_group(steps: int) -> Sweep:
    """A flow starts with a parallel group, and every step is dispatched."""
    state = initial_state(_flow(steps, parallel=True), "bench")
    return Sweep(state, events.FlowStarted(at_ms=0), steps)


SWEEPS: Final[dict[str, Callable[[int], Sweep]]] = {
    "stop, the rest pending": stop,
    "cancel, the rest pending": cancel_pending,
    "cancel, all active": cancel_active,
    "group retry": retry_group,
    "group retry and start, parallel": retry_parallel_group,
    "start of a parallel group": start_parallel_group,
}


def measure(scale: Scale) -> Iterator[Row]:
    """For each sweep what a step touched costs at the largest size, and how that grows."""
    for name, build in SWEEPS.items():
        sweeps = {steps: build(steps) for steps in scale.sweeps}
        costs = medians(
            [_candidate(*pair, scale.sweeps[-1]) for pair in sweeps.items()], scale.rounds
        )
        small, large = (costs[str(steps)] for steps in scale.sweeps)
        sizes = " against ".join(f"{steps:,}" for steps in reversed(scale.sweeps))
        yield Row(
            part="sweeps",
            what=f"{name}, {scale.sweeps[-1]:,} steps",
            figure=large,
            unit="µs a touch",
            goal=GOAL_US,
        )
        yield Row(
            part="sweeps", what=f"{name}, {sizes}", figure=large / small, unit="times", goal=LINEAR
        )


def _candidate(steps: int, sweep: Sweep, least: int) -> Candidate:
    times = times_to_reach(least, steps)
    plays = [partial(reduce, sweep.state, sweep.event)] * times
    return played(str(steps), times * sweep.touched, lambda: plays)


def _flow(steps: int, *, parallel: bool = False) -> FlowSpec:
    retry = RetryPolicy(max_auto_retries=1, backoff_ms=(), scope="group")
    made = [StepSpec(key=f"s{i}") for i in range(steps - 1)]
    last = StepSpec(key=f"s{steps - 1}", retry=retry)
    return FlowSpec(groups=[GroupSpec(key="g", parallel=parallel, steps=[*made, last])])


def _started(spec: FlowSpec) -> FlowState:
    return _after(initial_state(spec, "bench"), events.FlowStarted(at_ms=0))


def _last_fails(steps: int, *, parallel: bool, touched: int) -> Sweep:
    state = _started(_flow(steps, parallel=parallel))
    for number in range(steps - 1):
        state = _after(state, _finished(f"s{number}#1", "succeeded"))
    return Sweep(state, _finished(f"s{steps - 1}#1", "failed"), touched)


def _finished(attempt: str, outcome: events.WorkOutcome) -> events.Event:
    error = events.StepError(message="out of luck") if outcome == "failed" else None
    return events.StepFinished(at_ms=1, attempt=attempt, outcome=outcome, error=error)


def _after(state: FlowState, event: events.Event) -> FlowState:
    transition = reduce(state, event)
    assert isinstance(transition.verdict, verdicts.Accepted), transition.verdict
    return transition.state


PART: Final = Part("sweeps", "what one event costs that touches every step", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
