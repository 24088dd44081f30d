"""A flow of a durable host, as who watches it has it.

Rule: what is asked here goes to the store and comes back from there; the state that is kept is
the last one that this host has heard of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from conductor_adapters.client import ClientFlow
from conductor_adapters.host import Unstamped
from conductor_adapters.observing import Observer
from conductor_adapters.waiting import Waiter
from conductor_core import events
from conductor_core.events import Event
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict

__all__ = ["DurableFlow"]


class Door(Protocol):
    """The host of a flow."""

    async def tell(self, flow_id: str, what: Unstamped[Event]) -> Verdict:
        """Feed an event that happens now."""
        ...

    async def look(self, flow_id: str) -> FlowState:
        """Where a flow is, which whoever watches it is told first."""
        ...

    async def log(self, flow_id: str, *, after: int) -> Sequence[str]:
        """The lines of a flow's log behind an entry."""
        ...


class DurableFlow(ClientFlow):
    """A flow in a store; use it on the loop's thread only."""

    def __init__(self, host: Door, state: FlowState) -> None:
        self.flow_id = state.flow_id
        self.observers: tuple[Observer, ...] = ()
        self._host = host
        self._state = state
        self._waiters: list[Waiter] = []

    @property
    def state(self) -> FlowState:
        """Where the flow was when this was last told."""
        return self._state

    async def refresh(self) -> FlowState:
        """Where the flow is now."""
        await self._host.look(self.flow_id)
        return self._state

    async def until(self, holds: Callable[[FlowState], bool]) -> FlowState:
        """Wait for a state of which something holds; raises where this host cannot go on."""
        if holds(self._state):
            return self._state
        waiter = Waiter(holds)
        self._waiters.append(waiter)
        try:
            await self.refresh()
            return await waiter.seen
        finally:
            self._waiters.remove(waiter)

    async def send(self, request: Unstamped[events.Request]) -> Verdict:
        """Deliver a request and return its verdict."""
        return await self.tell(request)

    async def tell(self, what: Unstamped[Event]) -> Verdict:
        """Feed an event that happens now."""
        return await self._host.tell(self.flow_id, what)

    async def log(self, *, after: int = -1) -> Sequence[str]:
        """The lines of the flow's log so far, or those behind an entry, each with its newline."""
        return await self._host.log(self.flow_id, after=after)

    def see(self, state: FlowState) -> None:
        """Take note of a state, and let whoever waits look at it."""
        if state is not self._state:
            self._state = state
            for waiter in self._waiters:
                waiter.look(state)

    def give_up(self, error: Exception) -> None:
        """Tell whoever waits that no state will come here."""
        for waiter in self._waiters:
            waiter.give_up(error)
