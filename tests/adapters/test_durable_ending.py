"""What still ends on a host is not taken for what begins anew under the same name."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from attrs import evolve

from conductor_adapters.durable import DurableHost
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.work import StepContext
from conductor_core import FlowSpec, StepSpec
from conductor_core.commands import GenerateSteps
from conductor_core.spec import GroupSpec, RetryPolicy
from conductor_core.testing.brief import flow, group
from tests.adapters.processes import play, until
from tests.adapters.sqlite_hosts import ONE, host, nothing, turns

ROOT = Path(__file__).parents[2]
MADE = FlowSpec(type="made")


def removed(path: Path, flow_id: str = "f") -> None:
    """Remove a flow from another process."""
    with SqliteStore(path) as store, store.transaction():
        store.remove_flow(flow_id)


def test_a_deaf_thread_that_gave_up_is_not_taken_for_the_new_attempt(path: Path) -> None:
    """Its flow timed out, ended and was removed; the new one under its id does its own work."""
    go_on = threading.Event()
    calls: list[str] = []

    def work(_context: StepContext) -> str:
        calls.append("called")
        if len(calls) == 1:
            go_on.wait(60)
            return "old"
        return "new"

    once = RetryPolicy(max_auto_retries=0)

    async def script() -> None:
        async with host(path, {"a": work}, lease_s=0.5) as one, host(path, {}) as client:
            spec = flow(group("g", StepSpec(key="a", timeout_ms=100, retry=once)))
            assert (await (await one.start(spec, flow_id="f")).wait()).status == "error"
            removed(path)
            started = await client.start(ONE, flow_id="f")
            await asyncio.sleep(0.1)
            go_on.set()
            assert (await started.wait()).status == "success"
            log = "".join(await started.log())
        assert (log.count('"new"'), log.count('"old"')) == (1, 0)

    play(script())


def test_a_late_answer_is_not_heard_while_the_new_attempt_is_being_taken(path: Path) -> None:
    """The old thread ends in the middle of the transaction that takes the new attempt."""
    armed, reads, go_on, go_read = (threading.Event() for _ in range(4))
    calls: list[str] = []

    class Slow(SqliteStore):
        def ready(self, kind: str, work: str, *, at_ms: int, limit: int) -> Any:
            found = super().ready(kind, work, at_ms=at_ms, limit=limit)
            if armed.is_set() and found:
                reads.set()
                go_read.wait(30)
            return found

    def work(_context: StepContext) -> str:
        calls.append("called")
        if len(calls) == 1:
            go_on.wait(60)
            return "old"
        return "new"

    async def script() -> None:
        one = DurableHost(
            {"a": work},
            open_store=lambda: Slow(path, synchronous="NORMAL"),
            poll_s=0.005,
            lease_s=0.5,
        )
        async with one:
            await one.start(ONE, flow_id="f")
            await until(lambda: calls)
            removed(path)
            started = await one.start(ONE, flow_id="f")
            await asyncio.sleep(0.1)
            armed.set()
            await until(reads.is_set)
            go_on.set()
            await until(lambda: one.under_way() == 0)
            await turns()
            go_read.set()
            assert (await started.wait()).status == "success"
            log = "".join(await started.log())
        assert (log.count('"new"'), log.count('"old"')) == (1, 0)

    play(script())


def test_groups_of_the_old_flow_are_not_taken_for_those_of_the_new_one(path: Path) -> None:
    """A generator of the old flow that still runs says nothing of the new one."""
    go_on = asyncio.Event()
    asked: list[str] = []

    async def make(command: GenerateSteps) -> list[GroupSpec]:
        asked.append(command.metadata.text)
        if len(asked) == 1:
            await go_on.wait()
        return [group("new" if "new" in command.metadata.text else "old", "a")]

    async def script() -> None:
        how: dict[str, Any] = {"generators": {"made": make}, "lease_s": 0.5}
        async with host(path, {"a": nothing}, **how) as one:
            await one.start(MADE, flow_id="f")
            await until(lambda: asked)
            removed(path)
            started = await one.start(evolve(MADE, metadata={"of": "new"}), flow_id="f")
            await asyncio.sleep(0.3)
            go_on.set()
            assert (await started.wait()).status == "success"
            assert '"key":"new"' in "".join(await started.log())

    play(script())


def test_a_lone_worker_takes_what_waited_for_its_own_end_at_once(path: Path) -> None:
    """And not only when it is time to renew its lease."""
    calls: list[str] = []

    async def work(_context: StepContext) -> None:
        calls.append("called")
        if len(calls) == 1:
            try:
                await asyncio.sleep(3_600)
            finally:
                await asyncio.sleep(0.1)

    async def script() -> None:
        async with host(path, {"a": work}, lease_s=3_600) as one:
            await one.start(ONE, flow_id="f")
            await until(lambda: calls)
            removed(path)
            started = await one.start(ONE, flow_id="f")
            assert (await asyncio.wait_for(started.wait(), 10)).status == "success"

    play(script())
