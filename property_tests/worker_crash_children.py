"""The processes that share a file of flows while somebody kills them: workers, and who asks.

Rule: a child writes down what it begins, ends and is told, each at once, so that whoever is
left can compare it with the log. `worker_crashes` begins and kills them.

    python -m property_tests.worker_crash_children work|coordinate FOLDER SEED [--deadly]
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil
from attrs import define

from conductor_adapters.durable import DurableHost
from conductor_adapters.sqlite import SqliteFlow
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.work import StepContext, StepFailure, StepResult
from conductor_core import FlowState, GroupSpec
from conductor_core.commands import GenerateSteps
from conductor_core.verdicts import Verdict
from property_tests.worker_crash_flows import (
    CANCELLED,
    GROUPS,
    MADE,
    PAUSED,
    every,
    name_of,
    ran,
    spec_of,
)

LEASE_S: Final = 3.0
"""Longer than any process is held up that nobody kills."""
IN_FLIGHT: Final = 12
BY_ITSELF: Final = 1 / 500
"""So likely a child kills itself at a statement."""


class Deadly:
    """A connection that kills its process at a random statement."""

    def __init__(self, connection: sqlite3.Connection, chance: random.Random) -> None:
        self._connection = connection
        self._chance = chance

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Execute a statement, or die before it."""
        if self._chance.random() < BY_ITSELF:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._connection.execute(statement, parameters)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection.in_transaction


@define
class Child:
    """What a child knows: its folder, and its own chance."""

    folder: Path
    chance: random.Random
    deadly: bool

    def host(self, handlers: dict[str, Any], **more: Any) -> DurableHost:
        """A host on the file of the folder."""
        return DurableHost(
            handlers,
            open_store=self.store,
            lease_s=LEASE_S,
            poll_s=0.01,
            slots=5,
            max_deliveries=10_000,
            snapshot_every=10,
            **more,
        )

    def store(self) -> SqliteStore:
        """The store, which may be the end of its process."""
        store = SqliteStore(self.folder / "flows.db", synchronous="NORMAL")
        if self.deadly:
            # It stands in for a connection, as far as a store uses one.
            store.connection = Deadly(store.connection, self.chance)  # type: ignore[assignment]
        return store

    def note(self, file: str, *words: object) -> None:
        """Write a line that outlives this process."""
        with (self.folder / file).open("a") as lines:
            print(*words, file=lines, flush=True)

    # --- a worker ---

    async def work(self) -> None:
        """Carry steps out until told to end."""
        handlers = {
            "sleep": self.sleep, "thread": self.thread, "fail": self.fail,
            "nothing": self.nothing, "late": self.late, "last": self.last,
        }  # fmt: skip
        async with self.host(handlers, generators={MADE: self.make}):
            await asyncio.to_thread(sys.stdin.read)

    async def sleep(self, context: StepContext) -> StepResult:
        """Take some time, and look into the log first."""
        self.begin(context)
        await asyncio.sleep(self.chance.uniform(0, 0.03))
        return StepResult(output=self.end(context), subject="plan")

    def thread(self, context: StepContext) -> dict[str, Any]:
        """Take some time in a thread that does not listen."""
        self.begin(context)
        time.sleep(self.chance.uniform(0, 0.03))
        return self.end(context)

    async def fail(self, context: StepContext) -> dict[str, Any]:
        """Fail at the first attempt."""
        self.begin(context)
        if context.attempt.endswith("#1"):
            self.end(context)
            raise StepFailure("not yet")
        return self.end(context)

    async def nothing(self, context: StepContext) -> dict[str, Any]:
        """Do nothing."""
        self.begin(context)
        return self.end(context)

    async def late(self, context: StepContext) -> dict[str, Any]:
        """Do not come to an end at the first attempt."""
        self.begin(context)
        try:
            if context.attempt.endswith("#1"):
                await asyncio.Event().wait()
        finally:
            told = self.end(context)
        return told

    async def last(self, context: StepContext) -> dict[str, Any]:
        """Fail for good at the first attempt, where the flow is one of those."""
        self.begin(context)
        told = self.end(context)
        if context.metadata["stuck"] and context.attempt.endswith("#1"):
            raise StepFailure("somebody must look at it", non_retryable=True)
        return told

    async def make(self, _command: GenerateSteps) -> Sequence[GroupSpec]:
        """Make the groups of a flow, in some time."""
        await asyncio.sleep(self.chance.uniform(0, 0.03))
        return GROUPS

    def begin(self, context: StepContext) -> None:
        """Write down that work begins, and what is wrong with that."""
        if self.has_finished(context):
            self.note("wrong", context.flow_id, context.attempt, "had finished and ran again")
        for pid in self.under_way(context):
            if runs(pid):
                self.note("wrong", context.flow_id, context.attempt, f"runs in {pid} as well")
        self.note(ran(context.flow_id), "begin", context.attempt, os.getpid())

    def end(self, context: StepContext) -> dict[str, Any]:
        """Write down that work ends; what is said of it."""
        self.note(ran(context.flow_id), "end", context.attempt, os.getpid())
        return {"attempt": context.attempt, "process": os.getpid()}

    def has_finished(self, context: StepContext) -> bool:
        """Whether the log says that an attempt has finished."""
        with sqlite3.connect(self.folder / "flows.db", timeout=30) as connection:
            rows = connection.execute(
                "SELECT lines FROM entries WHERE flow_id = ? AND seq > 0", [context.flow_id]
            ).fetchall()
        connection.close()
        told = (json.loads(lines.partition("\n")[0])["event"] for (lines,) in rows)
        return any(
            event["type"] == "step-finished" and event["attempt"] == context.attempt
            for event in told
        )

    def under_way(self, context: StepContext) -> set[int]:
        """The processes that began this work and did not end it."""
        file = self.folder / ran(context.flow_id)
        words = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        begun = Counter(w[2] for w in words if w[:2] == ["begin", context.attempt])
        begun.subtract(w[2] for w in words if w[:2] == ["end", context.attempt])
        return {int(pid) for pid, left in begun.items() if left > 0}

    # --- who speaks to them ---

    async def coordinate(self) -> None:
        """Start flows, approve and cancel, until told to end and all have ended."""
        async with self.host({}) as host:
            live: dict[str, asyncio.Task[None]] = {}
            known = {row.flow_id: row for row in await host.list(limit=100_000)}
            number = 0
            while live or self.wanted(number, known):
                live = {name: task for name, task in live.items() if not checked(task)}
                while len(live) < IN_FLIGHT and self.wanted(number, known):
                    name = name_of(number)
                    if name not in known or known[name].status not in ("success", "cancelled"):
                        live[name] = asyncio.create_task(self.accompany(host, number))
                    number += 1
                await asyncio.sleep(0.01)

    def wanted(self, number: int, known: Container[str]) -> bool:
        """Whether a flow is to be seen to: one that was begun, or another while all goes on."""
        return name_of(number) in known or not (self.folder / "stop").exists()

    async def accompany(self, host: DurableHost, number: int) -> None:
        """Do for one flow what people do."""
        flow = await host.start(spec_of(number), flow_id=name_of(number))
        if every(PAUSED, number):
            await asyncio.sleep(self.chance.uniform(0, 0.3))
            await self.say(flow.pause, flow, "pause")
            await self.say(flow.resume, flow, "resume")
        if every(CANCELLED, number):
            await asyncio.sleep(self.chance.uniform(0, 0.3))
            await self.say(flow.cancel, flow, "cancel")
        state = await flow.until(asks_or_ended)
        for _ in range(2):  # Twice for good measure: it counts once.
            if state.outcome is None:
                await self.say(partial(flow.approve, "plan"), flow, "approve")
        while (await flow.wait()).status == "error":
            await self.say(partial(flow.retry, "publish"), flow, "retry")

    async def say(
        self, ask: Callable[..., Awaitable[Verdict]], flow: SqliteFlow, word: str
    ) -> None:
        """Ask something of a flow, and write down what came of it."""
        request_id = f"{flow.flow_id}-{word}"
        verdict = await ask(by="ana", request_id=request_id)
        self.note("said", flow.flow_id, request_id, verdict)


def asks_or_ended(state: FlowState) -> bool:
    """Whether people are asked, or nobody is any more."""
    return state.outcome is not None or bool(state.open_approvals())


def checked(task: asyncio.Task[None]) -> bool:
    """Whether a task is done; raises what it raised."""
    if task.done():
        task.result()
    return task.done()


def runs(pid: int) -> bool:
    """Whether a process lives."""
    try:
        return pid != os.getpid() and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def main(role: str, folder: str, seed: str, *options: str) -> None:
    """Be a child."""
    this = Child(Path(folder), random.Random(int(seed)), "--deadly" in options)
    asyncio.run(this.work() if role == "work" else this.coordinate())


if __name__ == "__main__":
    main(*sys.argv[1:])
