"""Calls functions of every kind from the loop: coroutine functions, and others in threads.

Rule: a function in a thread holds up nothing but its own answer. Its thread is a daemon, so
that one that never returns keeps no process alive.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TypeAlias, TypeVar

A = TypeVar("A")
Answer: TypeAlias = tuple[object, BaseException | None]
"""What a function returned, or else what it raised."""


def is_coroutine_function(function: Callable[..., object]) -> bool:
    """Whether a call only makes a coroutine, which may be done on the loop's thread."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        type(function).__call__
    )


class Turn:
    """The place of one thread among those that may run; given back once, at its end or before."""

    def __init__(self, room: asyncio.Semaphore) -> None:
        self._room = room
        self._held = False
        self.begun = False

    async def take(self) -> None:
        """Wait for the turn to come."""
        await self._room.acquire()
        self._held = self.begun = True

    def give_back(self) -> None:
        """Let another thread run."""
        if self._held:
            self._held = False
            self._room.release()


class Calls:
    """Runs at most so many threads at a time, but for those that were asked to give up."""

    def __init__(self, threads: int) -> None:
        self._room = asyncio.Semaphore(threads)

    def turn(self) -> Turn:
        """The turn of a call that is to be made in a thread."""
        return Turn(self._room)

    async def call(self, function: Callable[[A], object], argument: A) -> object:
        """Call a function of any kind, and wait for what it may return to be waited for."""
        if is_coroutine_function(function):
            value = function(argument)
        else:
            value = await self.in_thread(function, argument, self.turn(), lambda: None)
        return await value if inspect.isawaitable(value) else value

    async def in_thread(
        self,
        function: Callable[[A], object],
        argument: A,
        turn: Turn,
        began: Callable[[], object],
    ) -> object:
        """Call a function in a thread once its turn has come, which `began` is told."""
        await turn.take()
        try:
            began()
            return await _in_thread(partial(function, argument))
        finally:
            turn.give_back()


async def _in_thread(function: Callable[[], object]) -> object:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()
    run = partial(_run, function, loop, answer)
    threading.Thread(target=copy_context().run, args=(run,), daemon=True).start()
    value, error = await answer
    if error is not None:
        raise error
    return value


def _run(
    function: Callable[[], object],
    loop: asyncio.AbstractEventLoop,
    answer: asyncio.Future[Answer],
) -> None:
    """Call a function in this thread and hand what comes of it to the loop's."""
    value: object = None
    problem: BaseException | None = None
    try:
        value = function()
    except BaseException as error:  # noqa: BLE001 - raised again where the answer is awaited
        problem = error
    # A loop that has closed waits for nothing.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_settle, answer, (value, problem))


def _settle(answer: asyncio.Future[Answer], came: Answer) -> None:
    if not answer.done():
        answer.set_result(came)
