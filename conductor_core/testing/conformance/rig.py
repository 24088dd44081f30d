"""What a host must offer to be tested: a rig that drives it.

Rule: the kit awaits every method on one asyncio loop and assumes nothing else about the host:
not where its state lives, not in which thread it runs handlers, not what its time is. Where
a method raises, the trial ends with that error.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from conductor_core.events import Event
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict


class Rig(ABC):
    """Drives one flow on a host; made afresh for every trial, from the `Worker` of the kit.

    The rig registers that worker with its host: `worker.work` as the handler of each of
    `worker.works`, `worker.generate` as the generator of `worker.flow_types`.
    """

    redelivers: bool = False
    """Whether the host itself notices a worker that never answers, and delivers again within
    the patience of the kit; where it does not, the kit has it crash and recover."""

    @abstractmethod
    async def start(self, spec: FlowSpec, flow_id: str) -> None:
        """Start a flow; nothing has happened to it before."""

    @abstractmethod
    async def tell(self, event: Event) -> Verdict:
        """Deliver a fact or a request from outside, as one that happens now.

        The host stamps it with its own time. Once the verdict is there, the log and the
        state hold what came of it. It is the door for what workers, timers and queues
        deliver twice, and for people; several may stand in it at the same time.
        """

    @abstractmethod
    async def state(self) -> FlowState:
        """The state of the flow as the host has it: in memory, in a store, by a query."""

    @abstractmethod
    async def log(self) -> Sequence[bytes | str]:
        """The lines of the flow's log so far, each with its newline (`conductor_core.log`)."""

    @abstractmethod
    async def crash(self) -> None:
        """Have the host die: from here on it records nothing and carries nothing out.

        Handlers that still run may run on, and this does not wait for them: the kit lets
        them end once the host is gone, and what they return then must reach nobody.
        """

    @abstractmethod
    async def recover(self) -> None:
        """Have a new host take up what the dead one left."""

    async def advance(self, ms: int) -> None:  # noqa: B027 - real time passes by itself
        """Let time pass until a timer is due; in real time it does so by itself.

        Called again and again while the flow waits for a timer. A host in virtual time moves
        on by `ms`.
        """

    async def asked(self) -> Collection[str] | None:
        """The attempts whose approval the host that is alive has asked people for.

        None where nobody can see that; then it is not looked at.
        """
        return None

    async def finished(self) -> Collection[int] | None:
        """The runs whose end the host that is alive has carried out (`finish-flow`).

        None where nobody can see that; then it is not looked at.
        """
        return None

    async def close(self) -> None:  # noqa: B027 - memory gives itself back
        """Give everything back: the trial is over, whether or not the host is alive."""
