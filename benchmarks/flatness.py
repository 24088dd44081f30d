"""Whether the cost of an event grows with the flow.

Every shape is recorded at every size, and small flows are played as often as it takes to
see as many events as the second size has. The start of a flow is not among the events: a
parallel group begins all its steps at once, which is a sweep (`benchmarks.sweeps`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from typing import Final

from benchmarks.parts import Part, run
from benchmarks.rounds import Candidate, medians, played, times_to_reach
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.workloads import SHAPES, Recording, Shape, play

ROUNDS: Final = 3
"""So many rounds are enough: millions of events are played in each."""
GOALS: Final = (1.5, 2.0)
"""How much more an event may cost at the second and at the third size than at the first."""


def measure(scale: Scale) -> Iterator[Row]:
    """For each shape what an event costs at the first size, and how that grows."""
    for shape in SHAPES:
        yield from _of_shape(shape, scale)


def _of_shape(shape: Shape, scale: Scale) -> Iterator[Row]:
    small, *larger = scale.flat
    recordings = {steps: shape.recorded(steps) for steps in scale.flat}
    least = len(recordings[larger[0]].events)
    rounds = min(scale.rounds, ROUNDS)
    costs = medians([candidate(*pair, least) for pair in recordings.items()], rounds)
    base = costs[str(small)]
    what = f"{shape.name}, {small:,} steps"
    yield Row(part="flatness", what=what, figure=base, unit="µs an event")
    for steps, goal in zip(larger, GOALS, strict=False):
        cost = costs[str(steps)]
        yield Row(
            part="flatness",
            what=f"{shape.name}, {steps:,} steps against {small:,}",
            figure=cost / base,
            unit="times",
            goal=goal,
            note=f"{cost:.2f} µs an event",
        )


def candidate(steps: int, recording: Recording, least: int) -> Candidate:
    """The recording, played until so many events were seen."""
    count = len(recording.events)
    times = times_to_reach(least, count)
    return played(str(steps), times * count, lambda: [partial(play, recording)] * times)


PART: Final = Part("flatness", "does the cost of an event grow with the flow?", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
