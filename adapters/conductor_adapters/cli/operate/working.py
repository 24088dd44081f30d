"""A worker of `conductor worker`, from when it opens its store to its exit code.

Rule: who is told to stop takes nothing more and lets work end that ends in time; the rest is
given back, and no work outlives the worker. Only a store that has failed for good ends one
that nobody told to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from conductor_adapters.cli.console import counted
from conductor_adapters.cli.good_order import GoodOrder
from conductor_adapters.cli.interrupts import Interrupts
from conductor_adapters.cli.log_records import shown_records
from conductor_adapters.cli.notices import Notices
from conductor_adapters.cli.operate.attempt_claims import Claims, files_beside
from conductor_adapters.cli.operate.idle import Idle, idle
from conductor_adapters.cli.operate.store_health import FileWatch, is_for_good
from conductor_adapters.cli.operate.worker_screen import WorkerScreen
from conductor_adapters.cli.operate.worker_shell import WorkerShell
from conductor_adapters.clock import WallClock
from conductor_adapters.local import nobody
from conductor_adapters.sqlite import SqliteHost
from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.sqlite_file import Synchronous
from conductor_adapters.workers import Workers
from conductor_core.durations import told_countdown
from conductor_core.flowfile import SHELL

ENDED: Final = 0
FAILED: Final = 1
WAITS: Final = 3

LOOK_S: Final = 1.0
"""So often a worker sees whether its store is still there."""
IDLE_LOOK_S: Final = 0.1
STOP_GRACE_S: Final = 1.0


@frozen(kw_only=True)
class Order:
    """What a worker works on, with what, and until when."""

    store: Path
    synchronous: Synchronous
    workers: Workers
    slots: int
    threads: int
    lease_s: float
    grace_s: float
    until_idle: bool
    on_approval: str | None
    screen: WorkerScreen


async def work(order: Order) -> int:
    """Work until told to stop, or until nothing goes on, and return the exit code."""
    interrupts = Interrupts()
    notices = Notices(order.on_approval, order.screen, None)
    async with _shown(order.screen, interrupts):
        with shown_records(order.screen):
            code = await _hosted(order, notices, interrupts)
        interrupts.then(insist=notices.give_up)
        await notices.close()
    return code


@asynccontextmanager
async def _shown(screen: WorkerScreen, interrupts: Interrupts) -> AsyncGenerator[None]:
    """Show what is written and printed, and wait for who reads it, less long after a signal."""
    screen.begin()
    try:
        yield
    finally:
        interrupts.then(screen.hurry, screen.hurry)
        await screen.finish()


async def _hosted(order: Order, notices: Notices, interrupts: Interrupts) -> int:
    """Open the store, and work in it; raises StoreError where it cannot be opened."""
    shell = WorkerShell(Claims(files_beside(order.store)), order.screen.shell_printed)
    workers = order.workers
    if workers.handlers.get(SHELL) is run_by_worker:
        workers = evolve(workers, handlers={**workers.handlers, SHELL: shell})
    host = SqliteHost(
        workers.handlers,
        path=order.store,
        synchronous=order.synchronous,
        generators=workers.generators,
        ask=nobody if order.on_approval is None else notices.ask,
        observe=order.screen.happened,
        slots=order.slots,
        threads=order.threads,
        lease_s=order.lease_s,
    )
    await shell.sweep()
    await host.open()
    shift = _Shift(host, shell, order)
    try:
        code = await shift.to_its_end(interrupts)
    finally:
        await host.close(STOP_GRACE_S)
    if shift.last_word:
        order.screen.note(shift.last_word)
    return code


async def run_by_worker(_context: object) -> object:
    """Stand for the shell until there is one, which needs a running loop and a store."""
    raise AssertionError("a worker puts its own in this place")


class _Shift:
    """Works until told to stop, until nothing goes on, or until the store fails for good."""

    def __init__(self, host: SqliteHost, shell: WorkerShell, order: Order) -> None:
        self._host = host
        self._shell = shell
        self._order = order
        self._until_over = asyncio.ensure_future(self._look_again())
        self._sweeping = asyncio.ensure_future(self._sweep_again())
        self._good_order = GoodOrder(self._until_over)
        self.last_word = ""

    async def to_its_end(self, interrupts: Interrupts) -> int:
        """Work and return the exit code."""
        interrupts.then(self._until_over.cancel, self._good_order.insist)
        try:
            return await self._until_over
        except asyncio.CancelledError:
            return await self._stop()
        except Exception as error:  # noqa: BLE001 - what broke a host may be anything, and is told
            self._order.screen.warn(f"the worker cannot go on: {error}")
            return FAILED
        finally:
            interrupts.then()
            self._sweeping.cancel()

    # --- while it works ---

    async def _look_again(self) -> int:
        """Look after the store, until nothing goes on in it if that is the end."""
        watch = FileWatch.of(self._order.store)
        while True:
            watch.check()
            found = await self._look()
            if found is not None:
                return self._told(found)
            await asyncio.sleep(IDLE_LOOK_S if self._order.until_idle else LOOK_S)

    async def _look(self) -> Idle | None:
        """See what goes on in the store; raises where it has failed for good."""
        look = partial(idle, asks=self._order.on_approval is not None)
        try:
            found = await self._host.consult(look)
        except StoreError as error:
            if self._host.broken is not None or is_for_good(error):
                raise
            return None  # The host tells of it, and tries again.
        return found if self._order.until_idle else None

    def _told(self, found: Idle) -> int:
        """Tell what the flows wait for in which nothing goes on; the exit code."""
        screen = self._order.screen
        if found.missing:
            for work in found.missing:
                kind, _, name = work.partition(":")
                screen.warn(f"work waits that no worker does: {kind} {name!r}")
            return FAILED
        if found.due_ms is not None:
            left = told_countdown(found.due_ms - WallClock().now_ms())
            screen.warn(f"a timer of a flow is due in {left}")
        if found.for_people:
            screen.warn("flows wait for people")
        return WAITS if found.for_people else ENDED

    async def _sweep_again(self) -> None:
        """End, now and then, what workers that are gone left running."""
        while True:
            await asyncio.sleep(self._order.lease_s)
            await self._shell.sweep()

    # --- the end ---

    async def _stop(self) -> int:
        """Let work end that ends in time, unless somebody insists."""
        await self._good_order.kept(self._drain)
        given_back = self._host.under_way()
        back = f"; {counted(given_back, 'piece')} of work given back" if given_back else ""
        self.last_word = f"stopped{' at once' if self._good_order.insisted else ''}{back}"
        return FAILED if self._order.until_idle else ENDED

    async def _drain(self) -> None:
        under_way = self._host.under_way()
        if under_way:
            self._order.screen.note(
                f"stopping: nothing more is taken, and {counted(under_way, 'piece')} of work may"
                f" end within {self._order.grace_s:g} s; signal once more to stop at once"
            )
        await self._host.drain(self._order.grace_s)
