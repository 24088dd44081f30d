"""Does the cost of an event grow with the flow? Medians of interleaved runs.

Every shape is played at 10 steps and at 100,000 steps, every step finishing well. The events
are recorded first, so that only `reduce` is timed; small flows are played as often as it
takes to see as many events as the large flow has. A round plays each candidate once, in turn,
and processor time is counted, so that a busy machine treats all of them alike.
The start of the flow is timed apart: a parallel group begins all its steps at once, which
is linear by nature.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
from collections.abc import Iterator
from time import process_time_ns

from attrs import frozen

from conductor_core import (
    FlowSpec,
    FlowState,
    GroupSpec,
    StepSpec,
    commands,
    events,
    initial_state,
    reduce,
)

SMALL = 10
LARGE = 100_000
GOAL = 1.5


@frozen
class Recording:
    """A flow that has started, and the events that take it to its end."""

    name: str
    started: FlowState
    events: tuple[events.Event, ...]


def sequential(steps: int) -> FlowSpec:
    """One sequential group."""
    return FlowSpec(groups=[GroupSpec(key="g", steps=[_step(i) for i in range(steps)])])


def parallel(steps: int) -> FlowSpec:
    """One parallel group."""
    group = GroupSpec(key="g", parallel=True, steps=[_step(i) for i in range(steps)])
    return FlowSpec(groups=[group])


def grouped(steps: int) -> FlowSpec:
    """Sequential groups of 100 steps, or one group of fewer."""
    size = min(steps, 100)
    return FlowSpec(
        groups=[
            GroupSpec(key=f"g{start}", steps=[_step(i) for i in range(start, start + size)])
            for start in range(0, steps, size)
        ]
    )


def _step(number: int) -> StepSpec:
    return StepSpec(key=f"s{number}")


SHAPES = {"sequential": sequential, "parallel": parallel, "groups of 100": grouped}


def record(name: str, spec: FlowSpec) -> Recording:
    """Play a flow to its end in the order of its dispatches and keep the events."""
    begun = reduce(initial_state(spec, "bench"), events.FlowStarted(at_ms=0))
    state, queue, played = begun.state, list(begun.commands), list[events.Event]()
    for command in queue:
        if isinstance(command, commands.DispatchStep):
            event = events.StepFinished(at_ms=1, attempt=command.attempt, outcome="succeeded")
            transition = reduce(state, event)
            state = transition.state
            queue.extend(transition.commands)
            played.append(event)
    assert state.status == "success", f"{name} ended as {state.status}"
    return Recording(name, begun.state, tuple(played))


def per_event_us(recording: Recording, at_least: int) -> float:
    """The mean time of an event over at least so many of them, in microseconds."""
    count = 0
    begin = process_time_ns()
    while count < at_least:
        state = recording.started
        for event in recording.events:
            state = reduce(state, event).state
        count += len(recording.events)
    return (process_time_ns() - begin) / count / 1_000


def measure(rounds: int, large: int) -> Iterator[dict[str, object]]:
    """One row for each shape: medians at both sizes and their ratio."""
    for shape, build in SHAPES.items():
        pair = [record(f"{shape} {steps}", build(steps)) for steps in (SMALL, large)]
        gc.collect()
        gc.freeze()  # what was recorded is the host's, not the reducer's, to traverse
        times: list[list[float]] = [[], []]
        for _ in range(rounds):
            for index, recording in enumerate(pair):
                times[index].append(per_event_us(recording, large))
                gc.collect()
        gc.unfreeze()
        small_us, large_us = (statistics.median(values) for values in times)
        yield {
            "shape": shape,
            "steps": large,
            f"us_per_event_at_{SMALL}": round(small_us, 2),
            "us_per_event": round(large_us, 2),
            "ratio": round(large_us / small_us, 2),
            "goal": GOAL,
        }


def main(arguments: list[str]) -> int:
    """Print the table, or its rows as JSON; 1 when a ratio misses the goal."""
    parser = argparse.ArgumentParser(description="Does the cost of an event grow with the flow?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=LARGE)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = []
    if not options.json:
        print(f"{'shape':<15}{'10 steps':>12}{f'{options.steps:,} steps':>18}{'ratio':>8}  goal")
    for row in measure(options.rounds, options.steps):
        rows.append(row)
        if not options.json:
            small, large, ratio = row[f"us_per_event_at_{SMALL}"], row["us_per_event"], row["ratio"]
            print(f"{row['shape']:<15}{small:>9} µs{large:>15} µs{ratio:>8}  {GOAL}", flush=True)
    if options.json:
        print(json.dumps(rows, indent=2))
    return 0 if all(float(str(row["ratio"])) <= GOAL for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
