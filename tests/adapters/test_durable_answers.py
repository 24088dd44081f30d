"""What work came to is kept until the store has it, and who leaves before that keeps its lease."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from pathlib import Path

import pytest

from conductor_adapters import executor, waiting
from conductor_adapters.durable import DurableHost
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.work import StepContext
from conductor_core.testing.brief import flow, group
from tests.adapters.ledgers import Hand
from tests.adapters.processes import play, until
from tests.adapters.sqlite_hosts import ONE, host, nothing, orders

KEPT = "is kept until it can be written"


class Disk(SqliteStore):
    """A store that takes no entries while its disk is full."""

    full = threading.Event()

    def append(self, flow_id: str, seq: int, lines: str, *, behind: int) -> int:
        """Append an entry where there is room."""
        if Disk.full.is_set():
            raise sqlite3.OperationalError("database or disk is full")
        return super().append(flow_id, seq, lines, behind=behind)


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A disk that has room, and hosts that try again soon."""
    monkeypatch.setattr(Disk, "full", threading.Event())
    monkeypatch.setattr(executor, "AGAIN_S", 0.01)
    caplog.set_level(logging.WARNING)


async def fill(_context: StepContext) -> str:
    """Work, and fill the disk up."""
    Disk.full.set()
    return "done"


def filling(path: Path) -> DurableHost:
    """A host whose work fills the disk up."""
    return DurableHost(
        {"a": fill},
        open_store=lambda: Disk(path, synchronous="NORMAL"),
        poll_s=0.005,
        lease_s=10,
        lease_clock_ms=lambda: 0,
    )


def workers(path: Path) -> list[tuple[str, int]]:
    """The workers of a file, and until when each lives."""
    with SqliteStore(path) as store:
        found: list[tuple[str, int]] = store.connection.execute(
            "SELECT worker_id, until_ms FROM workers"
        ).fetchall()
    return found


@pytest.mark.parametrize("verb", ["drain", "close"])
def test_who_leaves_waits_until_the_store_has_every_answer(
    path: Path, caplog: pytest.LogCaptureFixture, verb: str
) -> None:
    """While the disk is full it does not return; when there is room again, nothing is lost."""

    async def script() -> None:
        one = filling(path)
        await one.start(ONE, flow_id="f")
        await until(lambda: KEPT in caplog.text)
        leaves = asyncio.ensure_future(getattr(one, verb)(grace_s=60))
        caplog.clear()
        await until(lambda: caplog.text.count(KEPT) >= 3)
        assert not leaves.done()
        Disk.full.clear()
        await leaves
        assert Hand(path).state().status == "success"
        await one.close()

    play(script())


def test_who_gives_up_on_an_answer_keeps_its_lease(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody does the work again before that has run out: somebody might still have seen it."""

    async def script() -> None:
        one = filling(path)
        await one.start(ONE, flow_id="f")
        await until(lambda: KEPT in caplog.text)
        await one.close(grace_s=0)
        ((worker_id, until_ms),) = workers(path)
        assert orders(path) == [("f", "a#1", worker_id)]
        assert until_ms == 10_000
        async with host(path, {"b": nothing}, lease_clock_ms=lambda: 9_999) as two:
            started = await two.start(flow(group("g", "b")), flow_id="g")
            await started.wait()
            assert orders(path) == [("f", "a#1", worker_id)]
        async with host(path, lease_clock_ms=lambda: 10_000) as heir:
            assert (await (await heir.flow("f")).wait()).status == "success"

    play(script())


def test_an_answer_to_a_damaged_log_is_kept_until_that_is_mended(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no trouble of the store, and is tried again later; the work is done once."""
    monkeypatch.setattr(executor, "MUCH_LATER_S", 0.01)
    go_on = asyncio.Event()
    calls: list[str] = []

    async def work(_context: StepContext) -> str:
        calls.append("called")
        await go_on.wait()
        return "done"

    async def script() -> None:
        async with host(path, {"a": work, "b": nothing}) as one:
            spec = flow(group("g", "a", "b", parallel=True))
            await (await one.start(spec, flow_id="f")).until(
                lambda state: [a.active for a in state.attempts()] == [True, False]
            )
            with sqlite3.connect(path) as connection:
                (lines,) = connection.execute("SELECT lines FROM entries WHERE seq = 1").fetchone()
                connection.execute("UPDATE entries SET lines = '?' WHERE seq = 1")
                # What this host remembers is not where the log stands now.
                connection.execute("DELETE FROM snapshots")
                connection.execute("UPDATE entries SET number = number + 100 WHERE seq > 1")
            go_on.set()
            await until(lambda: "what became of a#1 " + KEPT in caplog.text)
            assert "cannot be read" in caplog.text
            with sqlite3.connect(path) as connection:
                connection.execute("UPDATE entries SET lines = ? WHERE seq = 1", (lines,))
            assert (await (await one.flow("f")).wait()).status == "success"

    play(script())
    assert calls == ["called"]


def test_an_answer_to_a_damaged_log_waits_longer_than_one_to_a_full_disk() -> None:
    """Nobody mends a log within a second."""
    assert executor.MUCH_LATER_S > executor.AGAIN_S


# --- threads that do not listen ---


def test_a_deaf_thread_keeps_its_lease_and_no_more(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its host is not retired and renews no more: others begin when its lease has run out."""
    monkeypatch.setattr(waiting, "LEFT_BEHIND_S", 0)
    began, go_on = threading.Event(), threading.Event()
    clock = [0]
    calls: list[str] = []

    def deaf(_context: StepContext) -> str:
        calls.append("one")
        began.set()
        go_on.wait(60)
        return "late"

    async def again(_context: StepContext) -> str:
        calls.append("two")
        return "again"

    async def script() -> None:
        one = host(path, {"a": deaf}, lease_s=10, lease_clock_ms=lambda: clock[0])
        await one.start(ONE, flow_id="f")
        await until(began.is_set)
        before = workers(path)
        # It is time to renew, and everything that it still writes could do so.
        clock[0] = 9_000
        await until(lambda: workers(path)[0][1] == 19_000)
        clock[0] = 18_000
        await one.close(grace_s=0)
        assert [name for name, _ in workers(path)] == [name for name, _ in before]
        clock[0] = max(until_ms for _, until_ms in workers(path)) - 1
        handlers = {"a": again, "b": nothing}
        async with host(path, handlers, lease_clock_ms=lambda: clock[0], lease_s=100) as two:
            other = await two.start(flow(group("g", "b")), flow_id="g")
            await other.wait()
            assert calls == ["one"]
            clock[0] += 1
            # Somebody writes, so that everybody looks.
            async with host(path, {}) as client:
                await client.start(flow(group("g", "b")), flow_id="h")
            started = await two.flow("f")
            assert (await started.wait()).status == "success"
            go_on.set()
            assert not any('"late"' in line for line in await started.log())

    play(script())
    assert calls == ["one", "two"]
