"""What fails beneath a SQLite host costs time and no work, and is told to whoever waits."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conductor_adapters import durable, executor
from conductor_adapters.sqlite import SqliteClient
from conductor_adapters.store import StoreError, desk
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.work import HostFailure, StepContext
from conductor_core import loglines
from conductor_core.errors import FormatError
from tests.adapters.processes import play, until
from tests.adapters.sqlite_hosts import (
    ONE,
    host,
    nothing,
)


def test_work_that_its_host_failed_is_done_again(path: Path) -> None:
    """Whoever waits here is told; another host, or this one later, does it."""
    calls: list[str] = []

    async def fail(_context: StepContext) -> None:
        calls.append("one")
        raise HostFailure("the disk is full")

    async def script() -> None:
        async with host(path, {"a": fail}, lease_s=0.05) as one:
            started = await one.start(ONE, flow_id="f")
            with pytest.raises(HostFailure):
                await started.wait()
        async with host(path), SqliteClient(path) as client:
            assert (await (await client.flow("f")).wait()).status == "success"
        assert calls

    play(script())


def test_what_cannot_be_written_is_kept_until_it_can(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk costs time and no work: the handler is called once."""
    monkeypatch.setattr(executor, "AGAIN_S", 0.01)
    calls: list[str] = []
    full = threading.Event()

    class Disk(SqliteStore):
        def append(self, flow_id: str, seq: int, lines: str, *, behind: int) -> int:
            if full.is_set():
                raise sqlite3.OperationalError("database or disk is full")
            return super().append(flow_id, seq, lines, behind=behind)

    async def work(_context: StepContext) -> str:
        calls.append("called")
        full.set()
        return "done"

    async def script() -> None:
        made = durable.DurableHost(
            {"a": work}, open_store=lambda: Disk(path, synchronous="NORMAL"), poll_s=0.005
        )
        async with made:
            started = await made.start(ONE, flow_id="f")
            await until(lambda: "kept until it can be written" in caplog.text)
            with pytest.raises(StoreError, match="disk is full"):
                await started.pause(by="ana")
            full.clear()
            assert (await started.wait()).status == "success"

    with caplog.at_level(logging.WARNING):
        play(script())
    assert calls == ["called"]


def test_what_cannot_be_recorded_is_a_failure(path: Path) -> None:
    """Of the work, as in memory; a request that is none is refused."""

    async def script() -> None:
        async with host(path, {"a": lambda _context: object()}) as worker:
            started = await worker.start(ONE, flow_id="f")
            assert (await started.wait()).status == "error"
            found = started.state.attempt("a#1")
            assert found is not None
            assert found.error is not None
            assert found.error.type == "bad-result"
            with pytest.raises(FormatError):
                await started.pause(by="\ud800")

    play(script())


def test_what_is_too_long_for_a_log_is_a_failure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the work: nobody waits for an answer that can never be written."""
    monkeypatch.setattr(loglines, "LONGEST_LINE", 6_000)

    async def work(_context: StepContext) -> str:
        return "x" * 10_000

    async def script() -> None:
        async with host(path, {"a": work}) as worker:
            started = await worker.start(ONE, flow_id="f")
            assert (await started.wait()).status == "error"
            found = started.state.attempt("a#1")
            assert found is not None
            assert found.error is not None
            assert found.error.type == "bad-result"

    play(script())


# --- stores that cannot be looked into ---


class Faulty(SqliteStore):
    """A store that cannot be looked into while `trouble` holds an error."""

    trouble: BaseException | None = None

    def grown(self, *, after: int) -> tuple[list[str], int]:
        """Raise the trouble, if there is any."""
        if Faulty.trouble is not None:
            raise Faulty.trouble
        return super().grown(after=after)


def faulty(path: Path, handlers: dict[str, Any]) -> durable.DurableHost:
    """A host on such a store."""
    return durable.DurableHost(
        handlers, open_store=lambda: Faulty(path, synchronous="NORMAL"), poll_s=0.005
    )


def test_a_store_that_cannot_be_looked_into_is_looked_into_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After a while, and it is told meanwhile."""
    monkeypatch.setattr(desk, "TROUBLE_S", 0.01)

    async def script() -> None:
        async with faulty(path, {"a": nothing}) as worker, host(path, {}) as client:
            monkeypatch.setattr(Faulty, "trouble", sqlite3.OperationalError("disk I/O error"))
            started = await client.start(ONE, flow_id="f")
            await until(lambda: "cannot look into the store" in caplog.text)
            assert await worker.list()
            monkeypatch.setattr(Faulty, "trouble", None)
            assert (await started.wait()).status == "success"

    with caplog.at_level(logging.WARNING):
        play(script())


def test_a_host_that_cannot_go_on_tells_everybody(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who waits, who asks; another host does the work."""

    async def script() -> None:
        async with faulty(path, {"b": nothing}) as broken, host(path, {}) as client:
            await client.start(ONE, flow_id="f")
            waiting = asyncio.ensure_future((await broken.flow("f")).wait())
            await asyncio.sleep(0)
            monkeypatch.setattr(Faulty, "trouble", ZeroDivisionError())
            await client.start(ONE, flow_id="g")
            with pytest.raises(ZeroDivisionError):
                await waiting
            with pytest.raises(ZeroDivisionError):
                await broken.list()
            monkeypatch.setattr(Faulty, "trouble", None)
            async with host(path):
                assert (await (await client.flow("f")).wait()).status == "success"

    with caplog.at_level(logging.ERROR):
        play(script())
    assert "the host cannot go on" in caplog.text


# --- files that are no stores ---


def words(path: Path) -> None:
    """Make a file that is no database."""
    path.write_text("no rows, but words " * 200)


def foreign(path: Path) -> None:
    """Make a database of another product."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE birds (name TEXT)")


def newer(path: Path) -> None:
    """Make a file of a version to come."""
    SqliteStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (words, "it is no database"),
        (Path.mkdir, "it is a directory"),
        (foreign, "it is a database of another product"),
        (newer, "its schema has version 99"),
    ],
)
def test_what_is_no_file_of_ours_is_refused(
    path: Path, make: Callable[[Path], object], told: str
) -> None:
    """When the host is opened, and by whatever is asked of it afterwards."""
    make(path)

    async def script() -> None:
        with pytest.raises(StoreError, match=told):
            async with host(path):
                pass
        with pytest.raises(StoreError, match=told):
            await host(path).start(ONE, flow_id="f")

    play(script())


def test_a_client_makes_no_file(path: Path) -> None:
    """A path that was mistyped is told."""

    async def script() -> None:
        with pytest.raises(StoreError, match="there is no such store"):
            await SqliteClient(path).list()

    play(script())
    assert not path.exists()
