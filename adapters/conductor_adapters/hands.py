"""The hands of a durable host in one process: they begin what its worker took, and answer.

Rule: the work itself is done as in memory (`local`); what is added is that an order may be
lost, and that a host may fail its work without the flow's stopping for good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conductor_adapters.local import LocalPerformer
from conductor_adapters.under_way import UnderWay
from conductor_core.commands import DispatchStep


class Hands(LocalPerformer):
    """Carries the orders of one flow out; `orders` are the attempts that were not answered for."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.orders: set[str] = set()

    def dispatch_step(self, command: DispatchStep) -> None:
        """Begin the work of an attempt, unless it is under way."""
        self.orders.add(command.attempt)
        super().dispatch_step(command)

    def let_go(self, attempt: str, ended: Callable[[], object]) -> None:
        """End work that another worker is to do; `ended` is called when nothing runs of it."""
        self.orders.discard(attempt)
        running = self._running.get(attempt)
        if running is None:
            ended()
        else:
            running.let_go()
            running.task.add_done_callback(lambda _task: ended())

    def end_generation(self) -> None:
        """End the making of groups that nobody waits for."""
        for task in self._generations.values():
            task.cancel()

    def left_undone(self) -> set[str]:
        """The orders that nothing here works on any more, which are answered for no more."""
        undone = self.orders - self._running.keys()
        self.orders -= undone
        return undone

    def running(self, attempt: str) -> UnderWay | None:
        """The work of an attempt, while it is under way."""
        return self._running.get(attempt)
