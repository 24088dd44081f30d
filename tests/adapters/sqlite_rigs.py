"""The rig of the SQLite host, for the conformance kit.

Rule: a rig only drives its host and translates; it mends nothing that a host does wrong.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import evolve

from conductor_adapters.sqlite import SqliteHost
from conductor_adapters.store.boot import since_boot_ms
from conductor_core import FlowSpec, FlowState
from conductor_core.events import Event
from conductor_core.testing.conformance import Worker
from conductor_core.verdicts import Verdict
from tests.adapters.calling import CallingInThreads, CallingRig
from tests.adapters.kit_calls import AnsweringRig
from tests.adapters.processes import runs

ROOT = Path(__file__).parents[2]
LEASE_S = 60
"""So long a host that went down holds what it took, by a clock that the rig sets on."""


class SqliteRig(CallingRig):
    """Drives a flow on hosts of one file, whose handlers are coroutines."""

    def __init__(self, worker: Worker, **options: Any) -> None:
        super().__init__(worker)
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "flows.db"
        self.later_ms = 0
        self.options: dict[str, Any] = {
            "lease_s": LEASE_S,
            "lease_clock_ms": lambda: since_boot_ms() + self.later_ms,
            "poll_s": 0.005,
            "synchronous": "NORMAL",
            **options,
        }

    # --- what the kit does ---

    async def start(self, spec: FlowSpec, flow_id: str) -> None:
        """Start a flow."""
        self.flow_id = flow_id
        self.host = self.new_host()
        await self.host.start(spec, flow_id=flow_id)

    async def tell(self, event: Event) -> Verdict:
        """Deliver an event at the time of the host."""
        return await self.door().tell(self.flow_id, lambda *, at_ms: evolve(event, at_ms=at_ms))

    async def state(self) -> FlowState:
        """The state in the file."""
        return await self.door().look(self.flow_id)

    async def log(self) -> Sequence[bytes | str]:
        """The lines in the file."""
        return await self.door().log(self.flow_id)

    async def crash(self) -> None:
        """Cut the host off its file."""
        await self.host.kill()

    async def recover(self) -> None:
        """Have another host open the file, when the leases of the dead one have run out."""
        self.later_ms += LEASE_S * 1000
        self.host = self.new_host()
        await self.host.open()

    async def close(self) -> None:
        """End the host."""
        await self.host.kill()
        self.folder.cleanup()

    # --- what others make in another way ---

    def door(self) -> SqliteHost:
        """The host at which people are."""
        return self.host

    def new_host(self) -> SqliteHost:
        """A host that calls the worker for everything."""
        self.hosts += 1
        return SqliteHost(
            dict.fromkeys(self.worker.works, self.handler()),
            path=self.path,
            generators=dict.fromkeys(self.worker.flow_types, self.generator()),
            ask=self.ask,
            **self.options,
        )


class ThreadRig(CallingInThreads, SqliteRig):
    """The same with functions that run in threads."""


class SeparateRig(SqliteRig):
    """The same with people at one host and the work at another, which alone goes down."""

    async def start(self, spec: FlowSpec, flow_id: str) -> None:
        """Start a flow where nobody works."""
        self.flow_id = flow_id
        self.desk = self.client()
        self.host = self.new_host()
        await self.host.open()
        await self.desk.start(spec, flow_id=flow_id)

    def door(self) -> SqliteHost:
        """The host at which people are."""
        return self.desk

    def client(self) -> SqliteHost:
        """A host that does no work."""
        return SqliteHost({}, path=self.path, poll_s=0.005, synchronous="NORMAL")

    async def close(self) -> None:
        """End both."""
        await self.desk.kill()
        await super().close()


class ProcessRig(AnsweringRig, SeparateRig):
    """The same with work in processes of its own, which are killed."""

    async def start(self, spec: FlowSpec, flow_id: str) -> None:
        """Start a flow where nobody works, and a worker."""
        self.flow_id = flow_id
        self.pid = 0
        self.socket = str(Path(self.folder.name) / "kit")
        await self.listen(Path(self.socket))
        self.desk = self.client()
        await self.desk.open()
        await self.recover()
        await self.desk.start(spec, flow_id=flow_id)

    async def recover(self) -> None:
        """Have another process open the file, when the leases of the dead one have run out."""
        self.later_ms += LEASE_S * 1000
        self.hosts += 1
        self.pid = maker().make(
            path=str(self.path),
            socket=self.socket,
            works=sorted(self.worker.works),
            types=sorted(self.worker.flow_types),
            lease_s=LEASE_S,
            later_ms=self.later_ms,
        )

    async def crash(self) -> None:
        """Kill the worker."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        while runs(self.pid):
            await asyncio.sleep(0.001)

    async def close(self) -> None:
        """End all of it."""
        await self.crash()
        await self.hang_up()
        await self.desk.kill()
        self.folder.cleanup()


class Maker:
    """A process that makes workers."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.adapters.worker_process"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    def make(self, **settings: Any) -> int:
        """Make a worker; its number."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(settings), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def end(self) -> None:
        """Make no more."""
        self.process.communicate()


@cache
def maker() -> Maker:
    """The process that makes workers for all trials."""
    made = Maker()
    atexit.register(made.end)
    return made
