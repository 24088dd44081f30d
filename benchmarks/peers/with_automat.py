"""Automat: a bare automaton behind the methods of a protocol.

It has no guards, so that the method that the host calls looks at the steps and says which
input it is. The automaton only finds what the input means in its state: it keeps no attempts,
retries or log, and changes its core in place.
"""

from __future__ import annotations

from typing import Final, Protocol

from automat import TypeMachineBuilder

from benchmarks.peers.peer import Peer, Steps, calls
from benchmarks.rounds import Play


class Flow(Protocol):
    """What can happen to the flow."""

    def next(self) -> None:
        """A step is done, and another follows."""

    def ask(self) -> None:
        """A step is done when it is approved."""

    def end(self) -> None:
        """The last step is done."""

    def ended(self) -> bool:
        """Whether the flow has ended."""
        raise NotImplementedError


_builder: Final = TypeMachineBuilder(Flow, Steps)
_running = _builder.state("running")
_awaiting = _builder.state("awaiting")
_done = _builder.state("done")

_running.upon(Flow.ask).to(_awaiting).returns(None)
for _state in (_running, _awaiting):
    _state.upon(Flow.ended).loop().returns(False)
_done.upon(Flow.ended).loop().returns(True)


@_running.upon(Flow.next).loop()
@_awaiting.upon(Flow.next).to(_running)
@_running.upon(Flow.end).to(_done)
@_awaiting.upon(Flow.end).to(_done)
def _count(flow: Flow, steps: Steps) -> None:
    steps.count()


_new_flow: Final = _builder.build()


def prepare(steps: int) -> Play:
    """An automaton, and the calls that take it to its end."""
    core = Steps(steps)
    flow = _new_flow(core)

    def finish() -> None:
        if core.needs_approval():
            flow.ask()
        elif core.is_last():
            flow.end()
        else:
            flow.next()

    def approve() -> None:
        if core.is_last():
            flow.end()
        else:
            flow.next()

    made = calls(steps, finish, approve)

    def play() -> None:
        for call in made:
            call()
        core.check(ended=flow.ended())

    return play


PEER: Final = Peer(
    name="automat",
    does="bare automaton; no guards, which the caller decides; changes its core in place",
    prepare=prepare,
)
