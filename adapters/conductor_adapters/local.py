"""Carries the commands of a flow out in this process: tasks, threads and timers.

Rule: work that ends is reported once, and only what really ended it: that a host closed, or
the loop under it, is no fact about the work.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import TypeAlias, cast

from attrs import define

from conductor_adapters.calls import Calls, is_coroutine_function
from conductor_adapters.clock import Alarm, Clock
from conductor_adapters.host import Unstamped
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
from conductor_core.state import FlowState

Asked: TypeAlias = Callable[[str, RequestApproval], None]
"""Is told the id of a flow, and what people are asked; must return at once."""

_logger = logging.getLogger(__name__)


def nobody(_flow_id: str, _command: RequestApproval) -> None:
    """Tell nobody: who watches the flow sees its open approvals."""


@define
class _Running:
    """Work that is under way; what runs in a thread cannot be interrupted, only asked."""

    task: asyncio.Task[None]
    context: StepContext
    in_thread: bool

    def cancel(self) -> None:
        """Ask it to give up; what it does about that is its answer."""
        self.context.cancellation.ask()
        if not self.in_thread:
            self.task.cancel()

    def left_thread(self) -> None:
        """What runs on is a coroutine, which can be interrupted."""
        self.in_thread = False
        if self.context.cancelled:
            self.task.cancel()

    def abandon(self) -> None:
        """Ask it to give up and wait for it no longer."""
        self.context.cancellation.ask()
        self.task.cancel()


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
        ask: Asked = nobody,
    ) -> None:
        self._workers = workers
        self._calls = calls
        self._clock = clock
        self._ask = ask
        self._flow_id = state.flow_id
        self._metadata = state.spec.metadata
        self._report = report
        self._give_up = give_up
        self._running: dict[str, _Running] = {}
        self._alarms: dict[str, Alarm] = {}
        self._generations: dict[int, asyncio.Task[None]] = {}
        self._stopped = False
        self._surroundings = copy_context()

    # --- work ---

    def dispatch_step(self, command: DispatchStep) -> None:
        """Begin the work of an attempt, unless it is under way."""
        if command.attempt in self._running:
            return
        handler = self._workers.handler(command.work)
        context = StepContext(flow_id=self._flow_id, command=command, flow_metadata=self._metadata)
        in_thread = not is_coroutine_function(handler)
        # What earlier work left in its context variables is not for this one.
        task = asyncio.get_running_loop().create_task(
            self._work(handler, context, in_thread), context=self._surroundings.copy()
        )
        running = _Running(task, context, in_thread)
        self._running[command.attempt] = running
        task.add_done_callback(partial(self._gone, command.attempt))

    def cancel_futures(self, command: CancelFutures) -> None:
        """Tell work to give up; what went down with an earlier host has done so."""
        for attempt in command.attempts:
            running = self._running.get(attempt)
            if running is None:
                self._report(cancelled(attempt))
            else:
                running.cancel()

    async def _work(self, handler: Handler, context: StepContext, in_thread: bool) -> None:
        try:
            if in_thread:
                value = await self._calls.in_thread(handler, context, partial(self._began, context))
                if inspect.isawaitable(value):
                    self._running[context.attempt].left_thread()
                    value = await value
            else:
                self._began(context)
                value = await cast("Awaitable[object]", handler(context))
            finished = returned(context.attempt, value)
        except HostFailure as error:
            del self._running[context.attempt]
            self._give_up(error)
            return
        except (Exception, SystemExit) as error:
            if not isinstance(error, StepFailure) and not is_cancellation_error(error):
                _logger.warning("the work of %s raised", context.attempt, exc_info=error)
            finished = raised(context.attempt, error)
        self._ended(finished)

    def _began(self, context: StepContext) -> None:
        self._report(partial(events.StepStarted, attempt=context.attempt))

    def _gone(self, attempt: str, _task: asyncio.Task[None]) -> None:
        """Tell of work whose task was cancelled, perhaps before it began."""
        if attempt in self._running:
            self._ended(cancelled(attempt))

    def _ended(self, finished: Finished) -> None:
        """Report how work ended."""
        running = self._running.pop(finished.attempt)
        # What ends because its host does may begin again; only what it achieved is a fact.
        if finished.outcome == "succeeded" or not (self._stopped or self._torn_down(running)):
            try:
                self._report(finished)
            except FormatError as error:
                self._report(unusable(finished.attempt, error))

    def _torn_down(self, running: _Running) -> bool:
        """Whether the loop itself ended the work, as it does with all tasks when it closes."""
        return bool(running.task.cancelling()) and not running.context.cancelled

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
            task = asyncio.get_running_loop().create_task(self._generate(command))
            self._generations[command.run] = task

    async def _generate(self, command: GenerateSteps) -> None:
        generator = self._workers.generator(command.flow_type)
        try:
            made = await self._calls.call(generator, command)
            groups = checked_groups(made)
            self._report(partial(events.GroupsGenerated, groups=groups))
        except (Exception, SystemExit) as error:
            if not isinstance(error, StepFailure):
                _logger.warning("the generator of %s raised", self._flow_id, exc_info=error)
            self._report(partial(events.GenerationFailed, error=step_error(error)))

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
        self._abandon()

    def stop(self) -> None:
        """End everything; what comes of it happened to no flow."""
        self._stopped = True
        for timer in tuple(self._alarms):
            self._forget(timer)
        self._abandon()

    def under_way(self) -> tuple[asyncio.Task[object], ...]:
        """The tasks that have not ended yet."""
        work = (running.task for running in self._running.values())
        return (*work, *self._generations.values())

    def _abandon(self) -> None:
        for running in self._running.values():
            running.abandon()
        for task in self._generations.values():
            task.cancel()
