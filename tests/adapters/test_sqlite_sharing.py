"""Hosts that close, drain or lose their leases leave their work to others; processes share it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from conductor_adapters import waiting
from conductor_adapters.sqlite import SqliteFlow
from conductor_adapters.store.kept import log_lines
from conductor_adapters.store.protocol import STEP
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.work import StepContext
from conductor_core import StepSpec
from conductor_core.errors import ConductorError
from conductor_core.log import replay
from conductor_core.testing.brief import flow, group
from tests.adapters.processes import play, until
from tests.adapters.sqlite_hosts import (
    ONE,
    Meter,
    host,
)


def test_a_host_that_closes_leaves_its_work_to_others_at_once(path: Path) -> None:
    """Without waiting for its lease; whoever waits at it is told."""

    async def sleep(_context: StepContext) -> None:
        await asyncio.sleep(3_600)

    async def script() -> None:
        async with host(path, {"a": sleep}, lease_s=3_600) as one:
            started = await one.start(ONE, flow_id="f")
            waiting = asyncio.ensure_future(started.wait())
            await until(lambda: started.state.status == "in-progress")
        with pytest.raises(ConductorError, match="the host closed"):
            await waiting
        with pytest.raises(ConductorError, match="the host closed"):
            await started.pause(by="ana")
        async with host(path) as two:
            assert (await (await two.flow("f")).wait()).status == "success"

    play(script())


def test_a_thread_that_does_not_listen_is_left_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host closes without it; when its lease has run out another begins its work again."""
    monkeypatch.setattr(waiting, "LEFT_BEHIND_S", 0)
    began, go_on = threading.Event(), threading.Event()

    def wait(_context: StepContext) -> None:
        began.set()
        go_on.wait(60)

    async def script() -> None:
        async with host(path, {"a": wait}, lease_s=0.5) as one:
            await one.start(ONE, flow_id="f")
            await until(began.is_set)
            await one.close(grace_s=0)
        with SqliteStore(path) as store, store.reading():
            found = store.order(("f", STEP, "a#1"))
            assert found is not None
            assert found[1] is not None
        async with host(path, lease_s=0.1) as two:
            assert (await (await two.flow("f")).wait()).status == "success"
        go_on.set()

    play(script())


def test_a_drained_host_finishes_what_it_began(path: Path) -> None:
    """And takes nothing more."""
    go_on = asyncio.Event()

    async def wait(_context: StepContext) -> None:
        await go_on.wait()

    async def script() -> None:
        async with host(path, {"a": wait, "b": wait}) as one:
            started = await one.start(flow(group("g", "a", "b")), flow_id="f")
            await started.until(lambda state: any(a.started for a in state.attempts()))
            asyncio.get_running_loop().call_soon(go_on.set)
            await one.drain(grace_s=60)
            state = await started.refresh()
            assert [attempt.status.value for attempt in state.attempts()] == ["success", "queued"]

    play(script())


def test_work_that_was_lost_is_let_go(path: Path) -> None:
    """Another worker does it; when both have ended, it was done once as far as anybody sees."""
    let_go = asyncio.Event()
    clock = [0]

    async def sleep(_context: StepContext) -> str:
        try:
            await asyncio.sleep(3_600)
        finally:
            let_go.set()
        return "late"

    async def script() -> None:
        meter = Meter()
        how: dict[str, Any] = {"lease_s": 3_600, "meter": meter}
        stopped = host(path, {"a": sleep}, lease_clock_ms=lambda: 0, **how)
        async with stopped as one:
            started = await one.start(ONE, flow_id="f")
            async with host(path, lease_s=3_600, lease_clock_ms=lambda: 3_600_000 + clock[0]):
                assert (await started.wait()).status == "success"
                await asyncio.wait_for(let_go.wait(), 60)
            log = await started.log()
        assert sum("step-finished" in line for line in log) == 1
        assert meter.seen["conductor.leases.lost"] == 1

    play(script())


# --- processes ---


ROOT = Path(__file__).parents[2]


WORKER = """
import asyncio, sys
from conductor_adapters.sqlite import SqliteHost

async def work(context):
    with open(sys.argv[2], "a") as file:
        print(context.flow_id, context.attempt, file=file, flush=True)
    await asyncio.sleep(0.002)
    return context.attempt

async def main():
    async with SqliteHost({"w": work}, path=sys.argv[1], poll_s=0.005, slots=4):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


def test_four_processes_share_the_work(path: Path, tmp_path: Path) -> None:
    """Each attempt is carried out once while leases hold, and all flows end well."""
    ran = tmp_path / "ran"
    command = [sys.executable, "-c", WORKER, str(path), str(ran)]
    pipe = subprocess.PIPE
    children = [
        subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(4)
    ]

    async def script() -> list[SqliteFlow]:
        async with host(path, {}) as client:
            steps = [StepSpec(key=f"s{number}", work="w") for number in range(12)]
            spec = flow(group("g", *steps[:8], parallel=True), group("h", *steps[8:]))
            flows = [await client.start(spec, flow_id=f"f{number}") for number in range(8)]
            await asyncio.gather(*(started.wait() for started in flows))
            return flows

    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        flows = play(script())
    finally:
        for child in children:
            child.communicate()
    assert [child.returncode for child in children] == [0, 0, 0, 0]
    assert {started.state.status for started in flows} == {"success"}
    lines = ran.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 8 * 12
    with SqliteStore(path) as store:
        for started in flows:
            replayed = replay(log_lines(store.entries(started.flow_id)))
            assert (replayed.state, replayed.closed) == (started.state, True)
