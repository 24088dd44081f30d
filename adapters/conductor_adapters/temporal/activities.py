"""The work of a flow as activities of a worker.

Rule: how work ended is said by the worker that did it, with its time; that it failed is a failed
activity to Temporal, and never one that Temporal tries again. Only what is no fact about the
work, a host that fails or ends, is left to Temporal's deliveries.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from attrs import evolve
from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from conductor_adapters.calls import Calls, is_coroutine_function
from conductor_adapters.clock import Clock
from conductor_adapters.local import Asker
from conductor_adapters.temporal import failures, names
from conductor_adapters.temporal.packing import LARGEST, LARGEST_LOCAL, SHOWN, wire_size
from conductor_adapters.work import (
    Finished,
    HostFailure,
    StepContext,
    StepFailure,
    is_cancellation_error,
    raised,
    returned,
    step_error,
    unusable,
)
from conductor_adapters.workers import Handler, Workers, checked_groups
from conductor_core.codec import decode_command, encode_event, texts_of
from conductor_core.commands import DispatchStep, GenerateSteps, RequestApproval
from conductor_core.errors import ConductorError
from conductor_core.events import Event, GenerationFailed, GroupsGenerated, StepError
from conductor_core.json_text import dumps
from conductor_core.loglines import REFUSALS
from conductor_core.payload import EMPTY, freeze

HEARS_S: Final = 0.2
"""So long a redelivered work waits for word that it is wanted no more."""

_logger = logging.getLogger("conductor_adapters.temporal")


def size_of(event: Event) -> int:
    """The bytes of an event on the wire; raises FormatError for what no log can express."""
    try:
        text, _ = texts_of(event)
    except REFUSALS:
        text = dumps(encode_event(event))
    return wire_size(text)


class Activity(Protocol):
    """What Temporal calls."""

    async def __call__(self, order: Any) -> Any:
        """Carry an order out."""
        ...


class Activities:
    """What a worker does, as the functions that Temporal calls."""

    def __init__(
        self, workers: Workers, *, clock: Clock, threads: int, beat_s: float, ask: Asker
    ) -> None:
        self._workers = workers
        self._clock = clock
        self._threads = threads
        self._calls: Calls | None = None
        self._beat_s = beat_s
        self._ask = ask

    def all(self) -> Sequence[Callable[..., Any]]:
        """All of them, with one that answers for what nobody here does."""
        steps = dict.fromkeys(self._workers.handlers, self._step)
        made = {names.generator_of(kind): self._generate for kind in self._workers.generators}
        named: Mapping[str, Activity] = {**steps, **made, names.ASK: self._tell_people}
        return [*(_named(name, call) for name, call in named.items()), _others(self)]

    def _calls_here(self) -> Calls:
        # A semaphore belongs to the loop in which it is first waited for.
        if self._calls is None:
            self._calls = Calls(self._threads)
        return self._calls

    # --- steps ---

    async def _step(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Do the work of an attempt."""
        command = decode_command(order["command"])
        assert isinstance(command, DispatchStep), "only attempts are dispatched"
        context = StepContext(
            flow_id=command.idempotency_key.removesuffix(f"/{command.attempt}"),
            command=command,
            flow_metadata=freeze(order["metadata"]) if "metadata" in order else EMPTY,
        )
        handler = self._workers.handler(command.work)
        under_way = _UnderWay(self._calls_here(), handler, context)
        async with _Heart(self._beat_s):
            return self._said(command.attempt, await under_way.end())

    def _said(self, attempt: str, finished: Finished) -> dict[str, Any]:
        """Tell how work ended: as the result of its activity, or as its failure."""
        told, size = self._encoded(finished)
        most = LARGEST_LOCAL if activity.info().is_local else LARGEST
        if size > most:
            error = ConductorError(
                f"{size:,} bytes are more than the {most:,} that may be; "
                "keep large values elsewhere and refer to them"
            )
            finished = unusable(attempt, error)
            told, _ = self._encoded(finished)
        if finished.outcome == "succeeded":
            return told
        error_told = finished.error or StepError(message="cancelled", type=finished.outcome)
        raise _failure(error_told, told)

    def _encoded(self, finished: Finished) -> tuple[dict[str, Any], int]:
        event = finished(at_ms=self._clock.now_ms())
        return encode_event(event), size_of(event)

    # --- groups ---

    async def _generate(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Make the groups of a flow."""
        command = decode_command(order["command"])
        assert isinstance(command, GenerateSteps), "only groups are generated"
        generator = self._workers.generator(command.flow_type)
        try:
            async with _Heart(self._beat_s):
                groups = checked_groups(await self._calls_here().call(generator, command))
            event: Event = GroupsGenerated(at_ms=self._clock.now_ms(), groups=groups)
            told, size = encode_event(event), size_of(event)
            if size > LARGEST:
                raise StepFailure(
                    f"the groups have {size:,} bytes, of at most {LARGEST:,}", type="too-large"
                )
        except HostFailure as error:
            raise ApplicationError(str(error), type=failures.HOST_FAILURE) from error
        except Exception as error:
            if not isinstance(error, StepFailure):
                _logger.warning("the generator of %s raised", command.flow_id, exc_info=error)
            failed = GenerationFailed(at_ms=self._clock.now_ms(), error=step_error(error))
            if (size := size_of(failed)) > LARGEST:
                message = f"an error of {size:,} bytes: {failed.error.message[:SHOWN]}"
                failed = evolve(failed, error=StepError(message=message, type="too-large"))
            raise _failure(failed.error, encode_event(failed)) from None
        return told

    # --- people ---

    async def _tell_people(self, order: Mapping[str, Any]) -> None:
        """Tell who wants to know what people are asked."""
        command = decode_command(order["command"])
        assert isinstance(command, RequestApproval), "only approvals are asked for"
        self._ask(order["flow_id"], command)

    async def other(self, kind: str, order: Mapping[str, Any]) -> dict[str, Any]:
        """Answer for work that nobody here does: it fails, and says what there is."""
        if kind.startswith(names.GENERATE):
            return await self._generate(order)
        return await self._step(order)


def _failure(error: StepError, told: dict[str, Any]) -> ApplicationError:
    """What Temporal is told of work that did not succeed; the fact comes along.

    It is benign to Temporal: what it means for the flow, and who hears of it, is said elsewhere.
    """
    benign = ApplicationErrorCategory.BENIGN
    return ApplicationError(
        error.message[:SHOWN], told, type=error.type, non_retryable=True, category=benign
    )


def _named(name: str, call: Activity) -> Callable[..., Any]:
    async def run(order: Any) -> Any:
        return await call(order)

    return activity.defn(name=name)(run)


def _others(activities: Activities) -> Callable[..., Any]:
    @activity.defn(dynamic=True)
    async def run(arguments: Sequence[RawValue]) -> Any:
        (order,) = arguments
        told = activity.payload_converter().from_payload(order.payload, dict)
        return await activities.other(activity.info().activity_type, told)

    return run


class _Heart:
    """Lets Temporal know that the worker lives, which is how it hears of cancels too.

    What ends before the first beat costs none.
    """

    def __init__(self, beat_s: float) -> None:
        self._beat_s = beat_s
        self._next: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        info = activity.info()
        if info.heartbeat_timeout is not None:
            self._beat_s = min(self._beat_s, info.heartbeat_timeout.total_seconds() / 3)
        if not info.is_local:
            self._wait()

    def _wait(self) -> None:
        self._next = asyncio.get_running_loop().call_later(self._beat_s, self._beat)

    def _beat(self) -> None:
        activity.heartbeat()
        self._wait()

    async def __aexit__(self, *_error: object) -> None:
        if self._next is not None:
            self._next.cancel()


class _UnderWay:
    """The work of an attempt that this worker does."""

    def __init__(self, calls: Calls, handler: Handler, context: StepContext) -> None:
        self._calls = calls
        self._handler = handler
        self._context = context
        self._is_coroutine = is_coroutine_function(handler)
        self._turn = calls.turn()
        self._awaits = self._is_coroutine

    async def end(self) -> Finished:
        """Do the work to its end; raises what is no fact about it."""
        if activity.info().attempt > 1 and await _is_unwanted():
            return raised(self._context.attempt, asyncio.CancelledError())
        work = asyncio.create_task(self._work())
        while not work.done():
            try:
                await asyncio.wait({work})
            except asyncio.CancelledError:
                if _is_left():
                    if not _worker_ends():
                        # The worker lives on, and so does a thread, which can only be asked.
                        self._context.cancellation.ask()
                    work.cancel()
                    raise
                self._give_up(work)
        return self._finished(work)

    async def _work(self) -> object:
        if self._is_coroutine:
            value = self._handler(self._context)
        else:
            value = await self._calls.in_thread(
                self._handler, self._context, self._turn, lambda: None
            )
            self._awaits = True
            if self._context.cancelled and inspect.isawaitable(value):
                raise asyncio.CancelledError
        return await value if inspect.isawaitable(value) else value

    def _give_up(self, work: asyncio.Task[object]) -> None:
        """Ask the work to give up; a thread can only be asked."""
        if self._context.cancelled:
            return
        self._context.cancellation.ask()
        if self._awaits or not self._turn.begun:
            work.cancel()
        else:
            self._turn.give_back()

    def _finished(self, work: asyncio.Task[object]) -> Finished:
        attempt = self._context.attempt
        try:
            return returned(attempt, work.result())
        except HostFailure as error:
            raise ApplicationError(str(error), type=failures.HOST_FAILURE) from error
        except (Exception, asyncio.CancelledError) as error:
            if not isinstance(error, StepFailure) and not is_cancellation_error(error):
                _logger.warning("the work of %s raised", attempt, exc_info=error)
            return raised(attempt, error)


async def _is_unwanted() -> bool:
    """Whether work that comes again is to give up, of which only a heartbeat tells."""
    activity.heartbeat()
    try:
        await asyncio.sleep(HEARS_S)
    except asyncio.CancelledError:
        if _is_left():
            raise
        return True
    return activity.is_cancelled()


def _is_left() -> bool:
    """Whether the worker is to leave the work, because it ends, say; the flow asked for nothing."""
    details = activity.cancellation_details()
    return _worker_ends() or (details is not None and (details.paused or details.reset))


def _worker_ends() -> bool:
    details = activity.cancellation_details()
    return details is not None and details.worker_shutdown
