"""eventsourcing: an aggregate whose commands decide, make events, and apply them.

It is written as its documentation teaches it: commands look at the aggregate and call methods
that are decorated with `@event`; such a call makes an event (an immutable object with the id
of the aggregate, its version and the time), applies it and keeps it to be recorded. An event
holds what ours do: which step, how it ended, who approved.
It has no retries or rules of its own; what is recorded is applied again without being
decided again, so that a replay verifies nothing but the order.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from eventsourcing.domain import Aggregate, event

from benchmarks.peers.peer import Call, Peer, calls
from benchmarks.rounds import Play
from benchmarks.workloads import APPROVAL_EVERY


class Flow(Aggregate):
    """The flow: its steps, how many are done, and what it waits for."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.done = 0
        self.status = "running"

    def finish(self, attempt: str, outcome: str) -> None:
        """The work of the step at hand ended."""
        if self.status != "running":
            raise AssertionError(self.status)
        self._finished(attempt=attempt, outcome=outcome)

    def approve(self, step: str, by: str) -> None:
        """The step at hand is approved."""
        if self.status != "awaiting":
            raise AssertionError(self.status)
        self._approved(step=step, by=by)

    @event("Finished")
    def _finished(self, attempt: str, outcome: str) -> None:
        if (self.done + 1) % APPROVAL_EVERY == 0:
            self.status = "awaiting"
        else:
            self._count()

    @event("Approved")
    def _approved(self, step: str, by: str) -> None:
        self._count()

    def _count(self) -> None:
        self.done += 1
        self.status = "done" if self.done == self.steps else "running"

    def check(self) -> None:
        """Raise unless the flow has ended."""
        if self.status != "done":
            raise AssertionError(f"{self.done} of {self.steps} steps are done: {self.status}")


def calls_of(flow: Flow) -> tuple[Call, ...]:
    """The calls that take the flow to its end."""
    finish = partial(flow.finish, "s1#1", "succeeded")
    return calls(flow.steps, finish, partial(flow.approve, "s1", "ann"))


def prepare(steps: int) -> Play:
    """An aggregate, and the calls that take it to its end."""
    flow = Flow(steps=steps)
    made = calls_of(flow)

    def play() -> None:
        for call in made:
            call()
        flow.check()

    return play


PEER: Final = Peer(
    name="eventsourcing",
    does="aggregate; makes, keeps and applies its events; changes itself in place",
    prepare=prepare,
)
