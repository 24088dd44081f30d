"""Carries the commands of a flow out in this process: tasks, threads and timers.

Rule: work that ends is reported once, and only what really ended it: that a host closed, or
the loop under it, is no fact about the work.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias, cast

from conductor_adapters.calls import Calls, Turn, is_coroutine_function
from conductor_adapters.clock import Alarm, Clock
from conductor_adapters.host import Unstamped
from conductor_adapters.under_way import UnderWay
from conductor_adapters.work import (
    Finished,
    HostFailure,
    StepContext,
    StepFailure,
    cancelled,
    is_cancellation_error,
    raised,
    returned,
    step_error,
    unusable,
)
from conductor_adapters.workers import Handler, Workers, checked_groups
from conductor_core import events
from conductor_core.commands import (
    CancelFutures,
    CancelTimer,
    ContinueAsNew,
    DispatchStep,
    FinishFlow,
    GenerateSteps,
    RequestApproval,
    ScheduleTimer,
)
from conductor_core.errors import FormatError
from conductor_core.events import StepError
from conductor_core.state import FlowState

Asker: TypeAlias = Callable[[str, RequestApproval], None]
"""Is told the id of a flow, and what people are asked; must return at once."""

_logger = logging.getLogger(__name__)


def nobody(_flow_id: str, _command: RequestApproval) -> None:
    """Tell nobody: who watches the flow sees its open approvals."""


class LocalPerformer:
    """Carries the commands of one flow out, and reports what comes of them."""

    def __init__(
        self,
        state: FlowState,
        *,
        workers: Workers,
        calls: Calls,
        clock: Clock,
        report: Callable[[Unstamped[events.Event]], None],
        give_up: Callable[[Exception], None],
        ask: Asker = nobody,
    ) -> None:
        self._workers = workers
        self._calls = calls
        self._clock = clock
        self._ask = ask
        self._flow_id = state.flow_id
        self._metadata = state.spec.metadata
        self._report = report
        self._give_up = give_up
        self._running: dict[str, UnderWay] = {}
        self._alarms: dict[str, Alarm] = {}
        self._generations: dict[int, asyncio.Task[None]] = {}
        self._stopped = False
        self._coroutines: dict[str, bool] = {}
        self._surroundings = copy_context()

    # --- work ---

    def dispatch_step(self, command: DispatchStep) -> None:
        """Begin the work of an attempt, unless it is under way."""
        if command.attempt in self._running:
            return
        handler = self._workers.handler(command.work)
        context = StepContext(flow_id=self._flow_id, command=command, flow_metadata=self._metadata)
        turn = None if self._is_coroutine_function(command.work, handler) else self._calls.turn()
        task = self._begin(self._work(handler, context, turn))
        self._running[command.attempt] = UnderWay(task, context, turn)
        task.add_done_callback(partial(self._gone, command.attempt))

    def _begin(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin something that finds the context variables as they were when the flow began."""
        loop = asyncio.get_running_loop()
        return loop.create_task(coroutine, context=self._surroundings.copy())

    def _is_coroutine_function(self, work: str, handler: Handler) -> bool:
        if work not in self._coroutines:
            self._coroutines[work] = is_coroutine_function(handler)
        return self._coroutines[work]

    def cancel_futures(self, command: CancelFutures) -> None:
        """Tell work to give up; what went down with an earlier host has done so."""
        for attempt in command.attempts:
            running = self._running.get(attempt)
            if running is None:
                self._report(cancelled(attempt))
            else:
                running.cancel()

    async def _work(self, handler: Handler, context: StepContext, turn: Turn | None) -> None:
        try:
            if turn is not None:
                value = await self._calls.in_thread(
                    handler, context, turn, partial(self._began, context)
                )
                if inspect.isawaitable(value):
                    self._running[context.attempt].left_thread()
                    value = await value
            else:
                self._began(context)
                value = await cast("Awaitable[object]", handler(context))
            finished = returned(context.attempt, value)
        except HostFailure as error:
            self._left_undone(self._running.pop(context.attempt))
            self._give_up(error)
            return
        except BaseException as error:
            if not _is_of_work(error, in_thread=turn is not None):
                raise
            if not isinstance(error, StepFailure) and not is_cancellation_error(error):
                _logger.warning("the work of %s raised", context.attempt, exc_info=error)
            finished = raised(context.attempt, error)
        # Timers and what is dispatched next are none of this work's surroundings.
        self._surroundings.copy().run(self._ended, finished)

    def _began(self, context: StepContext) -> None:
        self._report(partial(events.StepStarted, attempt=context.attempt))

    def _gone(self, attempt: str, task: asyncio.Task[None]) -> None:
        """Tell of work whose task was cancelled, perhaps before it began."""
        if attempt in self._running:
            if task.cancelled():
                self._ended(cancelled(attempt))
            else:
                self._left_undone(self._running.pop(attempt))

    def _ended(self, finished: Finished) -> None:
        """Report how work ended."""
        running = self._running.pop(finished.attempt)
        # What ends because its host does may begin again; only what it achieved is a fact.
        if finished.outcome == "succeeded" or not (self._stopped or running.torn_down):
            try:
                self._report(finished)
            except FormatError as error:
                self._report(unusable(finished.attempt, error))
        else:
            self._left_undone(running)

    def _left_undone(self, _running: UnderWay) -> None:
        """Take note of work of which nothing is reported; whoever recovers the flow finds it."""

    # --- timers ---

    def schedule_timer(self, command: ScheduleTimer) -> None:
        """Set a timer, in place of one with the same id."""
        self._forget(command.timer)
        ring = partial(self._ring, command.timer)
        self._alarms[command.timer] = self._clock.call_at(command.due_at_ms, ring)

    def cancel_timer(self, command: CancelTimer) -> None:
        """Forget a timer."""
        self._forget(command.timer)

    def _forget(self, timer: str) -> None:
        alarm = self._alarms.pop(timer, None)
        if alarm is not None:
            alarm.cancel()

    def _ring(self, timer: str) -> None:
        del self._alarms[timer]
        self._report(partial(events.TimerFired, timer=timer))

    # --- groups ---

    def generate_steps(self, command: GenerateSteps) -> None:
        """Begin to make the groups of the flow, unless that is under way."""
        if command.run not in self._generations:
            task = self._begin(self._generate(command))
            self._generations[command.run] = task
            task.add_done_callback(partial(self._generated, command.run))

    async def _generate(self, command: GenerateSteps) -> None:
        generator = self._workers.generator(command.flow_type)
        try:
            made = await self._calls.call(generator, command)
            groups = checked_groups(made)
            self._report(partial(events.GroupsGenerated, groups=groups))
        except HostFailure as error:
            self._left_unmade()
            self._give_up(error)
        except BaseException as error:
            if not _is_of_work(error, in_thread=not is_coroutine_function(generator)):
                raise
            if not isinstance(error, StepFailure):
                _logger.warning("the generator of %s raised", self._flow_id, exc_info=error)
            self._report(partial(events.GenerationFailed, error=step_error(error)))

    def _left_unmade(self) -> None:
        """Take note of groups that were not made; whoever recovers the flow makes them."""

    def _generated(self, run: int, task: asyncio.Task[None]) -> None:
        """Tell of a generator that cancelled itself; nobody here asked it to."""
        del self._generations[run]
        if task.cancelled() and not task.cancelling():
            error = StepError(message="the generator was cancelled", type="CancelledError")
            self._report(partial(events.GenerationFailed, error=error))

    # --- the flow ---

    def request_approval(self, command: RequestApproval) -> None:
        """Tell who wants to know; the answer is a request like any other."""
        try:
            self._ask(self._flow_id, command)
        except Exception:
            _logger.exception("nobody could be told of the approval of %s", command.attempt)

    def continue_as_new(self, command: ContinueAsNew) -> None:
        """Go on at once: memory keeps no history that could grow long."""
        self._report(partial(events.ContinuedAsNew, incarnation=command.incarnation))

    def finish_flow(self, command: FinishFlow) -> None:
        """Give up on what still runs: the flow waits for it no longer."""
        self._abandon(UnderWay.cancel)

    def hold(self) -> None:
        """Begin nothing more, not even what waits for its turn."""
        for running in self._running.values():
            running.withdraw()

    def stop(self) -> None:
        """End everything; only what it still achieves happened to the flow."""
        self._stopped = True
        for timer in tuple(self._alarms):
            self._forget(timer)
        self._abandon(UnderWay.let_go)

    def under_way(self) -> tuple[asyncio.Task[None], ...]:
        """The tasks that have not ended yet."""
        work = (running.task for running in self._running.values())
        return (*work, *self._generations.values())

    def _abandon(self, end: Callable[[UnderWay], None]) -> None:
        for running in self._running.values():
            end(running)
        for task in self._generations.values():
            task.cancel()


def _is_of_work(error: BaseException, *, in_thread: bool) -> bool:
    """Whether an exception is the work's own, and not what ends the loop or the process."""
    if isinstance(error, asyncio.CancelledError):
        return False
    return in_thread or not isinstance(error, KeyboardInterrupt)
