"""The work of one attempt in a thread of a Celery worker, and how it is asked to give up.

Rule: the thread belongs to the work. A coroutine is run to its end in it, and is interrupted
when it is asked to give up; a function is only asked.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Awaitable
from contextvars import copy_context
from typing import Final

from celery.exceptions import WorkerShutdown, WorkerTerminate

from conductor_adapters.store.office import Taken
from conductor_adapters.store.protocol import Key
from conductor_adapters.work import (
    Finished,
    HostFailure,
    StepContext,
    StepFailure,
    is_cancellation_error,
    raised,
    returned,
)
from conductor_adapters.workers import Handler
from conductor_core.commands import DispatchStep

ENDS_PROCESS: Final = (WorkerShutdown, WorkerTerminate, KeyboardInterrupt)
"""What is said to a process, whatever it is at."""
ENDS_HOST: Final = (HostFailure, *ENDS_PROCESS)
"""What is no fact about the work: its host failed it, or ends."""
BY_SIGNALS: Final = range(-255, -191)
"""With these codes processes of a pool exit where a signal ends them: the number less 256."""

_logger = logging.getLogger("conductor_adapters.celery")
_here = threading.local()


class WorkHere:
    """The work of an attempt that this process holds."""

    def __init__(self, taken: Taken, command: DispatchStep) -> None:
        self.key: Key = taken.order.key
        self.context = StepContext(
            flow_id=taken.order.flow_id, command=command, flow_metadata=taken.state.spec.metadata
        )
        self.ended = False
        self.asked_s: float | None = None
        """When it was asked to give up, on the clock `time.monotonic`."""
        self._task: asyncio.Task[object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asking = threading.Lock()

    def carry_out(self, handler: Handler) -> Finished:
        """Do the work, and tell how it ended; raises what is no fact about it.

        That is ENDS_HOST, and the SystemExit of a process that is ended from outside.
        """
        attempt = self.context.attempt
        # What one work sets in it is not for the next one, which may be of another tenant.
        apart = copy_context()
        try:
            value = apart.run(handler, self.context)
            if inspect.isawaitable(value):
                value = _runner().run(self._awaited(value), context=apart)
            return returned(attempt, value)
        except ENDS_HOST:
            raise
        except BaseException as error:
            if is_from_outside(error):
                raise
            if not isinstance(error, StepFailure) and not is_cancellation_error(error):
                _logger.warning("the work of %s raised", attempt, exc_info=error)
            return raised(attempt, error)

    async def _awaited(self, value: Awaitable[object]) -> object:
        with self._asking:
            self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        if self.context.cancelled:
            self._interrupt()
        try:
            return await value
        finally:
            with self._asking:
                self._task = None

    def ask_to_give_up(self) -> None:
        """Ask the work, once; from another thread."""
        if self.asked_s is None:
            self.asked_s = time.monotonic()
            self.context.cancellation.ask()
            self._interrupt()

    def _interrupt(self) -> None:
        with self._asking:
            if self._task is not None and self._loop is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)


def is_from_outside(error: BaseException) -> bool:
    """Whether a signal ends this process of a pool, after a hard time limit, say.

    Whoever dies so says nothing of what it is at: to others it is as any process that died.
    """
    return isinstance(error, SystemExit) and error.code in BY_SIGNALS


def _runner() -> asyncio.Runner:
    """The loop of this thread, which is kept for the work that follows."""
    runner: asyncio.Runner | None = getattr(_here, "runner", None)
    if runner is None:
        runner = _here.runner = asyncio.Runner()
    return runner


def made_of(value: object) -> object:
    """What a generator made, once it is there."""
    if not inspect.isawaitable(value):
        return value

    async def whole() -> object:
        return await value

    return _runner().run(whole(), context=copy_context())
