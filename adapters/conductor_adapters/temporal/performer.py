"""Carries the commands of one flow out by the commands of its workflow.

Rule: nothing here decides anything. An attempt is an activity, a timer a timer; what Temporal
tells of them becomes the event that it is.

*Times come along with what happened.* A worker says when work ended, a timer when it was due:
workflow time is not the same when a task that led to nothing is replayed (`runner`). Where nobody
says when, a trace is left in the history, so that its task is there in every replay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import CancelledError

from conductor_adapters.host import Unstamped
from conductor_adapters.temporal import failures, names
from conductor_adapters.temporal.gate import Gate
from conductor_adapters.temporal.options import Options, OptionsOf, Settings
from conductor_adapters.temporal.packing import LARGEST, wire_size
from conductor_adapters.temporal.runner import Turn
from conductor_adapters.work import Finished, cancelled
from conductor_core import events
from conductor_core.codec import decode_event, encode_command
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
from conductor_core.errors import ConductorError
from conductor_core.events import Event, GenerationFailed, GroupsGenerated, StepError
from conductor_core.state import FlowState

RETRY_FIRST_S: Final = 0.2
RETRY_LAST_S: Final = 30
SHORTEST: Final = timedelta(milliseconds=1)


class TemporalPerformer:
    """Carries commands out, and reports what comes of them.

    `report` takes events that say when they happened; `happened` those of the host itself,
    which happen with what led to them. `now` says of one of which nobody else does when it
    happened.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        turn: Turn,
        state: Callable[[], FlowState],
        report: Callable[[Event], None],
        happened: Callable[[Unstamped[Event]], None],
        now: Callable[[Unstamped[Event]], Event],
        traced: Callable[[], None],
        leaves: Callable[[ContinueAsNew], bool],
    ) -> None:
        self._settings = settings
        self._options = OptionsOf(settings)
        self._turn = turn
        self._state = state
        self._report = report
        self._happened = happened
        self._now = now
        self._traced = traced
        self._leaves = leaves
        self._gate = Gate(settings.max_in_flight, later=self._look_later)
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._asked: set[str] = set()
        self._timers: dict[str, tuple[int, asyncio.Task[None]]] = {}
        self._generations: dict[int, asyncio.Task[Any]] = {}
        self._others: set[asyncio.Task[Any]] = set()

    # --- work ---

    def dispatch_step(self, command: DispatchStep) -> None:
        """Begin the work of an attempt, unless it is under way."""
        if command.attempt in self._running or self._gate.has(command.attempt):
            return
        given = (command.input, command.outputs, command.subjects, self._state().spec.metadata)
        size = sum(wire_size(payload.text) for payload in given)
        if size > LARGEST:
            self._happened(_too_large(command.attempt, size))
        else:
            begin = partial(self._begin, command)
            self._gate.let_in(command.attempt, size, begin, turn=self._turn.number)

    def _begin(self, command: DispatchStep) -> None:
        state = self._state()
        position = state.position_of(command.attempt)
        assert position is not None, f"{command.attempt!r} has no position"
        options = self._options.step(position, command.work, state)
        runs_once = state.catalog.steps[position].on_recovery == "fail"
        task = self._activity(
            command.work, command.attempt, _order(command, state), options, runs_once=runs_once
        )
        self._running[command.attempt] = task
        task.add_done_callback(partial(self._ended, command.attempt, runs_once))

    def _activity(
        self, work: str, name: str, order: dict[str, Any], options: Options, *, runs_once: bool
    ) -> asyncio.Task[Any]:
        self._traced()
        if options.local and not runs_once:
            return workflow.start_local_activity(
                work,
                order,
                activity_id=name,
                start_to_close_timeout=_time(options.start_to_close_timeout_ms),
                retry_policy=RetryPolicy(maximum_attempts=1),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
        return workflow.start_activity(
            work,
            order,
            activity_id=name,
            task_queue=options.queue,
            heartbeat_timeout=_time(options.heartbeat_timeout_ms),
            start_to_close_timeout=_time(options.start_to_close_timeout_ms),
            schedule_to_start_timeout=_time(options.schedule_to_start_timeout_ms),
            retry_policy=_deliveries(options, runs_once=runs_once),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            priority=Priority(priority_key=options.priority),
        )

    def _ended(self, attempt: str, runs_once: bool, task: asyncio.Task[Any]) -> None:
        if self._turn.evicted:
            return
        if self._running.get(attempt) is task:
            del self._running[attempt]
            self._tell_end(attempt, task, runs_once=runs_once)
        self._gate.left(attempt, turn=self._turn.number)

    def _tell_end(self, attempt: str, task: asyncio.Task[Any], *, runs_once: bool) -> None:
        asked = attempt in self._asked
        self._asked.discard(attempt)
        fact = _fact(task)
        if fact is not None and failures.is_step_finished(fact, attempt):
            self._report(fact)
        else:
            error = _error_of(task)
            told = failures.told_of(attempt, error, asked=asked, runs_once=runs_once)
            self._report(self._now(told))

    def _look_later(self) -> None:
        """Have another task of the workflow, in which there is room again."""

        async def later() -> None:
            await workflow.sleep(SHORTEST)
            self._gate.look(self._turn.number)

        self._traced()
        self._keep(asyncio.create_task(later()))

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    def cancel_futures(self, command: CancelFutures) -> None:
        """Tell work to give up; what has not begun has done so."""
        for attempt in command.attempts:
            task = self._running.get(attempt)
            if task is None:
                self._gate.withdraw(attempt)
                self._happened(cancelled(attempt))
            else:
                self._asked.add(attempt)
                self._traced()
                task.cancel()

    # --- timers ---

    def schedule_timer(self, command: ScheduleTimer) -> None:
        """Set a timer, in place of one with the same id."""
        known = self._timers.get(command.timer)
        if known is not None and known[0] == command.due_at_ms:
            return
        self._forget(command.timer)
        self._traced()
        task = asyncio.create_task(self._ring(command))
        self._timers[command.timer] = (command.due_at_ms, task)

    async def _ring(self, command: ScheduleTimer) -> None:
        delay = max(SHORTEST, timedelta(milliseconds=command.delay_ms))
        await workflow.sleep(delay, summary=command.timer)
        del self._timers[command.timer]
        # It fires at its time: how late its task came is not the same in every replay.
        self._report(events.TimerFired(at_ms=command.due_at_ms, timer=command.timer))

    def cancel_timer(self, command: CancelTimer) -> None:
        """Forget a timer."""
        self._forget(command.timer)

    def _forget(self, timer: str) -> None:
        known = self._timers.pop(timer, None)
        if known is not None:
            self._traced()
            known[1].cancel()

    # --- groups ---

    def generate_steps(self, command: GenerateSteps) -> None:
        """Begin to make the groups of the flow, unless that is under way."""
        if command.run in self._generations:
            return
        work = names.generator_of(command.flow_type)
        options = self._options.flow(work, self._state())
        order = {"command": encode_command(command)}
        name = f"{names.GENERATE}{command.run}"
        task = self._activity(work, name, order, options, runs_once=False)
        self._generations[command.run] = task
        task.add_done_callback(partial(self._generated, command.run))

    def _generated(self, run: int, task: asyncio.Task[Any]) -> None:
        if self._turn.evicted or self._generations.get(run) is not task:
            return
        del self._generations[run]
        fact = _fact(task)
        if not isinstance(fact, (GroupsGenerated, GenerationFailed)):
            told = failures.told_of("", _error_of(task), asked=False, runs_once=False)
            error = told.error or StepError(message="the generator was cancelled", type="cancelled")
            fact = self._now(partial(GenerationFailed, error=error))
        self._made(fact)

    def _made(self, event: Event) -> None:
        """Report what the generator made."""
        self._report(event)

    # --- people ---

    def request_approval(self, command: RequestApproval) -> None:
        """Tell who wants to know; the answer is a request like any other."""
        if self._settings.asks:
            order = {"flow_id": self._state().flow_id, "command": encode_command(command)}
            options = self._options.flow(names.ASK, self._state())
            name = f"ask:{command.attempt}"
            task = self._activity(names.ASK, name, order, options, runs_once=False)
            # That nobody could be told is in the history; the flow waits all the same.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._keep(task)

    # --- the flow ---

    def continue_as_new(self, command: ContinueAsNew) -> None:
        """Leave for a fresh history; the run that arrives there answers."""
        if not self._leaves(command):
            self._happened(partial(events.ContinuedAsNew, incarnation=command.incarnation))

    def finish_flow(self, command: FinishFlow) -> None:
        """Give up on what still runs: the flow waits for it no longer.

        Of what had not left the worker yet Temporal says at once that it is cancelled, after the
        end of the run; whatever was written upon that, no replay would find in its place.
        """
        self._gate.close()
        for timer in tuple(self._timers):
            self._forget(timer)
        given_up = (*self._running.values(), *self._generations.values())
        self._running.clear()
        self._generations.clear()
        for task in given_up:
            self._traced()
            task.cancel()


def _order(command: DispatchStep, state: FlowState) -> dict[str, Any]:
    """What a worker is given."""
    order: dict[str, Any] = {"command": encode_command(command)}
    metadata = state.spec.metadata
    return order if metadata.text == "{}" else order | {"metadata": metadata.value}


def _time(ms: int | None) -> timedelta | None:
    return None if ms is None else timedelta(milliseconds=ms)


def _deliveries(options: Options, *, runs_once: bool) -> RetryPolicy:
    """How often work is delivered whose worker died; failures of the work are the reducer's."""
    return RetryPolicy(
        initial_interval=timedelta(seconds=RETRY_FIRST_S),
        maximum_interval=timedelta(seconds=RETRY_LAST_S),
        maximum_attempts=1 if runs_once else options.max_deliveries or 1,
        # It may run on, whoever does the work again; that is no worker that died.
        non_retryable_error_types=["TemporalTimeout:StartToClose"],
    )


def _fact(task: asyncio.Task[Any]) -> Event | None:
    """The fact that a worker told, if one did."""
    if task.cancelled():
        return None
    error = task.exception()
    if error is not None:
        return failures.said_by_worker(error)
    try:
        return decode_event(task.result())
    except ConductorError:
        return None


def _error_of(task: asyncio.Task[Any]) -> BaseException:
    """Why a worker told no fact."""
    error = CancelledError() if task.cancelled() else task.exception()
    return ConductorError("the worker told no fact") if error is None else error


def _too_large(attempt: str, size: int) -> Finished:
    message = (
        f"what the work is given has {size:,} bytes, of at most {LARGEST:,}; "
        "keep large values elsewhere and refer to them"
    )
    error = StepError(message=message, type="too-large", non_retryable=True)
    return Finished(attempt=attempt, outcome="failed", error=error)
