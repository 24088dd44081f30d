"""What the tests of real processes share: waiting for the world, and looking at it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil

from conductor_adapters.work import StepContext
from conductor_core.commands import DispatchStep
from conductor_core.payload import freeze

T = TypeVar("T")

PATIENCE_S = 60.0


def play(script: Coroutine[Any, Any, T]) -> T:
    """Run a script to its end, but not for ever."""
    return asyncio.run(asyncio.wait_for(script, PATIENCE_S))


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds in the world."""
    while not holds():
        await asyncio.sleep(0.005)


def context_of(
    command: Any, *, attempt: str = "a#1", metadata: object = {"inputs": {"env": "prod"}}
) -> StepContext:
    """The context of an attempt at a command."""
    return StepContext(
        flow_id="f",
        command=DispatchStep(
            attempt=attempt, work="shell", input=freeze(command),
            outputs=freeze({"plan": {"add": 3}}), subjects=freeze({"plan": "sha256:1"}),
            idempotency_key=f"f/{attempt}", retry=2, generation=1, timeout_ms=9_000,
        ),
        flow_metadata=freeze(metadata),
    )  # fmt: skip


def runs(pid: int) -> bool:
    """Whether a process runs; one that nobody has reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def alive(pid_file: Path) -> bool:
    """Whether the process whose number stands in a file still runs."""
    return runs(int(pid_file.read_text()))


def carrying(name: str, value: str) -> list[int]:
    """The processes that run and have a variable with this value in their environment."""
    found: list[int] = []
    for pid in psutil.pids():
        with suppress(psutil.Error, OSError):
            if psutil.Process(pid).environ().get(name) == value and runs(pid):
                found.append(pid)
    return [pid for pid in found if pid != os.getpid()]
