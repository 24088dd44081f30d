"""Timing side by side: a round plays every candidate once, in turn; medians are compared.

Rule: processor time is counted, so that a busy machine treats all alike, and the garbage
collector is in the same state for all: on, with nothing to do for what was there before.
What a candidate needs is made before its clock starts, and made anew each time.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from time import process_time_ns
from typing import TypeAlias

from attrs import frozen

Play: TypeAlias = Callable[[], object]


@frozen
class Candidate:
    """Something to be timed: each call of `per_event_us` plays it once."""

    name: str
    per_event_us: Callable[[], float]


def medians(candidates: Sequence[Candidate], rounds: int) -> dict[str, float]:
    """What an event takes each candidate, in microseconds."""
    times: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    with settled():
        for _ in range(rounds):
            for candidate in candidates:
                times[candidate.name].append(candidate.per_event_us())
    return {name: statistics.median(found) for name, found in times.items()}


@contextmanager
def settled() -> Generator[None]:
    """Keep the collector away from all that is there: it is not what is measured."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def played(name: str, events: int, prepare: Callable[[], Iterable[Play]]) -> Candidate:
    """A candidate that plays what it prepares, of so many events in all."""

    def per_event_us() -> float:
        plays = list(prepare())
        gc.collect()
        begin = process_time_ns()
        for play in plays:
            play()
        return (process_time_ns() - begin) / events / 1_000

    return Candidate(name, per_event_us)


def times_to_reach(events: int, each: int) -> int:
    """How often something of `each` events is played to see at least so many."""
    return max(1, -(-events // each))
