"""Carries out what the worker of a durable host took, for one flow, and answers.

Rule: the work itself is done as in memory (`local`); what is added is that an order may be
lost, that one which comes to nothing here goes back to others, and that a host may fail its
work without the flow's stopping for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from conductor_adapters.calls import is_coroutine_function
from conductor_adapters.local import LocalPerformer
from conductor_adapters.store.protocol import GENERATE
from conductor_adapters.under_way import UnderWay
from conductor_adapters.work import StepContext
from conductor_core.commands import DispatchStep, GenerateSteps
from conductor_core.state import FlowState


class OrderPerformer(LocalPerformer):
    """Carries the orders of one flow out.

    `undone` is told of an attempt that is left undone here, and whether its work had begun;
    `unmade` that the groups of the flow were not made.
    """

    def __init__(
        self,
        state: FlowState,
        *,
        undone: Callable[[str, bool], None],
        unmade: Callable[[], None],
        **keywords: Any,
    ) -> None:
        super().__init__(state, **keywords)
        self._undone = undone
        self._unmade = unmade
        self._orders: set[str] = set()
        self._begun: set[str] = set()
        self._deaf: set[str] = set()
        self._generates_in_thread = False
        self._deaf_generation = False

    def turn_to(self, state: FlowState) -> None:
        """Work for a flow as it is now, which may be another of the same id."""
        self._metadata = state.spec.metadata

    def dispatch_step(self, command: DispatchStep) -> None:
        """Begin the work of an attempt, unless it is under way."""
        self._orders.add(command.attempt)
        super().dispatch_step(command)

    def _began(self, context: StepContext) -> None:
        self._begun.add(context.attempt)
        super()._began(context)

    def generate_steps(self, command: GenerateSteps) -> None:
        """Begin to make the groups of the flow, unless that is under way."""
        self._generates_in_thread = not is_coroutine_function(
            self._workers.generator(command.flow_type)
        )
        super().generate_steps(command)

    def stop(self) -> None:
        """End everything; a thread that makes groups cannot be asked, and runs on."""
        self._deaf_generation = bool(self._generations) and self._generates_in_thread
        super().stop()

    def answered(self, attempt: str) -> bool:
        """Take note that an attempt is answered for; tells whether its work had begun."""
        self._orders.discard(attempt)
        begun = attempt in self._begun
        self._begun.discard(attempt)
        return begun

    def _left_undone(self, running: UnderWay) -> None:
        attempt = running.context.attempt
        ours, begun = attempt in self._orders, self.answered(attempt)
        if ours:
            self._undone(attempt, begun)

    def _left_unmade(self) -> None:
        self._unmade()

    def let_go(self, attempt: str) -> None:
        """End work that another worker is to do."""
        self._orders.discard(attempt)
        if (running := self._running.get(attempt)) is not None:
            running.let_go()

    def give_up(self, attempt: str) -> None:
        """Ask work to give up, if it is under way."""
        if (running := self._running.get(attempt)) is not None:
            running.cancel()

    def end_generation(self) -> None:
        """End the making of groups that nobody waits for."""
        for task in self._generations.values():
            task.cancel()

    def when_ended(self, kind: str, name: str, ended: Callable[[], object]) -> None:
        """Call something when nothing runs any more of an order."""
        task = self._task_of(kind, name)
        if task is None:
            ended()
        else:
            task.add_done_callback(lambda _task: ended())

    def _task_of(self, kind: str, name: str) -> asyncio.Task[None] | None:
        if kind == GENERATE:
            return self._generations.get(int(name))
        running = self._running.get(name)
        return None if running is None else running.task

    def leave(self) -> None:
        """Take note of threads that do not listen: their tasks end, and they run on."""
        self._deaf = {
            attempt
            for attempt, running in self._running.items()
            if running.turn is not None and running.turn.begun
        }
        self._orders -= self._deaf

    def still_runs(self) -> bool:
        """Whether anything is under way, be it that nobody waits for it any more."""
        return bool(self._running or self._deaf or self._deaf_generation)
