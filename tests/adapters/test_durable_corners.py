"""Corners in which a durable host could lose, double or hang something."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conductor_adapters import executor
from conductor_adapters.sqlite import SqliteHost
from conductor_adapters.store import desk
from conductor_adapters.store.protocol import STEP
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.work import StepContext
from conductor_core import FlowSpec, StepSpec, loglines
from conductor_core.commands import GenerateSteps
from conductor_core.spec import GroupSpec
from conductor_core.testing.brief import flow, group
from tests.adapters.ledgers import LEASE_MS, Clocks, Hand, fragile, look, renew, worker
from tests.adapters.processes import play, until
from tests.adapters.sqlite_hosts import ONE, host, nothing, taken, turns

ROOT = Path(__file__).parents[2]
MADE = FlowSpec(type="made")


@pytest.mark.parametrize("verb", ["drain", "close"])
def test_what_was_taken_as_a_host_leaves_is_given_back(path: Path, verb: str) -> None:
    """Its transaction is for good, and its news comes too late: it never began, here."""
    calls: list[str] = []

    async def work(_context: StepContext) -> None:
        calls.append("called")

    async def script() -> None:
        async with host(path, {"a": work}) as one:
            starts = asyncio.ensure_future(one.start(flow(group("g", fragile("a"))), flow_id="f"))
            await turns()
            taken(path, "f")
            await getattr(one, verb)()
            await asyncio.sleep(0.1)
            assert calls == []
            starts.cancel()
        async with host(path, {"a": work}) as two:
            assert (await (await two.flow("f")).wait()).status == "success"

    play(script())
    assert calls == ["called"]


def test_what_was_asked_before_the_end_is_done(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the desk found its queue empty just before that."""
    Hand(path).start(ONE)
    armed, empty, stopped = threading.Event(), threading.Event(), threading.Event()
    jobs_of, stop = vars(desk.Desk)["_next"], desk.Desk.stop

    def next_jobs(self: desk.Desk) -> list[desk.Job]:
        jobs: list[desk.Job] = jobs_of(self)
        if not jobs and armed.is_set():
            empty.set()
            stopped.wait(30)
        return jobs

    def stop_then_tell(self: desk.Desk) -> None:
        stop(self)
        stopped.set()

    monkeypatch.setattr(desk.Desk, "_next", next_jobs)
    monkeypatch.setattr(desk.Desk, "stop", stop_then_tell)

    async def script() -> None:
        one = host(path, {"b": nothing})
        started = await one.flow("f")
        armed.set()
        await asyncio.to_thread(empty.wait, 30)
        asks = asyncio.ensure_future(started.pause(by="ana"))
        await asyncio.sleep(0)
        await one.close(grace_s=0.1)
        await asyncio.wait_for(asks, 10)
        with sqlite3.connect(path) as connection:
            assert connection.execute("SELECT * FROM workers").fetchall() == []

    play(script())


def test_who_renewed_late_rescues_nobody_though_its_lease_has_not_run_out(path: Path) -> None:
    """The file was held for less than a lease, and for longer than others had left."""
    clocks = Clocks()
    one, two = worker(path, clocks), worker(path, clocks, "w2")
    one.start()
    clocks.boot_ms = LEASE_MS // 3
    renew(two)
    clocks.boot_ms = LEASE_MS + 5
    look(two)
    assert two.taken() == []


FORKED = """
import asyncio, os, sys
from conductor_adapters.sqlite import SqliteHost

async def sleep(context):
    await asyncio.sleep(3600)

async def main():
    async with host:
        print(os.getpid(), flush=True)
        await asyncio.sleep(3600)

host = SqliteHost({"a": sleep}, path=sys.argv[1], lease_s=0.3, poll_s=0.005)
for _ in range(2):
    if os.fork() == 0:
        asyncio.run(main())
os.wait()
os.wait()
"""


def test_a_host_that_is_opened_by_two_children_is_two_workers(path: Path) -> None:
    """Made before the fork, as servers do that load first: each child is one of its own."""
    SqliteStore(path).close()
    command = [sys.executable, "-c", FORKED, str(path)]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(parent.stdout.readline()) for _ in range(2)]
    try:
        with sqlite3.connect(path) as connection:
            assert len(connection.execute("SELECT * FROM workers").fetchall()) == 2
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        parent.communicate()


def test_groups_that_no_log_takes_are_a_failure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for an answer that can never be written."""
    monkeypatch.setattr(loglines, "LONGEST_LINE", 6_000)
    monkeypatch.setattr(executor, "MUCH_LATER_S", 0.05)

    async def make(_command: GenerateSteps) -> list[GroupSpec]:
        return [group("g", *(StepSpec(key=f"step-{n:040}", work="a") for n in range(200)))]

    async def script() -> None:
        async with host(path, {"a": nothing}, generators={"made": make}) as one:
            started = await one.start(MADE, flow_id="f")
            assert (await asyncio.wait_for(started.wait(), 10)).status == "error"

    play(script())


def test_a_deaf_generator_keeps_its_lease(path: Path) -> None:
    """As a deaf step does: others make the groups when that has run out."""
    go_on, began = threading.Event(), threading.Event()

    def make(_command: GenerateSteps) -> list[GroupSpec]:
        began.set()
        go_on.wait(60)
        return [group("g", "a")]

    async def script() -> None:
        one = host(path, {"a": nothing}, generators={"made": make}, lease_s=3_600)
        await one.start(MADE, flow_id="f")
        await until(began.is_set)
        await one.close(grace_s=0)
        with sqlite3.connect(path) as connection:
            assert len(connection.execute("SELECT * FROM workers").fetchall()) == 1
        go_on.set()

    play(script())


def test_a_flow_that_cannot_be_read_hides_none_behind_it(path: Path) -> None:
    """Also from a worker that has room for one order only, and for no longer than a look."""
    clocks = Clocks()
    client = Hand(path, clocks)
    client.start(ONE, "bad")
    client.start(ONE, "sound")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entries SET lines = '?' WHERE flow_id = 'bad' AND seq = 1")
    one = worker(path, clocks, slots=1)
    look(one)
    assert [each.order.flow_id for each in one.news.taken] == ["sound"]


def test_a_worker_takes_no_more_than_its_slots_when_work_gave_up(path: Path) -> None:
    """Its room was free from when it was asked to, and is not made free twice."""
    clocks = Clocks()
    one, client = worker(path, clocks, slots=1), Hand(path, clocks)
    one.start(ONE)
    assert one.leases is not None
    held = one.leases
    one.do(lambda _: held.settle(one.ledger.news))
    client.start(ONE, "g")
    client.start(ONE, "h")
    one.ledger.news.given_up.append(("f", STEP, "a#1"))
    held.settle(one.ledger.news)

    def give_up(_: object) -> None:
        one.ledger.drop(("f", STEP, "a#1"), "w1")
        held.left_open()
        held.take_more()

    one.do(give_up)
    assert len(held.held) == 1


def test_a_flow_that_ended_elsewhere_is_kept_by_nobody(path: Path) -> None:
    """Nor is one that was never started: who observes hears no more of either."""

    async def script() -> None:
        async with host(path, {}) as client, host(path):
            await client.start(ONE, flow_id="f", observe=lambda _event, _transition: None)
            await (await client.flow("f")).wait()
            assert not vars(client)["_observed"]

    play(script())


def test_the_desk_of_a_client_ends_with_its_loop(path: Path) -> None:
    """It does not look into the file for ever."""
    SqliteStore(path).close()

    async def left() -> None:
        await SqliteHost({}, path=path, poll_s=0.005).list()

    before = set(threading.enumerate())
    play(left())
    (thread,) = (t for t in set(threading.enumerate()) - before if t.name == "conductor-store")
    thread.join(5)
    assert not thread.is_alive()
