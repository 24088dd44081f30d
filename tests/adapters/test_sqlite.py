"""Flows in one file: by whichever process takes them up, and with nothing lost between them."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from conductor_adapters import crew, durable
from conductor_adapters.client import Client
from conductor_adapters.clock import VirtualClock
from conductor_adapters.memory import MemoryHost
from conductor_adapters.sqlite import SqliteClient, SqliteFlow, SqliteHost
from conductor_adapters.store import FlowExists, StoreError, UnknownFlow, desk
from conductor_adapters.store.kept import log_lines
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.work import HostFailure, StepContext, StepFailure, StepResult
from conductor_core import ApprovalSpec, FlowSpec, FlowState, StepSpec, loglines
from conductor_core.commands import RequestApproval
from conductor_core.errors import ConductorError, FormatError, SpecError
from conductor_core.events import Event
from conductor_core.log import replay
from conductor_core.reducer import Transition
from conductor_core.testing.brief import flow, group
from conductor_core.verdicts import Accepted
from tests.adapters.processes import play, until

ROOT = Path(__file__).parents[2]
ASKS = flow(
    group("g", StepSpec(key="plan", approval=ApprovalSpec()), StepSpec(key="apply", needs=["plan"]))
)
ONE = flow(group("g", "a"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a file that is not there yet."""
    return tmp_path / "flows.db"


def plan(_context: StepContext) -> StepResult:
    """Plan in a thread."""
    return StepResult(output={"add": 3}, subject="3 servers")


async def apply(context: StepContext) -> str:
    """Do what was planned."""
    return f"added {context.needs['plan']['add']}, as {context.subjects['plan']} were approved"


async def nothing(_context: StepContext) -> None:
    """Do nothing."""


HANDLERS: dict[str, Any] = {"plan": plan, "apply": apply, "a": nothing, "b": nothing}


def host(path: Path, handlers: dict[str, Any] | None = None, **how: Any) -> SqliteHost:
    """A host that looks often."""
    how = {"poll_s": 0.005} | how
    does = HANDLERS if handlers is None else handlers
    return SqliteHost(does, path=path, synchronous="NORMAL", **how)


def asks(state: FlowState) -> bool:
    """Whether people are asked."""
    return bool(state.open_approvals())


# --- the one line ---


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


def orders(path: Path) -> list[Any]:
    """What is in the outbox."""
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT flow_id, name, owner FROM outbox").fetchall()


# --- watching ---


def test_observers_see_what_their_host_appends(path: Path) -> None:
    """In order, each entry once; what an observer raises is its own affair."""
    seen: list[str] = []

    def observe(event: Event, _transition: Transition) -> None:
        seen.append(type(event).__name__)
        raise ValueError

    async def script() -> None:
        async with host(path, observe=observe) as worker:
            await (await worker.start(ONE, flow_id="f")).wait()

    play(script())
    assert seen == ["FlowStarted", "StepStarted", "StepFinished"]


def test_until_sees_states_that_pass(path: Path) -> None:
    """Also those that did not last."""

    async def script() -> None:
        async with host(path) as worker:
            started = await worker.start(flow(group("g", "a"), group("h", "b")), flow_id="f")
            await started.until(lambda state: state.outcome is not None)
            with pytest.raises(ZeroDivisionError):
                await started.until(lambda _state: bool(1 // 0))

    play(script())


class Meter:
    """Keeps the last measure of each name."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def count(self, name: str, labels: Mapping[str, str]) -> None:
        """Count one more."""
        self.seen[name] = self.seen.get(name, 0) + 1

    def measure(self, name: str, ms: int, labels: Mapping[str, str]) -> None:
        """Take a duration in milliseconds."""
        self.seen[name] = ms


def test_the_age_of_the_outbox_is_measured(path: Path) -> None:
    """So that who watches sees when nobody takes what waits."""

    async def script() -> None:
        clock, meter = VirtualClock(), Meter()
        async with host(path, {}, clock=clock) as client:
            await client.start(ONE, flow_id="f")
        clock.advance(60_000)
        async with host(path, {"b": nothing}, clock=clock, meter=meter, lease_s=0.03):
            await until(lambda: meter.seen.get("conductor.outbox.age") == 60_000)

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


# --- what goes wrong ---


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
    monkeypatch.setattr(crew, "AGAIN_S", 0.01)
    calls: list[str] = []
    full = threading.Event()

    class Disk(SqliteStore):
        def append(self, flow_id: str, seq: int, lines: str) -> None:
            if full.is_set():
                raise sqlite3.OperationalError("database or disk is full")
            super().append(flow_id, seq, lines)

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


# --- ending ---


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
    """The host closes without it, and another begins its work again."""
    monkeypatch.setattr(durable, "LEFT_BEHIND_S", 0)
    began, go_on = threading.Event(), threading.Event()

    def wait(_context: StepContext) -> None:
        began.set()
        go_on.wait(60)

    async def script() -> None:
        async with host(path, {"a": wait}) as one:
            await one.start(ONE, flow_id="f")
            await until(began.is_set)
            await one.close(grace_s=0)
        async with host(path) as two:
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
