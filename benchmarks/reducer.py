"""What an event costs the reducer, and what it costs the peers, in the same rounds.

All peers do the work of the sequential shape; the mixed shape is held against the same
figures, since no peer has reruns or group retries to do it with. A peer plays for about
as long as the others do, which are fewer events when it is slow, and none at a size that
would take it too long. What the records of an event alone cost tells what is left to win.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from typing import Final

from benchmarks import floor
from benchmarks.parts import Part, run
from benchmarks.peers.installed import DISTRIBUTIONS, installed_version, peer
from benchmarks.peers.peer import Peer, events_of
from benchmarks.rounds import Candidate, medians, played, times_to_reach
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.workloads import MIXED, SEQUENTIAL, Shape, play

GOALS: Final[dict[str, tuple[float, float | None]]] = {
    "transitions": (0.7, 0.5),
    "eventsourcing": (0.7, 0.5),
    "statemachine": (0.06, None),
    "langgraph": (0.01, None),
}
"""What part of a peer's time an event may take ours: the goal, and what it should rather be."""
OURS: Final = {"conductor-core, sequential": SEQUENTIAL, "conductor-core, mixed": MIXED}

FLOOR: Final = "conductor-core, the records of an event alone"


def measure(scale: Scale) -> Iterator[Row]:
    """At each size what an event costs everybody; at one of them, the ratios."""
    for key, distribution in DISTRIBUTIONS.items():
        if installed_version(key) is None:
            yield _row(distribution, None, note="it is not installed")
    peers = {key: found for key in DISTRIBUTIONS if (found := peer(key)) is not None}
    pilots: dict[str, float] = {}
    for steps in scale.peer_steps:
        candidates = [_ours(name, shape, steps, scale) for name, shape in OURS.items()]
        candidates.append(floor.candidate(FLOOR, steps, scale.events))
        for key, one in peers.items():
            candidates += able(key, one, steps, scale, pilots)
        costs = medians(candidates, scale.rounds)
        for name, cost in costs.items():
            known = peers.get(name)
            title = name if known is None else known.name
            note = "" if known is None else f"{installed_version(name)}: {known.does}"
            is_first = steps == scale.peer_steps[0]
            yield _row(f"{title}, {steps:,} steps", cost, note=note if is_first else "")
        if steps == scale.peer_goal_at:
            yield from _ratios(costs, peers)


def _ours(name: str, shape: Shape, steps: int, scale: Scale) -> Candidate:
    recording = shape.recorded(steps)
    times = times_to_reach(scale.events, len(recording.events))
    plays = [partial(play, recording)] * times
    return played(name, times * len(recording.events), lambda: plays)


def able(
    key: str, one: Peer, steps: int, scale: Scale, pilots: dict[str, float]
) -> Iterator[Candidate]:
    """The peer, unless a flow of so many steps takes it too long; a pilot tells."""
    if pilots.get(key, 0) * events_of(steps) > scale.peer_ms * 1_000:
        return
    pilots[key] = one.candidate(key, steps, 1).per_event_us()
    least = min(scale.events, int(scale.play_ms * 1_000 / pilots[key]))
    yield one.candidate(key, steps, least)


def _ratios(costs: dict[str, float], peers: dict[str, Peer]) -> Iterator[Row]:
    for name in OURS:
        for key, (goal, stretch) in GOALS.items():
            if key in costs:
                what = f"{name}, against {peers[key].name}"
                ratio = costs[name] / costs[key]
                yield _row(what, ratio, unit="times", goal=goal, stretch=stretch)


def _row(
    what: str,
    figure: float | None,
    *,
    unit: str = "µs an event",
    goal: float | None = None,
    stretch: float | None = None,
    note: str = "",
) -> Row:
    return Row(
        part="reducer", what=what, figure=figure, unit=unit, goal=goal, stretch=stretch, note=note
    )


PART: Final = Part("reducer", "what an event costs, beside what it costs the peers", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
