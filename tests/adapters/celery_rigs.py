"""The rigs of the Celery host, for the conformance kit.

Rule: a rig only drives its host and translates; it mends nothing that a host does wrong. The
work is done by processes of their own, which serve one trial after the other and are killed;
that their leases have run out, and that of what was sent to them, a rig says itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from conductor_adapters.celery import CeleryClient
from conductor_adapters.store.protocol import Store
from conductor_adapters.store_urls import opener
from conductor_core import FlowSpec, FlowState
from conductor_core.events import Event
from conductor_core.testing.conformance import Worker
from conductor_core.verdicts import Verdict
from tests.adapters.celery_kit import conductor
from tests.adapters.forks import forks
from tests.adapters.kit_calls import AnsweringRig
from tests.adapters.processes import runs

POLL_S: Final = 0.02
OPTIONS: Final = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "INFO")


class Plant:
    """A broker, a store, and a worker process that is there for all trials."""

    def __init__(self, folder: Path, broker: str, store: str, *, queue: str) -> None:
        self.socket = folder / "kit"
        self.log = folder / "worker.log"
        self.settings: dict[str, Any] = {
            "broker": broker, "store": store, "queue": queue, "socket": str(self.socket),
            "poll_s": POLL_S,
        }  # fmt: skip
        _, self.host = conductor(self.settings)
        self.pid = 0
        self.dead = 0
        self._workers = 0

    @contextmanager
    def _transaction(self) -> Generator[Store]:
        """The store, opened once more, in a transaction."""
        store = opener(self.settings["store"])()
        with closing(store), store.transaction(durable=False):
            yield store

    def begin(self) -> None:
        """Have a worker, unless there is one."""
        if self.pid:
            return
        self._workers += 1
        options = ["-P", "threads", "-c", "8", "-n", f"{self.socket}-{self._workers}@kit", *OPTIONS]
        self.pid = forks().worker("tests.adapters.celery_kit", self.settings, options, log=self.log)

    async def kill(self) -> None:
        """Kill the worker."""
        self.dead, self.pid = self.pid, 0
        with suppress(ProcessLookupError):
            os.kill(self.dead, signal.SIGKILL)
        while runs(self.dead):
            await asyncio.sleep(0.001)

    def forget_dead(self, flow_id: str) -> None:
        """Let the time of a lease pass for who was killed, and for what was sent to it."""
        with self._transaction() as store:
            clock, now_ms = store.clock()
            for row in store.workers(boot=clock, now_ms=now_ms):
                if row.name.endswith(f":{self.dead}"):
                    store.retire(row.worker_id)
            for order, owner in store.orders_in(flow_id):
                if owner is None:
                    store.sent(order.key, at_ms=0, until_ms=0)

    def forget_flow(self, flow_id: str) -> None:
        """Let nobody hear of a flow any more."""
        with self._transaction() as store:
            store.remove_flow(flow_id)

    async def end(self) -> None:
        """End the worker."""
        if self.pid:
            await self.kill()


class CeleryRig(AnsweringRig):
    """Drives a flow in a store of Celery workers, which are killed."""

    desk: CeleryClient

    def __init__(self, worker: Worker, plant: Plant) -> None:
        super().__init__(worker)
        self.plant = plant

    async def start(self, spec: FlowSpec, flow_id: str) -> None:
        """Start a flow."""
        self.flow_id = flow_id
        await self.listen(self.plant.socket)
        self.plant.begin()
        self.desk = self.plant.host.client()
        await self.desk.start(spec, flow_id=flow_id)

    async def tell(self, event: Event) -> Verdict:
        """Deliver an event at the time of the host."""
        return await self.desk.tell(self.flow_id, lambda *, at_ms: evolve(event, at_ms=at_ms))

    async def state(self) -> FlowState:
        """The state in the store."""
        return await self.desk.look(self.flow_id)

    async def log(self) -> Sequence[str]:
        """The lines in the store."""
        return await self.desk.log(self.flow_id)

    async def crash(self) -> None:
        """Kill the worker."""
        await self.plant.kill()

    async def recover(self) -> None:
        """Have another worker take up what the dead one left, when its lease has run out."""
        self.plant.forget_dead(self.flow_id)
        self.plant.begin()

    async def close(self) -> None:
        """Forget the flow; the worker is there for the next."""
        await self.desk.close()
        self.plant.forget_flow(self.flow_id)
        await self.hang_up()
