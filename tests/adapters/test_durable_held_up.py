"""A file that others hold, or bring to another release, costs time, and no work and no reader."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conductor_adapters.sqlite import SqliteClient
from conductor_adapters.store import StoreError
from conductor_adapters.store.leases import Leases
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.sqlite_file import VERSION
from conductor_adapters.work import StepContext
from conductor_core import StepSpec, events
from conductor_core.testing.brief import flow, group
from tests.adapters.ledgers import LEASE_MS, TWO, Clocks, Hand, fragile, look, worker
from tests.adapters.processes import play, until
from tests.adapters.sqlite_hosts import ONE, Meter, host, nothing

LEASE_S = 10
PAST_IT_MS = 11_000


@contextmanager
def held(path: Path) -> Generator[sqlite3.Connection]:
    """Hold the file as another process does that is writing; what it writes is not kept."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE flows SET status = 'nonsense'")
        yield connection
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def rows(path: Path, asked: str) -> list[Any]:
    """What a statement finds."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(asked).fetchall()
    finally:
        connection.close()


def leases(hand: Hand) -> Leases:
    """What a worker holds."""
    assert hand.leases is not None
    return hand.leases


# --- leases ---


def test_who_was_held_up_as_others_were_leaves_them_their_work(path: Path) -> None:
    """The file was held for longer than a lease: when it is free all go on, and nothing is lost."""
    clock = [0]
    go_on = asyncio.Event()
    calls: list[str] = []
    once = flow(group("g", fragile("a"), StepSpec(key="b", work="a"), parallel=True))

    async def work(context: StepContext) -> None:
        calls.append(context.attempt)
        await go_on.wait()

    async def script() -> None:
        meter = Meter()
        how: dict[str, Any] = {"lease_s": LEASE_S, "lease_clock_ms": lambda: clock[0]}
        async with host(path, {"a": work}, meter=meter, **how) as one:
            started = await one.start(once, flow_id="f")
            await started.until(lambda state: all(a.started for a in state.attempts()))
            others = [host(path, {"a": work}, **how) for _ in range(4)]
            for other in others:
                await other.open()
            with held(path):
                clock[0] += PAST_IT_MS
            renewed = [(PAST_IT_MS + LEASE_S * 1_000,)] * 5
            await until(lambda: rows(path, "SELECT until_ms FROM workers") == renewed)
            go_on.set()
            assert (await started.wait()).status == "success"
            for other in others:
                await other.close()
        assert "conductor.leases.lost" not in meter.seen

    play(script())
    assert sorted(calls) == ["a#1", "b#1"]


def test_who_was_held_up_is_patient_for_one_lease(path: Path) -> None:
    """Who has not said that it lives by then does not: what it held is taken."""
    clocks = Clocks()
    dead, living = worker(path, clocks, "dead"), worker(path, clocks, "living")
    dead.start()
    clocks.boot_ms += LEASE_MS + 1
    for _ in range(2):
        look(living)
        assert living.taken() == []
        clocks.boot_ms += LEASE_MS // 2
    look(living)
    assert sorted(living.taken()) == ["a#1", "b#1"]


def test_what_still_ends_here_does_not_hide_what_waits_behind_it(path: Path) -> None:
    """Though it is more than there is room for."""
    clocks = Clocks()
    one, two = worker(path, clocks, slots=3), worker(path, clocks, "w2", works="z")
    steps = (StepSpec(key=f"s{number}", work="a") for number in range(6))
    one.start(flow(group("g", *steps, parallel=True)))
    assert one.taken() == ["s0#1", "s1#1", "s2#1"]
    clocks.boot_ms += LEASE_MS // 2
    two.do(lambda _: leases(two).renew())
    clocks.boot_ms += LEASE_MS // 2
    look(two)
    for _ in range(2):
        look(one)
    assert one.taken() == ["s3#1", "s4#1", "s5#1"]
    assert {name for _, _, name in leases(one).ending} == {"s0#1", "s1#1", "s2#1"}


# --- readers and writers ---


def test_who_reads_is_not_held_up(path: Path) -> None:
    """While another process writes, a client opens the file and sees what was for good before."""
    Hand(path).start(ONE)

    async def script() -> None:
        with held(path):
            async with SqliteClient(path, poll_s=0.005) as client:
                started = await client.flow("f")
                assert (await started.refresh()).status == "in-progress"
                assert [row.status for row in await client.list()] == ["in-progress"]
                assert len(await started.log()) == len(await client.log("f")) == 2
                assert await client.waiting_works() == [("step", "a", 1)]
                assert (await started.explain()).status == "in-progress"

    play(script())


def test_who_reads_holds_no_writer_up(path: Path) -> None:
    """It sees one moment, and others append meanwhile without waiting at all."""
    Hand(path).start(ONE)
    reads, go_on = threading.Event(), threading.Event()

    def look(ledger: Ledger) -> tuple[int, int]:
        before = len(ledger.store.entries("f"))
        reads.set()
        go_on.wait(60)
        return before, len(ledger.store.entries("f"))

    async def script() -> None:
        async with SqliteClient(path) as client:
            looks = asyncio.ensure_future(client.consult(look))
            await until(reads.is_set)
            writer = sqlite3.connect(path, timeout=0, isolation_level=None)
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("INSERT INTO entries (flow_id, seq, lines) VALUES ('f', 2, '?')")
            writer.execute("COMMIT")
            writer.close()
            go_on.set()
            assert await looks == (2, 2)
            assert len(await client.log("f")) == 3

    play(script())


# --- another release ---


def test_a_file_of_another_release_is_left_alone(path: Path) -> None:
    """Whoever had it open is told at every turn, and writes nothing any more."""
    everything = "SELECT (SELECT COUNT(*) FROM entries), (SELECT SUM(until_ms) FROM workers)"
    clock = [0]
    ran = asyncio.Event()

    async def work(_context: StepContext) -> None:
        await ran.wait()

    async def script() -> None:
        how: dict[str, Any] = {"lease_s": LEASE_S, "lease_clock_ms": lambda: clock[0]}
        async with host(path, {"a": work, "b": nothing}, **how) as one:
            started = await one.start(ONE, flow_id="f")
            await started.until(lambda state: all(a.started for a in state.attempts()))
            rows(path, "PRAGMA user_version = 99")
            before = rows(path, everything)
            clock[0] += LEASE_S * 900
            ran.set()
            for asks in (
                partial(one.start, flow(group("g", "b")), flow_id="g"),
                partial(started.pause, by="ana"),
                started.refresh,
                started.log,
                one.list,
                one.waiting_works,
            ):
                with pytest.raises(
                    StoreError, match=f"its schema has version 99 by now, and had {VERSION}"
                ):
                    await asks()
            assert rows(path, everything) == before
            rows(path, f"PRAGMA user_version = {VERSION}")
            assert (await started.wait()).status == "success"

    play(script())


def test_a_ledger_of_another_release_takes_no_transaction(path: Path) -> None:
    """Also where it has the flow in memory."""
    hand = Hand(path)
    hand.start(TWO)
    rows(path, "PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"flows\.db: its schema has version 99"):
        hand.feed(partial(events.PauseRequested, by="ana"))
    with pytest.raises(StoreError, match="its schema has version 99"), hand.ledger.reading():
        pass
    assert rows(path, "SELECT COUNT(*) FROM entries") == [(2,)]
