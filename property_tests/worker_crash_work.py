"""What the workers do of the flows whose processes are killed, on whichever host.

Rule: who works writes down what it begins and ends, each at once, so that whoever is left can
compare it with the log; and says so where work begins that must not.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psutil
from attrs import define, field

from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.kept import log_lines
from conductor_adapters.store.protocol import Store
from conductor_adapters.work import StepContext, StepFailure, StepResult
from conductor_adapters.workers import Handler
from conductor_core import GroupSpec
from conductor_core.commands import GenerateSteps
from property_tests.worker_crash_flows import TOO_LATE_MS, groups_of, ran

AGAIN_S: Final = 0.2
"""So long a store that is down is left alone."""


def note(file: Path, *words: object) -> None:
    """Write a line that outlives this process, whole beside those of others."""
    with file.open("ab", buffering=0) as lines:
        lines.write(f"{' '.join(map(str, words))}\n".encode())


@define
class Works:
    """The handlers, which write down what they do in a folder and look into the logs of a store."""

    folder: Path
    chance: random.Random
    open_store: Callable[[], Store]
    under_way: Callable[[], None] = lambda: None
    """Called in the middle of everything that takes time."""
    too_late_ms: int = TOO_LATE_MS
    own: threading.local = field(factory=threading.local)

    def handlers(self) -> Mapping[str, Handler]:
        """What is done, by name."""
        return {
            "sleep": self.sleep, "thread": self.thread, "fail": self.fail,
            "nothing": self.nothing, "late": self.late, "last": self.last,
        }  # fmt: skip

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
        self.under_way()
        return groups_of(self.too_late_ms)

    def begin(self, context: StepContext) -> None:
        """Write down that work begins, and what is wrong with that."""
        if self.has_finished(context):
            self.wrong(context, "had finished and ran again")
        for pid, since_ms in self.others(context).items():
            if runs(pid):
                self.wrong(context, f"runs in {pid} as well", since_ms)
        self.tell("begin", context)
        self.under_way()

    def end(self, context: StepContext) -> dict[str, Any]:
        """Write down that work ends; what is said of it."""
        self.tell("end", context)
        return {"attempt": context.attempt, "process": os.getpid()}

    def tell(self, word: str, context: StepContext) -> None:
        """Write down what is done of an attempt, by whom, and when."""
        note(self.folder / ran(context.flow_id), word, context.attempt, os.getpid(), now_ms())

    def wrong(self, context: StepContext, what: str, since_ms: int = 0) -> None:
        """Write down what must not be, when, and since when; 0: nobody knows."""
        told = context.flow_id, context.attempt, f"in {os.getpid()}", what
        note(self.folder / "wrong", now_ms(), since_ms, *told)

    def has_finished(self, context: StepContext) -> bool:
        """Whether the log says that an attempt has finished."""
        told = (json.loads(line) for line in log_lines(self.entries(context.flow_id)))
        facts = (line["event"] for line in told if "event" in line)
        return any(
            event["type"] == "step-finished" and event["attempt"] == context.attempt
            for event in facts
        )

    def entries(self, flow_id: str) -> list[tuple[int, str]]:
        """The log of a flow, once there is a store to ask."""
        while True:
            try:
                return self.read(flow_id)
            except StoreError:
                time.sleep(AGAIN_S)

    def read(self, flow_id: str) -> list[tuple[int, str]]:
        """The log of a flow, as a store has it that this thread keeps open; raises StoreError."""
        store: Store | None = getattr(self.own, f"of_{os.getpid()}", None)
        if store is None:
            store = self.open_store()
            setattr(self.own, f"of_{os.getpid()}", store)
        with store.reading():
            return store.entries(flow_id, after=0)

    def others(self, context: StepContext) -> dict[int, int]:
        """The processes that began this work and did not end it, and when they began."""
        file = self.folder / ran(context.flow_id)
        words = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        begun: dict[int, int] = {}
        for word, attempt, pid, at_ms in words:
            if attempt == context.attempt:
                begun.pop(int(pid), None)
                if word == "begin":
                    begun[int(pid)] = int(at_ms)
        return begun


def now_ms() -> int:
    """The time that is written down."""
    return round(time.time() * 1000)


def runs(pid: int) -> bool:
    """Whether another process lives."""
    try:
        return pid != os.getpid() and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
