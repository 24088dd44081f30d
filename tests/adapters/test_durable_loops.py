"""A host belongs to its loop: what ends that, or breaks the host, leaves nothing that goes on."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conductor_adapters.durable import DurableHost
from conductor_adapters.sqlite import SqliteHost
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.work import StepContext
from conductor_core.errors import ConductorError
from conductor_core.testing.brief import flow, group
from tests.adapters.processes import play, until
from tests.adapters.sqlite_hosts import ONE, host, nothing, orders

ROOT = Path(__file__).parents[2]


def desks() -> set[threading.Thread]:
    """The threads of stores that run."""
    return {thread for thread in threading.enumerate() if thread.name == "conductor-store"}


def ended(threads: set[threading.Thread]) -> bool:
    """Wait for the end of threads, but not for ever."""
    for thread in threads:
        thread.join(30)
    return not any(thread.is_alive() for thread in threads)


async def sleep(_context: StepContext) -> None:
    """Run until it is cancelled."""
    await asyncio.sleep(3_600)


def test_a_loop_that_ends_takes_its_desk_along(path: Path) -> None:
    """Nobody renews for a host that was not closed: others do what it held."""
    before = desks()

    async def left() -> None:
        one = host(path, {"a": sleep}, lease_s=0.2)
        started = await one.start(ONE, flow_id="f")
        await started.until(lambda state: any(a.started for a in state.attempts()))

    async def taken_over() -> None:
        async with host(path, {"a": nothing}, lease_s=0.2) as two:
            assert (await (await two.flow("f")).wait()).status == "success"

    play(left())
    assert ended(desks() - before)
    play(taken_over())


# --- a desk that breaks ---


class Broken(SqliteStore):
    """A store beneath which a host breaks while `trouble` holds an error."""

    trouble: BaseException | None = None

    def grown(self, *, after: int) -> tuple[list[str], int]:
        """Raise the trouble, if there is any."""
        if Broken.trouble is not None:
            raise Broken.trouble
        return super().grown(after=after)


def test_a_host_that_breaks_ends_its_work(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Handlers are cancelled, everybody who waits or asks is told, and it can be closed."""
    cancelled: list[str] = []
    asked = threading.Event()

    async def work(_context: StepContext) -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            cancelled.append("coroutine")

    def listen(context: StepContext) -> None:
        if context.cancellation.wait(60):
            asked.set()

    async def script() -> None:
        broken = DurableHost(
            {"a": work, "b": listen},
            open_store=lambda: Broken(path, synchronous="NORMAL"),
            poll_s=0.005,
        )
        both = flow(group("g", "a", "b", parallel=True))
        started = await broken.start(both, flow_id="f")
        await started.until(lambda state: all(a.started for a in state.attempts()))
        waits = asyncio.ensure_future(started.wait())
        await asyncio.sleep(0)
        monkeypatch.setattr(Broken, "trouble", ZeroDivisionError("broken"))
        async with host(path, {}) as client:
            await client.start(ONE, flow_id="g")
        with pytest.raises(ZeroDivisionError):
            await waits
        for asks in (started.refresh(), started.pause(by="ana"), broken.list()):
            with pytest.raises(ZeroDivisionError):
                await asks
        await until(lambda: cancelled and asked.is_set())
        assert isinstance(broken.broken, ZeroDivisionError)
        await broken.close()
        assert broken.under_way() == 0

    before = desks()
    with caplog.at_level(logging.CRITICAL):
        play(script())
    assert ended(desks() - before)


def test_a_host_that_cannot_be_opened_can_be_closed(path: Path) -> None:
    """As often as somebody likes."""
    path.mkdir()

    async def script() -> None:
        one = host(path)
        with pytest.raises(ConductorError, match="it is a directory"):
            await one.open()
        await one.close()
        await one.close()

    play(script())


# --- a close that is cancelled ---


def test_a_close_that_is_cancelled_leaves_nobody_that_renews(path: Path) -> None:
    """The work that did not end keeps the lease of its host, and no longer than that."""
    stays, began = asyncio.Event(), asyncio.Event()

    async def stubborn(_context: StepContext) -> None:
        began.set()
        while not stays.is_set():
            try:
                await stays.wait()
            except asyncio.CancelledError:
                continue

    async def script() -> None:
        before = desks()
        one = host(path, {"a": stubborn}, lease_s=0.2)
        await one.start(ONE, flow_id="f")
        await began.wait()
        closes = asyncio.ensure_future(one.close(grace_s=3_600))
        await asyncio.sleep(0)
        closes.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closes
        assert await asyncio.to_thread(ended, desks() - before)
        ((_, _, owner),) = orders(path)
        assert owner is not None
        async with host(path, {"a": nothing}, lease_s=0.2) as two:
            assert (await (await two.flow("f")).wait()).status == "success"
        stays.set()

    play(script())


# --- another loop, another process ---


def test_a_host_is_of_one_loop(path: Path) -> None:
    """Whoever uses it from another one is told so."""
    one = host(path)

    async def script() -> None:
        await one.open()

    async def other() -> None:
        for asks in (one.list(), one.start(ONE, flow_id="f"), one.flow("f"), one.open()):
            with pytest.raises(ConductorError, match="belongs to the loop"):
                await asks

    play(script())
    play(other())
    assert SqliteHost({}, path=path).broken is None


FORKING = """
import asyncio, os, sys
from conductor_adapters.sqlite import SqliteHost
from conductor_adapters.store.sqlite import SqliteStore
from conductor_core.errors import ConductorError

async def asked(host):
    return await host.list()

async def main():
    host = SqliteHost({"a": print}, path=sys.argv[1])
    store = SqliteStore(sys.argv[1])
    await host.open()
    child = os.fork()
    if child == 0:
        asyncio._set_running_loop(None)
        try:
            try:
                asyncio.run(asked(host))
            except ConductorError as error:
                print(error, flush=True)
            for use in (store.transaction, store.reading):
                try:
                    with use():
                        store.remove_flow("f")
                except ConductorError as error:
                    print(error, flush=True)
            store.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    await host.list()
    await host.close()

asyncio.run(main())
"""


def test_a_child_is_told_that_a_host_is_its_parent_s(path: Path) -> None:
    """Host and store alike; those of the parent go on."""
    command = [sys.executable, "-W", "ignore", "-c", FORKING, str(path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    told = f"{path}: it was opened in another process, before a fork"
    belongs = "a host belongs to the loop, and the process, that opened it"
    assert ran.stdout.splitlines() == [belongs, told, told]
