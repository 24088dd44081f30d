"""eventsourcing without its decorators: an aggregate that triggers classes of events itself.

This is the fastest way that the library has, and the events hold nothing of what ours do but
that a step ended or was approved: the least that is called event sourcing here.
"""

from __future__ import annotations

from typing import Final

from eventsourcing.domain import Aggregate

from benchmarks.peers.peer import Peer, calls
from benchmarks.rounds import Play
from benchmarks.workloads import APPROVAL_EVERY


class Flow(Aggregate):
    """The flow: its steps, how many are done, and what it waits for."""

    class Finished(Aggregate.Event):
        """The work of the step at hand succeeded."""

        def apply(self, aggregate: Flow) -> None:
            """Count the step, or wait for its approval."""
            if (aggregate.done + 1) % APPROVAL_EVERY == 0:
                aggregate.status = "awaiting"
            else:
                aggregate.count()

    class Approved(Aggregate.Event):
        """The step at hand was approved."""

        def apply(self, aggregate: Flow) -> None:
            """Count the step."""
            aggregate.count()

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.done = 0
        self.status = "running"

    def finish(self) -> None:
        """The work of the step at hand succeeded."""
        if self.status != "running":
            raise AssertionError(self.status)
        self.trigger_event(self.Finished)

    def approve(self) -> None:
        """The step at hand is approved."""
        if self.status != "awaiting":
            raise AssertionError(self.status)
        self.trigger_event(self.Approved)

    def count(self) -> None:
        """One more step is done, perhaps the last."""
        self.done += 1
        self.status = "done" if self.done == self.steps else "running"

    def check(self) -> None:
        """Raise unless the flow has ended."""
        if self.status != "done":
            raise AssertionError(f"{self.done} of {self.steps} steps are done: {self.status}")


def prepare(steps: int) -> Play:
    """An aggregate, and the calls that take it to its end."""
    flow = Flow(steps=steps)
    made = calls(steps, flow.finish, flow.approve)

    def play() -> None:
        for call in made:
            call()
        flow.check()

    return play


PEER: Final = Peer(
    name="eventsourcing, bare events",
    does="as above, by hand: the events say nothing but their kind",
    prepare=prepare,
)
