"""Clients of a PostgreSQL database start, ask and watch; work is done by others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from conductor_adapters.durable import DurableHost
from conductor_adapters.store import FlowExists, StoreError, UnknownFlow
from conductor_adapters.store_urls import opener
from conductor_core.log import replay
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group
from conductor_core.verdicts import Accepted
from tests.adapters.databases import end_sessions, sql
from tests.adapters.ledgers import TWO, Hand, ended
from tests.adapters.processes import play
from tests.adapters.sqlite_hosts import nothing

if TYPE_CHECKING:
    from conductor_adapters.postgres_client import PostgresClient


OTHER = flow(group("x", "y"))


def client(url: str, *, create: bool = True) -> PostgresClient:
    """A client that looks often."""
    from conductor_adapters.postgres_client import (  # noqa: PLC0415 - it needs psycopg
        PostgresClient,
    )

    return PostgresClient(url, create=create, poll_s=0.005)


def test_a_client_starts_asks_and_lists(url: str) -> None:
    """Verdicts are those of the flow, and its log is the one that was written."""

    async def script() -> None:
        async with client(url) as operator:
            started = await operator.start(TWO, flow_id="f")
            assert await started.pause(by="ann") == Accepted()
            assert [row.status for row in await operator.list()] == [started.state.status]
            assert replay(await operator.log("f")).state == started.state
            assert await operator.waiting_works() == [("step", "a", 1), ("step", "b", 1)]
            with pytest.raises(FlowExists):
                await operator.start(OTHER, flow_id="f")
            with pytest.raises(UnknownFlow):
                await operator.flow("none")

    play(script())


def test_a_host_of_one_machine_does_no_work_on_a_database(url: str) -> None:
    """Its leases go by a clock that other machines do not have; to ask, it may open one."""

    async def script() -> None:
        async with client(url) as operator:
            await operator.start(TWO, flow_id="f")
        open_store = opener(url)
        with pytest.raises(StoreError, match=r"expected a SQLite file, or Celery workers"):
            async with DurableHost({"a": nothing}, open_store=open_store):
                pass
        async with DurableHost({}, open_store=open_store) as asks:
            assert await (await asks.flow("f")).pause(by="ann") == Accepted()

    play(script())


def test_who_watches_sees_what_others_do(url: str) -> None:
    """Clients and workers, each with a connection of its own, to the end."""

    async def script() -> None:
        async with client(url) as one, client(url, create=False) as two:
            started = await one.start(TWO, flow_id="f")
            watched = await two.flow("f")
            paused = asyncio.ensure_future(watched.until(lambda state: state.paused))
            await started.pause(by="ann")
            assert (await paused).paused
            await watched.resume(by="bo")
            ending = asyncio.ensure_future(started.wait())
            worker = Hand(url)
            for attempt in ("a#1", "b#1", "c#1"):
                await asyncio.to_thread(pass_on, worker, attempt)
            assert (await ending).status == "success"
            assert (await watched.wait()).status == "success"

    def pass_on(worker: Hand, attempt: str) -> None:
        worker.feed(ended(attempt))

    play(script())


def test_who_watches_goes_on_after_a_connection_was_lost(url: str) -> None:
    """What happened meanwhile is seen, and what is asked is answered."""

    async def script() -> None:
        async with client(url) as one, client(url) as two:
            started = await one.start(TWO, flow_id="f")
            watched = await two.flow("f")

            def is_paused(state: FlowState) -> bool:
                return state.paused

            paused = asyncio.ensure_future(watched.until(is_paused))
            end_sessions(url)
            assert await started.pause(by="ann") == Accepted()
            assert is_paused(await paused)

    play(script())


def test_a_store_that_is_not_there_is_told(url: str) -> None:
    """Whoever only asks makes none."""

    async def script() -> None:
        with pytest.raises(StoreError, match="there is no such store"):
            await client(url, create=False).open()

    play(script())
    assert sql(url, "SELECT 1 FROM pg_namespace WHERE nspname = 'conductor'") == []
