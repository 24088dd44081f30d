"""What must not run twice unseen does not, and what never began is as if nobody had taken it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conductor_adapters.sqlite import SqliteClient
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.store.upkeep import PUT_OFF_MS
from conductor_adapters.work import HostFailure, StepContext
from conductor_core import FlowSpec, FlowState, GroupSpec, StepSpec, commands
from conductor_core.testing.brief import flow, group
from tests.adapters.ledgers import Clocks, Hand, fragile, look, outlive, worker
from tests.adapters.processes import play, until
from tests.adapters.sqlite_hosts import ONE, host, nothing

ONCE = flow(group("g", fragile("a")))
TWICE = flow(group("g", fragile("a"), fragile("b"), parallel=True))


def stored(path: Path) -> FlowState:
    """Where the flow is as far as the file says, without a host."""
    return Hand(path).state()


def error_of(state: FlowState, attempt: str = "a#1") -> str | None:
    """The type of the error of an attempt."""
    found = state.attempt(attempt)
    assert found is not None
    return None if found.error is None else found.error.type


def deliveries(path: Path) -> list[tuple[str, str | None, int]]:
    """The orders of a file: who has taken each, and how often each was delivered."""
    with SqliteStore(path) as store:
        found: list[tuple[str, str | None, int]] = store.connection.execute(
            "SELECT name, owner, deliveries FROM outbox ORDER BY name"
        ).fetchall()
    return found


def test_a_host_that_fails_its_work_interrupts_it(path: Path) -> None:
    """Nobody knows how far it came: it is answered for at once, and runs nowhere again."""
    calls: list[str] = []

    async def fail(_context: StepContext) -> None:
        calls.append("called")
        raise HostFailure("the disk is full")

    async def script() -> None:
        async with host(path, {"a": fail}, lease_s=0.05) as one:
            started = await one.start(ONCE, flow_id="f")
            with suppress(HostFailure):
                await started.wait()
            state = await started.until(lambda state: state.outcome is not None)
            assert error_of(state) == "interrupted"
        async with host(path, {"a": fail}, lease_s=0.05) as two:
            assert (await (await two.flow("f")).wait()).status == "error"

    play(script())
    assert calls == ["called"]


def test_a_log_that_was_unreadable_meanwhile_forgets_no_delivery(path: Path) -> None:
    """Its order was put off when its worker went down; then it is answered for, not begun."""
    clocks = Clocks()
    one, two = worker(path, clocks), worker(path, clocks, "w2")
    one.start(ONCE)
    assert one.taken() == ["a#1"]
    with sqlite3.connect(path) as connection:
        (lines,) = connection.execute("SELECT lines FROM entries WHERE seq = 1").fetchone()
        connection.execute("UPDATE entries SET lines = '?' WHERE seq = 1")
    outlive(clocks, two)
    look(two)
    assert (two.taken(), deliveries(path)) == ([], [("a#1", None, 1)])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entries SET lines = ? WHERE seq = 1", (lines,))
    clocks.day_ms += PUT_OFF_MS
    look(two)
    assert two.taken() == []
    assert error_of(two.state()) == "interrupted"


async def sleep(_context: StepContext) -> None:
    """Run until it is cancelled."""
    await asyncio.sleep(3_600)


def listen(context: StepContext) -> None:
    """Run in a thread until it is asked to give up."""
    context.cancellation.wait(60)
    context.check_cancellation()


@pytest.mark.parametrize("handler", [sleep, listen])
def test_a_host_that_closes_in_the_middle_says_so_at_once(path: Path, handler: Any) -> None:
    """Its lease is not waited for, and no other worker has to come."""

    async def script() -> None:
        async with host(path, {"a": handler}, lease_s=3_600) as one:
            started = await one.start(ONCE, flow_id="f")
            await started.until(lambda state: any(a.started for a in state.attempts()))
        assert error_of(stored(path)) == "interrupted"
        assert deliveries(path) == []

    play(script())


def test_a_host_that_was_killed_in_the_middle_is_answered_for(path: Path) -> None:
    """By whoever comes when its lease has run out."""
    calls: list[str] = []

    async def work(context: StepContext) -> None:
        calls.append(context.attempt)
        await sleep(context)

    async def script() -> None:
        one = host(path, {"a": work}, lease_s=10, lease_clock_ms=lambda: 0)
        await one.start(ONCE, flow_id="f")
        await until(lambda: calls)
        await one.kill()
        async with host(path, {"a": work}, lease_clock_ms=lambda: 10_001) as two:
            state = await (await two.flow("f")).until(lambda state: state.outcome is not None)
            assert error_of(state) == "interrupted"

    play(script())
    assert calls == ["a#1"]


@pytest.mark.parametrize("verb", ["drain", "close"])
def test_what_waits_for_its_thread_is_given_back(path: Path, verb: str) -> None:
    """It never began: it counts no delivery, was interrupted by nobody, and runs elsewhere."""
    calls: list[str] = []
    began, go_on = threading.Event(), threading.Event()

    def work(context: StepContext) -> None:
        calls.append(context.attempt)
        began.set()
        go_on.wait(60)

    async def script() -> None:
        async with host(path, {"a": work, "b": work}, threads=1, lease_s=3_600) as one:
            await one.start(TWICE, flow_id="f")
            await until(began.is_set)
            ends = asyncio.ensure_future(getattr(one, verb)(grace_s=60))
            await until(lambda: ("b#1", None, 0) in deliveries(path))
            go_on.set()
            await ends
        async with host(path, {"a": work, "b": work}) as two:
            assert (await (await two.flow("f")).wait()).status == "success"

    play(script())
    assert calls == ["a#1", "b#1"]


# --- what counts as a delivery ---


def test_orderly_ends_count_no_delivery(path: Path) -> None:
    """Hosts may come and go as often as they like: the work is not lost by that."""

    async def script() -> None:
        for _ in range(4):
            async with host(path, {"a": sleep}, max_deliveries=2) as one:
                started = await one.start(ONE, flow_id="f")
                await started.until(lambda state: any(a.started for a in state.attempts()))
            assert deliveries(path) == [("a#1", None, 0)]
        async with host(path, max_deliveries=2) as last:
            assert (await (await last.flow("f")).wait()).status == "success"

    play(script())


def test_failures_of_a_host_count_no_delivery(path: Path) -> None:
    """However often it tries, its work went down with nobody."""
    calls: list[str] = []

    async def fail(_context: StepContext) -> None:
        calls.append("called")
        if len(calls) < 5:
            raise HostFailure("the disk is full")

    async def script() -> None:
        failing = host(path, {"a": fail}, lease_s=0.05, max_deliveries=2)
        async with failing, host(path, {}) as other:
            started = await other.start(ONE, flow_id="f")
            assert (await started.wait()).status == "success"

    play(script())
    assert len(calls) == 5


@pytest.mark.parametrize("in_thread", [False, True])
def test_groups_that_a_host_failed_to_make_are_made_by_another(path: Path, in_thread: bool) -> None:
    """Whoever waits at the host that failed is told; the flow goes on and counts no delivery."""
    calls: list[str] = []

    def make(_command: commands.GenerateSteps) -> list[GroupSpec]:
        calls.append("called")
        if len(calls) < 4:
            raise HostFailure("the disk is full")
        return [group("g", "a")]

    async def make_here(command: commands.GenerateSteps) -> list[GroupSpec]:
        return make(command)

    async def script() -> None:
        made = {"made": make if in_thread else make_here}
        spec = FlowSpec(type="made")
        few = {"lease_s": 0.05, "max_deliveries": 2}
        async with host(path, {"a": nothing}, generators=made, **few) as one:
            started = await one.start(spec, flow_id="f")
            with pytest.raises(HostFailure, match="the disk is full"):
                await started.wait()
            async with host(path, {}) as other:
                assert (await (await other.flow("f")).wait()).status == "success"

    play(script())
    assert len(calls) == 4


def test_withdrawals_count_no_delivery(path: Path) -> None:
    """What every host that drains withdraws is done by the last one."""
    both = flow(group("g", StepSpec(key="a"), StepSpec(key="b"), parallel=True))
    began: list[int] = []

    def wait(context: StepContext) -> None:
        began.append(len(began) + 1)
        context.cancellation.wait(60)
        context.check_cancellation()

    async def script() -> None:
        for count in range(1, 5):
            how: dict[str, Any] = {"threads": 1, "max_deliveries": 2}
            async with host(path, {"a": wait, "b": wait}, **how) as one:
                await one.start(both, flow_id="f")
                await until(partial(began.__contains__, count))
                await until(lambda: all(owner for _, owner, _ in deliveries(path)))
                await one.drain(grace_s=0)
                await until(lambda: any(owner is None for _, owner, _ in deliveries(path)))
            assert [number for _, _, number in deliveries(path)] == [0, 0]
        async with host(path, max_deliveries=2), SqliteClient(path) as client:
            assert (await (await client.flow("f")).wait()).status == "success"

    play(script())
