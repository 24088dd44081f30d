"""SIGKILL of workers and of who speaks to them, over flows in one SQLite file.

Rule: however often they are killed, between whichever two statements, every flow ends as its
reducer says, every log verifies, nothing that the log says has finished runs again, no two
that live work on one attempt, what must not run twice does not, and every request that was
acknowledged stands in the log, where it counts once.

    python -m property_tests.worker_crashes --kills 100 --seed 7

Children are killed at random moments from outside, and besides kill themselves at random
statements of the store, begin and commit included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Container, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psutil
from attrs import define, field, frozen

from conductor_adapters.durable import DurableHost
from conductor_adapters.sqlite import SqliteFlow
from conductor_adapters.store.kept import log_lines
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.work import StepContext, StepFailure, StepResult
from conductor_core import ApprovalSpec, FlowSpec, FlowState, GroupSpec, StepSpec
from conductor_core.events import is_request
from conductor_core.log import Entry, read_log, replay
from conductor_core.spec import RetryPolicy
from conductor_core.verdicts import Accepted

PATIENCE_S: Final = 120.0
LEASE_S: Final = 2.0
IN_FLIGHT: Final = 6
WORKERS: Final = 3
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
ENDS: Final = {
    "plan#1": "success", "apply#1": "success", "a#1": "success", "b#1": "success",
    "c#1": "error", "c#2": "success", "d#1": "success", "publish#1": "success",
}  # fmt: skip


class CrashError(AssertionError):
    """What a crash broke."""


# --- children ---


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
        state = await flow.until(partial(asks_or_ended))
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


# --- who kills them ---


@frozen
class Story:
    """What became of the flows of one file."""

    kills: int
    by_themselves: int
    flows: int
    entries: int
    begun_again: int
    interrupted: int


@define
class Killer:
    """Children in one folder, and what kills them."""

    folder: Path
    chance: random.Random
    kills: int = 0
    by_themselves: int = 0
    children: dict[str, subprocess.Popen[bytes]] = field(factory=dict)

    def run(self, kills: int) -> Story:
        """Kill so many, let the rest go on in peace, and see what became of all."""
        names = ["coordinate", *(f"work-{number}" for number in range(WORKERS))]
        try:
            for name in names:
                self.spawn(name, deadly=True)
            while self.kills < kills:
                time.sleep(self.chance.uniform(0.1, 0.9))
                self.kill(self.chance.choice(names))
                self.replace_the_dead()
                self.check_nothing_wrong()
            (self.folder / "stop").touch()
            for name in names:
                self.kill(name)
                self.spawn(name, deadly=False)
            self.wait_for_the_end()
        finally:
            for child in self.children.values():
                child.kill()
                child.communicate()
        return self.checked()

    def spawn(self, name: str, *, deadly: bool) -> None:
        """Begin a child."""
        role = name.partition("-")[0]
        seed = str(self.chance.randrange(2**32))
        command = [sys.executable, "-m", "property_tests.worker_crashes", "--as", role]
        command += [str(self.folder), seed, *(["--deadly"] if deadly else [])]
        with (self.folder / "errors").open("ab") as errors:
            self.children[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors)

    def kill(self, name: str) -> None:
        """Kill a child."""
        child = self.children[name]
        if child.poll() is None:
            child.kill()
            self.kills += 1
            self.by_themselves -= 1
        child.communicate()

    def replace_the_dead(self) -> None:
        """Begin children anew in place of those that were killed, or killed themselves."""
        for name, child in self.children.items():
            code = child.poll()
            if code is None:
                continue
            self.by_themselves += 1
            if code != -signal.SIGKILL:
                raise CrashError(f"{name} ended with {code}: {self.text('errors')[-4_000:]}")
            child.communicate()
            self.spawn(name, deadly=True)

    def wait_for_the_end(self) -> None:
        """Wait until all flows have ended, and have the workers end."""
        code = self.children["coordinate"].wait(PATIENCE_S)
        for name, child in self.children.items():
            if name != "coordinate":
                child.communicate(timeout=PATIENCE_S)
                code = code or child.returncode
        if code:
            raise CrashError(f"a child ended with {code}: {self.text('errors')[-4_000:]}")

    def text(self, name: str) -> str:
        """What stands in a file of the folder."""
        file = self.folder / name
        return file.read_text() if file.exists() else ""

    def check_nothing_wrong(self) -> None:
        """See that no worker found fault."""
        if self.text("wrong"):
            raise CrashError(self.text("wrong"))

    # --- what is left ---

    def checked(self) -> Story:
        """See that everything came out as it should."""
        self.check_nothing_wrong()
        words = [line.split() for line in self.text("ran").splitlines()]
        begun = Counter((w[1], w[2]) for w in words if w[0] == "begin")
        twice = [key for key, count in begun.items() if count > 1 and key[1] == "once#1"]
        if twice:
            raise CrashError(f"ran twice unseen: {twice}")
        with SqliteStore(self.folder / "flows.db") as store:
            rows = store.flows(limit=1_000_000)
            logs = {row.flow_id: log_lines(store.entries(row.flow_id)) for row in rows}
            left = store.connection.execute("SELECT * FROM outbox").fetchall()
            left += store.connection.execute("SELECT * FROM timers").fetchall()
        if left:
            raise CrashError(f"left behind: {left}")
        states = {name: self.ended(name, lines) for name, lines in logs.items()}
        self.check_said(logs)
        once = [state.attempt("once#1") for state in states.values()]
        return Story(
            kills=self.kills,
            by_themselves=self.by_themselves,
            flows=len(states),
            entries=sum(len(lines) for lines in logs.values()),
            begun_again=sum(count > 1 for count in begun.values()),
            interrupted=sum(a is not None and a.status.value == "error" for a in once),
        )

    def ended(self, name: str, lines: list[str]) -> FlowState:
        """See that a flow ended as one that was left alone."""
        replayed = replay(lines, flow_id=name)
        state = replayed.state
        if not replayed.closed or state.outcome is None:
            raise CrashError(f"{name} has not ended: {state.status}")
        statuses = {attempt.id: attempt.status.value for attempt in state.attempts()}
        if state.outcome.status == "cancelled" and int(name[1:]) % CANCELLED == 0:
            return state
        once = statuses.pop("once#1")
        if statuses != ENDS or once not in ("success", "error"):
            raise CrashError(f"{name} ended otherwise: {statuses}, once#1 {once}")
        return state

    def check_said(self, logs: dict[str, list[str]]) -> None:
        """See that what was acknowledged stands in the log, and that it counted once."""
        counted: Counter[str] = Counter()
        stand: set[str] = set()
        for lines in logs.values():
            for line in read_log(lines):
                if isinstance(line, Entry) and is_request(line.event):
                    request_id = getattr(line.event, "request_id", None) or ""
                    stand.add(request_id)
                    counted[request_id] += line.verdict == Accepted()
        doubled = [request for request, count in counted.items() if count > 1]
        said = [line.split() for line in self.text("said").splitlines()]
        lost = [w for w in said if w[2] == "accepted" and w[1] not in stand]
        if doubled or lost:
            raise CrashError(f"counted twice: {doubled}; lost: {lost}")


def story(kills: int, seed: int) -> Story:
    """Kill at least so many children; raises CrashError where that is not made good."""
    with TemporaryDirectory() as folder:
        try:
            return Killer(Path(folder).resolve(), random.Random(seed)).run(kills)
        except CrashError as error:
            raise CrashError(f"seed {seed}: {error}") from None


def child(role: str, folder: str, seed: str, *, deadly: bool) -> None:
    """Be a child."""
    this = Child(Path(folder), random.Random(int(seed)), deadly)
    asyncio.run(this.work() if role == "work" else this.coordinate())


def main(arguments: Sequence[str]) -> int:
    """Print what became of the flows; 1 when a crash broke something."""
    parser = argparse.ArgumentParser(description="Kill the processes that share a file of flows.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--as", dest="role", choices=("work", "coordinate"), help=argparse.SUPPRESS)
    parser.add_argument("--deadly", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.role:
        child(options.role, *options.rest, deadly=options.deadly)
        return 0
    try:
        told = story(options.kills, options.seed)
    except CrashError as error:
        print(error)
        return 1
    print(
        f"seed {options.seed}: {told.kills} kills, {told.by_themselves} more "
        f"at a statement, {told.flows} flows, {told.entries} lines, "
        f"{told.begun_again} attempts began again, {told.interrupted} were interrupted; "
        "every flow ended as it should"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
