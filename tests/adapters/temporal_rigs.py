"""The rig of the Temporal host, for the conformance kit.

Rule: a rig only drives its host and translates; it mends nothing that a host does wrong. The
work, and the reducing, is done by a process of its own, which serves one trial after the other
and is killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from attrs import evolve

from conductor_adapters.temporal import TemporalClient
from conductor_core import FlowSpec, FlowState
from conductor_core.events import Event
from conductor_core.testing.conformance import Worker
from conductor_core.verdicts import Verdict
from tests.adapters.forks import Forks
from tests.adapters.kit_calls import AnsweringRig
from tests.adapters.processes import runs
from tests.adapters.temporal_kit import client_of


@cache
def forks() -> Forks:
    """The process that forks workers of Temporal for all tests."""
    return Forks("tests.adapters.temporal_kit")


class Plant:
    """A worker process that is there for all trials; with `children` each group is a child's."""

    def __init__(self, folder: Path, server: str, *, queue: str, children: bool = False) -> None:
        self.socket = folder / "kit"
        self.log = folder / "worker.log"
        self.settings: dict[str, Any] = {
            "server": server, "queue": queue, "socket": str(self.socket), "children": children,
        }  # fmt: skip
        self.pid = 0

    def begin(self) -> None:
        """Have a worker, unless there is one."""
        if not self.pid:
            self.pid = forks().worker(
                "tests.adapters.temporal_kit", self.settings, [], log=self.log
            )

    async def kill(self) -> None:
        """Kill the worker."""
        dead, self.pid = self.pid, 0
        with suppress(ProcessLookupError):
            os.kill(dead, signal.SIGKILL)
        while runs(dead):
            await asyncio.sleep(0.001)

    async def end(self) -> None:
        """End the worker."""
        if self.pid:
            await self.kill()


class TemporalRig(AnsweringRig):
    """Drives a flow on a server whose worker is killed."""

    desk: TemporalClient

    def __init__(self, worker: Worker, plant: Plant) -> None:
        super().__init__(worker)
        self.plant = plant

    async def start(self, spec: FlowSpec, flow_id: str) -> None:
        """Start a flow."""
        self.flow_id = flow_id
        await self.listen(self.plant.socket)
        self.plant.begin()
        self.desk = await client_of(self.plant.settings)
        await self.desk.start(spec, flow_id=flow_id)

    async def tell(self, event: Event) -> Verdict:
        """Deliver an event at the time of the host."""
        return await self.desk.tell(self.flow_id, lambda *, at_ms: evolve(event, at_ms=at_ms))

    async def state(self) -> FlowState:
        """The state by the history."""
        return await self.desk.look(self.flow_id)

    async def log(self) -> Sequence[str]:
        """The lines by the history."""
        return await self.desk.log(self.flow_id)

    async def crash(self) -> None:
        """Kill the worker."""
        await self.plant.kill()

    async def recover(self) -> None:
        """Have another worker."""
        self.plant.begin()

    async def close(self) -> None:
        """Forget the flow; the worker is there for the next."""
        with suppress(Exception):
            await self.desk.client.get_workflow_handle(self.flow_id).terminate()
        await self.hang_up()
        # The library aborts the process where the loop ends at once.
        await asyncio.sleep(0.05)
