"""Plays so many events of one hot path, for the instructions to be counted from outside.

Rule: what is done beforehand is the same for every number of events, so that it drops out of
the difference between two numbers.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Final, TypeAlias

from benchmarks.overhead import by_host, flow
from benchmarks.workloads import MIXED, PARALLEL, SEQUENTIAL, Shape
from conductor_core import events, initial_state, reduce
from conductor_core.log import LogWriter, replay

STEPS: Final = 1_000
"""As many steps has the flow that is played, or at least begun."""

Path: TypeAlias = Callable[[int], object]


def reducing(shape: Shape) -> Path:
    """Reduce the first events of a shape."""

    def play(count: int) -> None:
        recording = shape.recorded(STEPS)
        state = recording.started
        for event in recording.events[:count]:
            state = reduce(state, event).state

    return play


def _lines(count: int) -> list[str]:
    """The header and so many entries of a sequential flow."""
    recording = SEQUENTIAL.recorded(STEPS)
    state = initial_state(recording.started.spec, recording.started.flow_id)
    told = (events.FlowStarted(at_ms=0), *recording.events)
    transitions = []
    for event in told:
        transitions.append(reduce(state, event))
        state = transitions[-1].state
    writer = LogWriter(initial_state(state.spec, state.flow_id), at_ms=0)
    return [writer.header(), *map(writer.entry, told[:count], transitions[:count])]


def replaying(count: int) -> None:
    """Replay the first entries of a log, all of which was written."""
    replay(_lines(MOST)[: count + 1])


def hosting(count: int) -> None:
    """Run a flow of so many steps on the memory host."""
    asyncio.run(by_host(flow(count, limit=1)))


FEW: Final = 200
MOST: Final = 900
"""Between these two numbers of events the difference is taken; no checkpoint is among them."""

PATHS: Final[dict[str, Path]] = {
    "reduce, sequential": reducing(SEQUENTIAL),
    "reduce, parallel": reducing(PARALLEL),
    "reduce, mixed": reducing(MIXED),
    "write an entry": _lines,
    "replay an entry": replaying,
    "a step on the memory host": hosting,
}


if __name__ == "__main__":
    PATHS[sys.argv[1]](int(sys.argv[2]))
