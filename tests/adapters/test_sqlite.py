"""Flows in one file: by whichever process takes them up, and with nothing lost between them."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from conductor_adapters.client import Client
from conductor_adapters.clock import VirtualClock
from conductor_adapters.memory import MemoryHost
from conductor_adapters.sqlite import SqliteClient, SqliteHost
from conductor_adapters.store import FlowExists, UnknownFlow
from conductor_adapters.work import StepContext, StepFailure
from conductor_core import ApprovalSpec, FlowSpec, StepSpec
from conductor_core.commands import RequestApproval
from conductor_core.errors import SpecError
from conductor_core.log import replay
from conductor_core.testing.brief import flow, group
from conductor_core.verdicts import Accepted
from tests.adapters.processes import play, until
from tests.adapters.sqlite_hosts import (
    ASKS,
    HANDLERS,
    ONE,
    asks,
    host,
    nothing,
    orders,
)


async def deploy(made: MemoryHost | SqliteHost) -> str:
    """A program that does not know where its flow lives."""
    async with made as host:
        started = await host.start(ASKS, flow_id="deploy-1")
        await started.until(asks)
        assert await started.approve("plan", by="ana") == Accepted()
        outcome = await started.wait()
        assert outcome.status == "success"
        found = started.state.attempt("apply#1")
        assert found is not None
        assert found.result is not None
        return str(found.result.output.value)


def test_a_program_moves_from_memory_to_a_file_in_one_line(path: Path) -> None:
    """Handlers, handle and outcome are the same."""
    results = {play(deploy(made)) for made in (MemoryHost(HANDLERS), host(path))}
    assert results == {"added 3, as 3 servers were approved"}


def test_a_host_is_a_client() -> None:
    """It has the verbs that every durable host has."""
    client: Client = SqliteClient("somewhere.db")
    assert client is not None


# --- starting ---


def test_a_start_may_be_repeated(path: Path) -> None:
    """Also by the next process: it finds the flow where it is."""

    async def script() -> None:
        async with host(path) as first:
            started = await first.start(ASKS, flow_id="f")
            await started.until(asks)
        async with host(path) as second:
            again = await second.start(ASKS, flow_id="f")
            assert again.state.open_approvals()
            with pytest.raises(FlowExists, match="'f'"):
                await second.start(ONE, flow_id="f")
            with pytest.raises(SpecError):
                await second.start(ONE, flow_id="no good id")
            assert await again.approve("plan", by="ana") == Accepted()
            assert (await again.wait()).status == "success"

    play(script())


def test_a_handler_that_is_missing_everywhere_is_told(path: Path) -> None:
    """Before the flow begins; one on another worker that lives is not missing."""

    async def script() -> None:
        async with host(path, {"a": nothing}) as one:
            spec = flow(group("g", "a", "b"))
            with pytest.raises(SpecError, match="no handler is named 'b'"):
                await one.start(spec, flow_id="f")
            with pytest.raises(UnknownFlow):
                await one.flow("f")
            async with host(path, {"b": nothing}):
                started = await one.start(spec, flow_id="f")
                assert (await started.wait()).status == "success"
            with pytest.raises(SpecError, match="no generator makes those of 'flow'"):
                await one.start(FlowSpec(), flow_id="made")

    play(script())


def test_who_only_asks_may_start_what_nobody_does_yet(path: Path) -> None:
    """It waits in the file for a worker."""

    async def script() -> None:
        async with host(path, {}) as client:
            started = await client.start(ONE, flow_id="f")
            assert await client.waiting_works() == [("step", "a", 1)]
            async with host(path):
                assert (await started.wait()).status == "success"
            assert await client.waiting_works() == []

    play(script())


def test_what_nobody_does_is_told_while_it_waits(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By every worker that looks, and once."""

    async def script() -> None:
        async with host(path, {}) as client:
            await client.start(ONE, flow_id="f")
            async with host(path, {"b": nothing}, lease_s=0.03):
                await until(lambda: "no worker has a handler for 'a'" in caplog.text)

    with caplog.at_level(logging.WARNING):
        play(script())
    assert caplog.text.count("no worker has a handler for 'a'") == 1


# --- people at one host, work at another ---


def test_people_and_work_meet_in_the_file(path: Path) -> None:
    """A client approves, the worker hears of it, the client sees the end and every state."""

    async def script() -> None:
        async with host(path) as worker:
            await worker.start(ASKS, flow_id="f")
            async with SqliteClient(path) as client:
                seen = await client.flow("f")
                await seen.until(asks)
                assert "plan#1" in str(await seen.explain())
                assert str(await seen.approve("other", by="ana")) == "rejected(unknown-step)"
                assert await seen.approve("plan", by="ana") == Accepted()
                statuses = [state.status async for state in seen.watch()]
                assert statuses[-1] == "success"
                assert [row.status for row in await client.list()] == ["success"]
                assert await client.list(statuses=["paused"]) == []
                assert replay(await seen.log()).state == seen.state

    play(script())


def test_a_cancel_reaches_work_in_another_host(path: Path) -> None:
    """A coroutine is interrupted, a thread sees that it is asked."""
    began = threading.Event()

    async def sleep(_context: StepContext) -> None:
        await asyncio.sleep(3_600)

    def wait(context: StepContext) -> str:
        began.set()
        context.cancellation.wait(3_600)
        context.check_cancellation()
        return "was not asked"

    async def script() -> None:
        async with host(path, {"a": sleep, "b": wait}), host(path, {}) as client:
            started = await client.start(flow(group("g", "a", "b", parallel=True)), flow_id="f")
            await until(began.is_set)
            assert await started.cancel(by="ana") == Accepted()
            outcome = await started.wait()
            assert (outcome.status, outcome.message) == ("cancelled", None)

    play(script())


def test_people_are_asked_once_and_by_who_can(path: Path) -> None:
    """A host without `ask` leaves the question to one that has it."""
    asked: list[tuple[str, str]] = []

    def ask(flow_id: str, command: RequestApproval) -> None:
        asked.append((flow_id, command.attempt))

    async def script() -> None:
        async with host(path) as worker:
            started = await worker.start(ASKS, flow_id="f")
            await started.until(asks)
            for _ in range(2):
                async with host(path, {}, ask=ask):
                    await until(lambda: asked)
                    await until(lambda: not orders(path))

    play(script())
    assert asked == [("f", "plan#1")]


# --- generators ---


def test_a_generator_has_orders_too(path: Path) -> None:
    """What it makes runs, what it raises ends the flow."""

    def make(command: Any) -> Any:
        if command.metadata.value.get("fail"):
            raise StepFailure("no servers", non_retryable=True)
        return [group("g", "a")]

    async def script() -> None:
        async with host(path, generators={"flow": make}) as worker:
            made = await worker.start(FlowSpec(), flow_id="made")
            assert (await made.wait()).status == "success"
            failed = await worker.start(FlowSpec(metadata={"fail": True}), flow_id="failed")
            outcome = await failed.wait()
            assert (outcome.reason, outcome.message) == (
                "generation-failed",
                "Step generation failed",
            )
            assert orders(path) == []

    play(script())


def test_a_cancelled_generation_is_ended(path: Path) -> None:
    """Its order goes with it."""
    ended = asyncio.Event()

    async def make(_command: Any) -> Any:
        try:
            await asyncio.sleep(3_600)
        finally:
            ended.set()

    async def script() -> None:
        async with host(path, generators={"flow": make}) as worker:
            started = await worker.start(FlowSpec(), flow_id="f")
            await started.cancel(by="ana")
            assert (await started.wait()).status == "cancelled"
            await asyncio.wait_for(ended.wait(), 60)
            await until(lambda: not orders(path))

    play(script())


# --- time ---


def test_timers_are_rows(path: Path) -> None:
    """They fire when the clock of a worker says so, in whichever process."""

    async def script() -> None:
        clock = VirtualClock()
        spec = flow(group("g", StepSpec(key="plan", approval=ApprovalSpec(timeout_ms=86_400_000))))
        async with host(path, clock=clock) as one:
            started = await one.start(spec, flow_id="f")
            await started.until(asks)
        async with host(path, clock=clock) as two:
            again = await two.flow("f")
            clock.advance(86_399_999)
            assert (await again.refresh()).outcome is None
            waiting = asyncio.ensure_future(again.wait())
            while not waiting.done():
                clock.advance(1)
                await asyncio.sleep(0.001)
            assert (await waiting).reason == "approval-expired"

    play(script())
