"""transitions: a machine whose state is an attribute of a model, with conditions and callbacks.

It is configured for speed: no automatic transitions, no event objects, no queue, and a step
that needs nothing more is an internal transition, which leaves and enters no state.
It decides which transition is taken; it keeps no attempts, retries or log, it changes its
model in place, and what a host must do is left to callbacks.
"""

from __future__ import annotations

from typing import Any, Final

from transitions import Machine

from benchmarks.peers.peer import Peer, Steps, calls
from benchmarks.rounds import Play

STATES: Final = ("running", "awaiting", "done")
TRANSITIONS: Final[list[dict[str, Any]]] = [
    {
        "trigger": "finish",
        "source": "running",
        "dest": "awaiting",
        "conditions": "needs_approval",
    },
    {
        "trigger": "finish",
        "source": "running",
        "dest": "done",
        "conditions": "is_last",
        "after": "count",
    },
    {"trigger": "finish", "source": "running", "dest": None, "after": "count"},
    {
        "trigger": "approve",
        "source": "awaiting",
        "dest": "done",
        "conditions": "is_last",
        "after": "count",
    },
    {"trigger": "approve", "source": "awaiting", "dest": "running", "after": "count"},
]


def prepare(steps: int) -> Play:
    """A machine, and the calls that take it to its end."""
    model: Any = Steps(steps)
    Machine(
        model,
        states=list(STATES),
        transitions=TRANSITIONS,
        initial="running",
        auto_transitions=False,
    )
    made = calls(steps, model.finish, model.approve)

    def play() -> None:
        for call in made:
            call()
        model.check(ended=model.state == "done")

    return play


PEER: Final = Peer(
    name="transitions",
    does="state machine; conditions and callbacks; changes its model in place",
    prepare=prepare,
)
