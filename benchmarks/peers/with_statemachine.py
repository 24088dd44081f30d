"""python-statemachine 3: a machine, declared as a class, with guards and actions.

It runs in its synchronous engine, `StateMachine` is a little faster than `StateChart` is, and a
step that needs nothing more is an internal transition. It decides which transition is taken
and runs its actions to completion; it keeps no attempts, retries or log, and it changes its
model in place.
"""

from __future__ import annotations

from typing import Final

from statemachine import State, StateMachine

from benchmarks.peers.peer import Peer, Steps, calls
from benchmarks.rounds import Play


class Flow(StateMachine):
    """The flow; guards and actions are those of its model."""

    running = State(initial=True)
    awaiting = State()
    done = State(final=True)

    finish = (
        running.to(awaiting, cond="needs_approval")
        | running.to(done, cond="is_last", on="count")
        | running.to(running, on="count", internal=True)
    )
    approve = awaiting.to(done, cond="is_last", on="count") | awaiting.to(running, on="count")


def prepare(steps: int) -> Play:
    """A machine, and the calls that take it to its end."""
    model = Steps(steps)
    flow = Flow(model)
    made = calls(steps, flow.finish, flow.approve)

    def play() -> None:
        for call in made:
            call()
        model.check(ended=flow.done.is_active)

    return play


PEER: Final = Peer(
    name="python-statemachine",
    does="state machine; guards and actions; changes its model in place",
    prepare=prepare,
)
