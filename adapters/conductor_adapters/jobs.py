"""The loop's side of a store: jobs go to the thread that keeps it, and what comes of them back.

Rule: whatever comes up in one turn of the loop goes over together, and what a transaction
brought about is acted on before anybody is told that it is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from conductor_adapters.store.desk import Desk, Job, Result
from conductor_adapters.store.leases import Leases
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import News
from conductor_core.errors import ConductorError

T = TypeVar("T")

_logger = logging.getLogger("conductor_adapters.store")
_NO_NEWS: Final = News()


class Jobs:
    """What is to be done in a store; used on the loop's thread.

    `act` is given the news of each transaction, `broken` the error after which nothing is done
    any more, and `watched` tells of which flows somebody here wants to know.
    """

    def __init__(
        self,
        open_ledger: Callable[[], Ledger],
        *,
        leases: Leases | None,
        act: Callable[[News], None],
        broken: Callable[[Exception], None],
        watched: Callable[[str], bool],
        poll_s: float,
    ) -> None:
        self.closed: Exception | None = None
        self._act = act
        self._broken = broken
        self._desk = Desk(
            open_ledger,
            leases=leases,
            deliver=self._deliver,
            broken=self._broke,
            watched=watched,
            is_wanted=lambda: not self._loop.is_closed(),
            poll_s=poll_s,
        )
        self._opening: asyncio.Future[None] | None = None
        self._waiting: list[Job] = []

    @property
    def was_opened(self) -> bool:
        """Whether the store was opened, or is about to be."""
        return self._opening is not None

    @property
    def is_open(self) -> bool:
        """Whether the store is being worked with."""
        return self._opening is not None and self.closed is None

    async def open(self) -> None:
        """Open the store, if it is not; raises StoreError."""
        if self._opening is None:
            self._loop = asyncio.get_running_loop()
            self._opening = self._loop.create_future()
            self._desk.start(partial(self._from_thread, self._opened))
        self.check_loop()
        await asyncio.shield(self._opening)

    def check_loop(self) -> None:
        """Raise ConductorError where this was opened in another loop, or before a fork."""
        if self._opening is not None and self._loop is not asyncio.get_running_loop():
            raise ConductorError("a host belongs to the loop, and the process, that opened it")

    def _opened(self, error: BaseException | None) -> None:
        assert self._opening is not None, "the desk was started"
        if error is None:
            self._opening.set_result(None)
        else:
            self.closed = ConductorError("the store could not be opened")
            self._opening.set_exception(error)

    async def call(
        self,
        act: Callable[[Ledger], T],
        *,
        reads: bool = False,
        arrived: Callable[[T], None] | None = None,
    ) -> T:
        """Have something done in a transaction, which perhaps only reads, and wait for it.

        `arrived` is given what comes of it right behind the news of its transaction, before
        those of the next one and before the one who waits goes on.
        """
        await self.open()
        if self.closed is not None:
            raise self.closed
        answer: asyncio.Future[T] = self._loop.create_future()
        self.submit(act, partial(_settle, answer, arrived), reads=reads)
        return await answer

    def submit(
        self,
        act: Callable[[Ledger], object],
        done: Callable[[Any, BaseException | None], None] | None = None,
        *,
        reads: bool = False,
    ) -> None:
        """Have something done in a transaction; what nobody waits for is logged if it fails."""
        job = Job(act, told if done is None else done, reads)
        if self.closed is not None:
            self._loop.call_soon(job.done, None, self.closed)
            return
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(job)

    def flush(self) -> None:
        """Hand over what has come up."""
        if self._waiting:
            jobs, self._waiting = self._waiting, []
            self._desk.submit(jobs)

    def later(
        self, delay_s: float, call: Callable[..., None], *arguments: Any
    ) -> asyncio.TimerHandle:
        """Call something in a while."""
        return self._loop.call_later(delay_s, call, *arguments)

    def nudge(self) -> None:
        """Have the store looked into now."""
        self._desk.nudge()

    def close(self, error: Exception) -> None:
        """Hand over what has come up, and take nothing more; the thread ends after it."""
        self.flush()
        self._desk.stop()
        self._close(error)

    def kill(self, error: Exception) -> None:
        """Take nothing more, and do nothing of what was handed over."""
        self._desk.kill()
        self._close(error)

    async def end(self) -> None:
        """Wait for the end of all that was handed over, once this was closed."""
        await asyncio.to_thread(self._desk.join)

    def _close(self, error: Exception) -> None:
        if self.closed is None:
            self.closed = error
            self._broken(error)

    # --- from the thread ---

    def _from_thread(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call something on the loop; one that was closed without this host waits for nothing."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    def _deliver(self, results: Sequence[Result], news: News) -> None:
        if results or news != _NO_NEWS:
            self._from_thread(self._delivered, results, news)

    def _delivered(self, results: Sequence[Result], news: News) -> None:
        self._act(news)
        for job, result, error in results:
            job.done(result, error)

    def _broke(self, error: BaseException) -> None:
        _logger.error("the host cannot go on", exc_info=error)
        reason = error if isinstance(error, Exception) else ConductorError(str(error))
        self._from_thread(self._refuse, reason)

    def _refuse(self, error: Exception) -> None:
        """Take nothing more, and tell who waits for what was handed over that it is not done."""
        self.close(error)
        for job in self._desk.left_undone():
            job.done(None, error)


def _settle(
    answer: asyncio.Future[Any],
    arrived: Callable[[Any], None] | None,
    result: Any,
    error: BaseException | None,
) -> None:
    """Answer whoever waits; who has left hears nothing."""
    if error is None and arrived is not None:
        arrived(result)
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


def told(_result: object, error: BaseException | None) -> None:
    """Leave word of what could not be written down and nobody waits for."""
    if error is not None:
        _logger.error("something could not be written down: %s", error, exc_info=error)
