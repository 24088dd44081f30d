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
from collections.abc import Container
from pathlib import Path
from typing import Any, Final

import psutil
from attrs import define

from conductor_adapters.durable import DurableHost
from conductor_adapters.sqlite import SqliteFlow
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.work import StepContext, StepFailure, StepResult
from conductor_core import ApprovalSpec, FlowSpec, FlowState, GroupSpec, StepSpec
from conductor_core.spec import RetryPolicy

LEASE_S: Final = 2.0
IN_FLIGHT: Final = 6
CANCELLED: Final = 4
"""Every so manieth flow is cancelled in its middle."""
BY_ITSELF: Final = 1 / 500
"""So likely a child kills itself at a statement."""

FLOW: Final = FlowSpec(
    groups=[
        GroupSpec(
            key="first",
            steps=[
                StepSpec(key="plan", work="sleep", approval=ApprovalSpec()),
                StepSpec(key="apply", work="thread", needs=["plan"]),
                StepSpec(
                    key="once",
                    work="sleep",
                    on_recovery="fail",
                    retryable=False,
                    skip_on_failure=True,
                    retry=RetryPolicy(max_auto_retries=0),
                ),
            ],
        ),
        GroupSpec(
            key="wide",
            parallel=True,
            max_parallel=3,
            steps=[
                StepSpec(key="a", work="sleep", timeout_ms=600_000),
                StepSpec(key="b", work="thread"),
                StepSpec(
                    key="c", work="fail", retry=RetryPolicy(max_auto_retries=9, backoff_ms=(20,))
                ),
                StepSpec(key="d", work="nothing"),
            ],
        ),
        GroupSpec(key="last", steps=[StepSpec(key="publish", work="nothing")]),
    ]
)


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

    def host(self, handlers: dict[str, Any]) -> DurableHost:
        """A host on the file of the folder."""
        return DurableHost(
            handlers,
            open_store=self.store,
            lease_s=LEASE_S,
            poll_s=0.01,
            slots=5,
            max_deliveries=10_000,
            snapshot_every=10,
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
            "sleep": self.sleep, "thread": self.thread, "fail": self.fail, "nothing": self.nothing,
        }  # fmt: skip
        async with self.host(handlers):
            await asyncio.to_thread(sys.stdin.read)

    async def sleep(self, context: StepContext) -> StepResult:
        """Take some time, and look into the log first."""
        self.begin(context)
        await asyncio.sleep(self.chance.uniform(0, 0.03))
        self.end(context)
        return StepResult(output=context.attempt, subject="plan")

    def thread(self, context: StepContext) -> str:
        """Take some time in a thread that does not listen."""
        self.begin(context)
        time.sleep(self.chance.uniform(0, 0.03))
        self.end(context)
        return context.attempt

    async def fail(self, context: StepContext) -> None:
        """Fail at the first attempt."""
        self.begin(context)
        self.end(context)
        if context.attempt.endswith("#1"):
            raise StepFailure("not yet")

    async def nothing(self, context: StepContext) -> None:
        """Do nothing."""
        self.begin(context)
        self.end(context)

    def begin(self, context: StepContext) -> None:
        """Write down that work begins, and what is wrong with that."""
        what = f"{context.flow_id} {context.attempt}"
        if self.has_finished(context):
            self.note("wrong", what, "had finished and ran again")
        for pid in self.under_way(what):
            if runs(pid):
                self.note("wrong", what, f"runs in process {pid} as well")
        self.note("ran", "begin", what, os.getpid())

    def end(self, context: StepContext) -> None:
        """Write down that work ends."""
        self.note("ran", "end", context.flow_id, context.attempt, os.getpid())

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

    def under_way(self, what: str) -> set[int]:
        """The processes that began some work and did not end it."""
        file = self.folder / "ran"
        words = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        begun = Counter(w[3] for w in words if w[0] == "begin" and f"{w[1]} {w[2]}" == what)
        begun.subtract(w[3] for w in words if w[0] == "end" and f"{w[1]} {w[2]}" == what)
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
                    name = f"f{number}"
                    if name not in known or known[name].status not in ("success", "cancelled"):
                        live[name] = asyncio.create_task(self.accompany(host, name, number))
                    number += 1
                await asyncio.sleep(0.01)

    def wanted(self, number: int, known: Container[str]) -> bool:
        """Whether a flow is to be seen to: one that was begun, or another while all goes on."""
        return f"f{number}" in known or not (self.folder / "stop").exists()

    async def accompany(self, host: DurableHost, name: str, number: int) -> None:
        """Do for one flow what people do."""
        flow = await host.start(FLOW, flow_id=name)
        if number % CANCELLED == 0:
            await asyncio.sleep(self.chance.uniform(0, 0.3))
            verdict = await flow.cancel(by="bo", request_id=f"{name}-cancel")
            self.note("said", name, f"{name}-cancel", str(verdict))
        await self.approve(flow, name)
        await flow.wait()

    async def approve(self, flow: SqliteFlow, name: str) -> None:
        """Approve the plan, twice for good measure."""
        state = await flow.until(asks_or_ended)
        for _ in range(2):
            if state.outcome is None:
                verdict = await flow.approve("plan", by="ana", request_id=f"{name}-approve")
                self.note("said", name, f"{name}-approve", str(verdict))


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
