"""Waiting for a state of which something holds.

Rule: who waits looks at each state as it comes; what its look raises is its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from conductor_core.state import FlowState


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
