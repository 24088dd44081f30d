"""Work that is under way in this process, and how it is asked to give up.

Rule: a coroutine is interrupted, a thread can only be asked. Whatever was asked is no longer
counted among the threads that may run: one that does not listen holds nobody else up.
"""

from __future__ import annotations

import asyncio

from attrs import define

from conductor_adapters.calls import Turn
from conductor_adapters.work import StepContext


@define
class UnderWay:
    """The work of an attempt; `turn` is that of its thread, if it runs in one."""

    task: asyncio.Task[None]
    context: StepContext
    turn: Turn | None

    @property
    def torn_down(self) -> bool:
        """Whether something else than the flow ended it, as a loop does that closes."""
        return bool(self.task.cancelling()) and not self.context.cancelled

    def cancel(self) -> None:
        """Ask it to give up, once; what it does about that is its answer."""
        if self.context.cancelled:
            return
        self.context.cancellation.ask()
        if self.turn is None or not self.turn.begun:
            self.task.cancel()
        else:
            self.turn.give_back()

    def let_go(self) -> None:
        """End it because its host stops, which is nothing that its flow asked of it."""
        if self.turn is not None and self.turn.begun:
            self.cancel()
        elif not self.context.cancelled:
            self.task.cancel()
            # Threads that a coroutine leaves behind can still be asked.
            self.task.add_done_callback(lambda _task: self.context.cancellation.ask())

    def withdraw(self) -> None:
        """End it if it has not begun, as if it had never been dispatched."""
        if self.turn is not None and not self.turn.begun:
            self.task.cancel()

    def left_thread(self) -> None:
        """What runs on is a coroutine, which can be interrupted."""
        self.turn = None
        if self.context.cancelled:
            self.task.cancel()
