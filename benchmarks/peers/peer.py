"""What a peer is: a library that does the work of `workloads.sequential` in its own way.

Rule: every peer gets the smallest program that someone who knows it well would write for
this: a flow that counts its finished steps, waits for an approval at every tenth, and is done
after the last. What may be made beforehand is made beforehand; the clock sees the events.
A program that did not get to its end raises.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from attrs import frozen

from benchmarks.children import figures
from benchmarks.rounds import Candidate, Play, played, times_to_reach
from benchmarks.workloads import APPROVAL_EVERY

Call: TypeAlias = Callable[[], object]


@frozen(kw_only=True)
class Peer:
    """A library, and what it does of the work; `prepare` makes one flow of so many steps.

    One that is `apart` starts threads and waits for a disk: it runs in a process of its own
    (`benchmarks.peers.apart`) and is timed by the wall.
    """

    name: str
    does: str
    prepare: Callable[[int], Play]
    apart: bool = False

    def candidate(self, key: str, steps: int, least: int) -> Candidate:
        """Flows of so many steps, as many as it takes to see so many events."""
        if self.apart:
            child = partial(figures, "benchmarks.peers.apart", self.prepare.__module__, steps)
            return Candidate(key, lambda: float(child()["per_event_us"]))
        each = events_of(steps)
        times = times_to_reach(least, each)
        return played(key, times * each, lambda: [self.prepare(steps) for _ in range(times)])


def events_of(steps: int) -> int:
    """How many events a flow has: every step finishes, every tenth is approved."""
    return steps + steps // APPROVAL_EVERY


def calls(steps: int, finish: Call, approve: Call) -> tuple[Call, ...]:
    """What happens to a flow from its start to its end, in order."""
    ten = (*[finish] * APPROVAL_EVERY, approve)
    return ten * (steps // APPROVAL_EVERY) + (finish,) * (steps % APPROVAL_EVERY)


class Steps:
    """The part of a flow that no library brings: how many steps there are, and are done."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.done = 0

    def needs_approval(self) -> bool:
        """Whether the step that finishes now is one that must be approved."""
        return (self.done + 1) % APPROVAL_EVERY == 0

    def is_last(self) -> bool:
        """Whether no step is left after the one that finishes now."""
        return self.done + 1 == self.steps

    def count(self) -> None:
        """One more step is done."""
        self.done += 1

    def check(self, *, ended: bool) -> None:
        """Raise unless the flow has ended, and saw all its steps."""
        if not ended or self.done != self.steps:
            raise AssertionError(f"{self.done} of {self.steps} steps are done, ended: {ended}")
