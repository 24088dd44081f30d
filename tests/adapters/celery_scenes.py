"""What tests of Celery workers share: a broker, a store, a folder, and workers that end.

Rule: whatever a scene started is gone when it ends.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psutil

from tests.adapters.celery_app import host
from tests.adapters.forks import forks
from tests.adapters.processes import runs, until

OPTIONS: Final = ("--without-gossip", "--without-mingle", "-l", "INFO")


class Worker:
    """A worker process, and all that it has started."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self.log = log

    def wrote(self, what: str) -> bool:
        """Whether something stands in what it writes."""
        return self.log.exists() and what in self.log.read_text()

    def family(self) -> set[int]:
        """It and its children that run."""
        if not runs(self.pid):
            return set()
        children = psutil.Process(self.pid).children(recursive=True)
        return {self.pid, *(child.pid for child in children if runs(child.pid))}

    def send(self, number: int) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def ended(self) -> None:
        """Wait for its end."""
        await until(lambda: not runs(self.pid))

    def kill(self) -> None:
        """Kill it, with its children."""
        kill(self.family())


def kill(pids: Collection[int]) -> None:
    """Kill processes, those that stand still too."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Scene:
    """A broker, a store, and workers between them."""

    def __init__(self, folder: Path, broker: str, **settings: Any) -> None:
        self.folder = folder
        self.settings: dict[str, Any] = {
            "broker": broker,
            "store": str(folder / "flows.db"),
            "folder": str(folder),
            "queue": f"queue-{uuid.uuid4().hex[:8]}",
            **settings,
        }
        self.app, self.host, self.notes = host(self.settings)
        self.workers: list[Worker] = []

    def worker(self, *more: str, pool: str = "prefork", n: int = 2, **settings: Any) -> Worker:
        """Start a worker; it may have other settings than whoever starts flows."""
        number = len(self.workers)
        log = self.folder / f"worker-{number}.log"
        name = f"{self.settings['queue']}-{number}@test"
        options = ["-P", pool, "-c", str(n), "-n", name, *OPTIONS, *more]
        told = {**self.settings, **settings}
        pid = forks().worker("tests.adapters.celery_app", told, options, log=log)
        worker = Worker(pid, log)
        self.workers.append(worker)
        return worker

    def go(self) -> None:
        """Let those end who wait."""
        (self.folder / "go").touch()

    async def noted(self, *begin: str, times: int = 1) -> list[str]:
        """Wait until something happened, and tell what."""
        await until(lambda: len(self.notes.of(*begin)) >= times)
        return self.notes.of(*begin)[times - 1]

    def end(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.kill()


@contextmanager
def scene(folder: Path, broker: str, **settings: Any) -> Generator[Scene]:
    """A scene, which ends for certain."""
    made = Scene(folder, broker, **settings)
    try:
        yield made
    finally:
        made.end()
