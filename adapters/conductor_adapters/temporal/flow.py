"""A flow on Temporal, as who watches it has it.

Rule: what is asked here goes to the cluster and comes back from there; the state that is kept is
the last one that this client has heard of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from conductor_adapters.client import ClientFlow
from conductor_adapters.host import Unstamped
from conductor_core import events
from conductor_core.events import Event
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict

LONGEST_S: Final = 2.0
"""So seldom is looked at a flow in which nothing happens."""
SLOWER: Final = 1.5


class Door(Protocol):
    """The client of a flow."""

    poll_s: float

    async def tell(self, flow_id: str, what: Unstamped[Event]) -> Verdict:
        """Feed an event that happens now."""
        ...

    async def look(self, flow_id: str) -> FlowState:
        """Where a flow is."""
        ...

    async def mark(self, flow_id: str) -> tuple[tuple[str, int], ...]:
        """Something that changes whenever the flow does; raises where it cannot any more."""
        ...

    async def log(self, flow_id: str, *, after: int) -> Sequence[str]:
        """The lines of a flow's log behind an entry."""
        ...


class TemporalFlow(ClientFlow):
    """A flow on a cluster."""

    def __init__(self, door: Door, state: FlowState) -> None:
        self.flow_id = state.flow_id
        self._door = door
        self._state = state

    @property
    def state(self) -> FlowState:
        """Where the flow was when this was last told."""
        return self._state

    async def refresh(self) -> FlowState:
        """Where the flow is now."""
        state = await self._door.look(self.flow_id)
        # Whoever waits for a change compares states by what they are.
        if state != self._state:
            self._state = state
        return self._state

    async def until(self, holds: Callable[[FlowState], bool]) -> FlowState:
        """Wait for a state of which something holds; raises where it was ended by force."""
        seen, wait_s = None, self._door.poll_s
        while True:
            mark = await self._door.mark(self.flow_id)
            if mark != seen:
                seen, wait_s = mark, self._door.poll_s
                if holds(await self.refresh()):
                    return self._state
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * SLOWER, max(LONGEST_S, self._door.poll_s))

    async def send(self, request: Unstamped[events.Request]) -> Verdict:
        """Deliver a request and return its verdict."""
        return await self.tell(request)

    async def tell(self, what: Unstamped[Event]) -> Verdict:
        """Feed an event that happens now."""
        return await self._door.tell(self.flow_id, what)

    async def log(self, *, after: int = -1) -> Sequence[str]:
        """The lines of the flow's log so far, or those behind an entry, each with its newline."""
        return await self._door.log(self.flow_id, after=after)
