"""How many bytes a flow takes: its live state above its spec and its index, and its snapshot.

The live state is weighed by walking from object to object. The walk counts what the objects
themselves ask for, without what the allocator adds, and counts nothing twice. What the state
reaches has three parts: the spec, its index, and the state proper. The index is the catalog,
by which steps are found: it is made of the spec alone, once for the flow, and one and the
same in all its states. The goal is for the state proper; the other sums stand beside it.
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
    index = weight(half.catalog, spec) / steps
    known = reachable(half.catalog, set(spec))
    goal = GOAL_BYTES if shape is SEQUENTIAL else None
    yield _row(f"{shape.name}, {steps:,} steps: index of the spec", index)
    for moment, state in (("half way", half), ("finished", recording.ended)):
        assert state.catalog is half.catalog, "the index is the same in all states of the flow"
        what = f"{shape.name}, {moment}, {steps:,} steps"
        proper = weight(state, known) / steps
        yield _row(f"{what}: live state", proper, goal=goal)
        yield _row(f"{what}: live state and index", proper + index)
        yield _row(f"{what}: snapshot", _written(state) / steps)


def _row(what: str, figure: float, *, goal: float | None = None) -> Row:
    return Row(part="memory", what=what, figure=figure, unit="bytes a step", goal=goal)


def _written(state: FlowState) -> int:
    return len(snapshot(state).encode())


PART: Final = Part("memory", "how many bytes a flow takes", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
