"""What the tests of SQLite hosts share: small flows, their handlers, and hosts that look often."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conductor_adapters.sqlite import SqliteHost
from conductor_adapters.work import StepContext, StepResult
from conductor_core import ApprovalSpec, FlowState, StepSpec
from conductor_core.testing.brief import flow, group

ASKS = flow(
    group("g", StepSpec(key="plan", approval=ApprovalSpec()), StepSpec(key="apply", needs=["plan"]))
)


ONE = flow(group("g", "a"))


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


def orders(path: Path) -> list[Any]:
    """What is in the outbox."""
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT flow_id, name, owner FROM outbox").fetchall()


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


def taken(path: Path, flow_id: str) -> None:
    """Wait, without giving the loop a turn, until an order of a flow is taken."""
    patience_s = time.monotonic() + 30
    while not any(owner for flow_, _, owner in orders(path) if flow_ == flow_id):
        assert time.monotonic() < patience_s
        time.sleep(0.001)


async def turns() -> None:
    """Give the loop a few turns, so that what was asked for is handed over."""
    for _ in range(3):
        await asyncio.sleep(0)
