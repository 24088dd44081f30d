"""Waiting: for a state of which something holds, and for work that shall end.

Rule: who waits looks at each state as it comes; what its look raises is its own. Work is waited
for as long as was said and no longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from conductor_core.state import FlowState

CLOSE_GRACE_S: Final = 10.0
"""So long work may take to end when its host closes."""
LEFT_BEHIND_S: Final = 0.1
"""So long is waited for what was cancelled at last."""


async def ended_within(
    tasks: Collection[asyncio.Task[None]], grace_s: float
) -> set[asyncio.Task[None]]:
    """Wait for tasks; returns those that have not ended in time."""
    if not tasks:
        return set()
    _, late = await asyncio.wait(tasks, timeout=grace_s)
    return late


async def left_behind(late: Collection[asyncio.Task[None]]) -> None:
    """Cancel what did not end in time, and wait for it no longer than a moment."""
    for task in late:
        task.cancel()
    await ended_within(late, LEFT_BEHIND_S)


class Waiter:
    """Somebody who waits for a state of which something holds; looks at each as it comes."""

    def __init__(self, holds: Callable[[FlowState], bool]) -> None:
        self._holds = holds
        self.seen: asyncio.Future[FlowState] = asyncio.get_running_loop().create_future()

    def look(self, state: FlowState) -> None:
        """Look at a state; whoever waits is told what was seen, or what went wrong."""
        if self.seen.done():
            return
        try:
            if self._holds(state):
                self.seen.set_result(state)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
            self.seen.set_exception(error)

    def give_up(self, error: Exception) -> None:
        """Tell that no state will come any more."""
        if not self.seen.done():
            self.seen.set_exception(error)
