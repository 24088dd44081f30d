"""How many bytes a flow takes: its live state above its spec, and its snapshot.

The live state is weighed by walking from object to object: what the state reaches and its spec
does not. The walk counts what the objects themselves ask for, without what the allocator
adds, and counts nothing twice. The catalog, the index of the spec by which all states of a flow
find their steps, is not the spec's: it is weighed as a part of the state, and told apart.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from benchmarks.parts import Part, run
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.walk import reachable, weight
from benchmarks.workloads import MIXED, SEQUENTIAL, Shape
from conductor_core import FlowState, reduce
from conductor_core.log import snapshot

GOAL_BYTES: Final = 300.0


def measure(scale: Scale) -> Iterator[Row]:
    """The weight of a flow, finished and half way, in two shapes."""
    for shape in (SEQUENTIAL, MIXED):
        yield from _of_shape(shape, scale.live_steps)


def _of_shape(shape: Shape, steps: int) -> Iterator[Row]:
    recording = shape.recorded(steps)
    half = recording.started
    for event in recording.events[: len(recording.events) // 2]:
        half = reduce(half, event).state
    spec = reachable(half.spec, set())
    catalog = weight(half.catalog, spec) / steps
    for moment, state in (("half way", half), ("finished", recording.ended)):
        yield _row(
            f"{shape.name}, {moment}, {steps:,} steps: live state",
            weight(state, spec) / steps,
            goal=GOAL_BYTES if shape is SEQUENTIAL else None,
            note=f"of that its catalog {catalog:.0f}",
        )
        yield _row(f"{shape.name}, {moment}, {steps:,} steps: snapshot", _written(state) / steps)


def _row(what: str, figure: float, *, goal: float | None = None, note: str = "") -> Row:
    return Row(part="memory", what=what, figure=figure, unit="bytes a step", goal=goal, note=note)


def _written(state: FlowState) -> int:
    return len(snapshot(state).encode())


PART: Final = Part("memory", "how many bytes a flow takes", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
