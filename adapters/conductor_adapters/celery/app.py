"""A host of flows on a Celery app: its tasks, its relay, and its client.

Rule: an app that is made opens nothing and sends nothing. Each process, and each thread that
works, makes what it needs when it needs it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from celery import Celery
from celery.signals import worker_process_init

from conductor_adapters.celery.carrying import Carrier
from conductor_adapters.celery.checks import check_app, check_eager, check_options, take_name
from conductor_adapters.celery.client import CeleryClient
from conductor_adapters.celery.config import KINDS, Config
from conductor_adapters.celery.in_worker import step_for
from conductor_adapters.celery.measures import Measures
from conductor_adapters.celery.post import Post
from conductor_adapters.celery.relay import Relay
from conductor_adapters.celery.sender import Sender
from conductor_adapters.client import FlowSummary
from conductor_adapters.clock import Clock, WallClock
from conductor_adapters.durable_flow import DurableFlow
from conductor_adapters.durable_options import LEASE_S, MAX_DELIVERIES, POLL_S
from conductor_adapters.local import Asker
from conductor_adapters.metrics import Meter
from conductor_adapters.observing import Observer
from conductor_adapters.routes import NOWHERE, Route, Routes
from conductor_adapters.store.kept import SNAPSHOT_EVERY
from conductor_adapters.store.sqlite_file import Synchronous
from conductor_adapters.store_urls import file_of, opener, told
from conductor_adapters.workers import GroupsOf, Handler, Workers
from conductor_core.errors import ConductorError
from conductor_core.spec import FlowSpec

_pool_processes: Final[set[int]] = set()


class ConductorApp:
    """Runs flows on a Celery app: `conductor = ConductorApp(app, "postgresql://...", {...})`.

    Make it where the Celery app is made, so that every worker has its tasks. It is a `Client`
    of the flows too: use it as `async with conductor:`, in one loop at a time.

    `store` is a URL (`postgresql://...`) or the path of a SQLite file, which all workers must
    share. `handlers`, `generators`, `ask` and `observe` are those of the other hosts; observers
    see the entries of their own process.

    `routes` says by handler where its work goes, and `default_route` where everything does of
    which neither metadata nor these say anything. `lease_s` after a worker died, or a broker lost
    everything, it is made up for. After `max_deliveries` workers that went down with it an attempt
    has failed as `lost`. `terminate_after_s` ends the process of work that was asked to give up and
    did not, in a prefork pool; None: never. `relay` says whether workers of this app have a relay;
    `poll_s` is how often that looks around, and how soon a client sees what others did. `name`
    begins the names of the tasks, and tells several of these on one Celery app apart.
    """

    def __init__(
        self,
        celery_app: Celery,
        store: str | Path,
        handlers: Mapping[str, Handler],
        *,
        generators: Mapping[str, GroupsOf] | None = None,
        ask: Asker | None = None,
        routes: Mapping[str, Route] | None = None,
        default_route: Route = NOWHERE,
        name: str = "conductor",
        relay: bool = True,
        lease_s: float = LEASE_S,
        poll_s: float = POLL_S,
        max_deliveries: int = MAX_DELIVERIES,
        terminate_after_s: float | None = None,
        synchronous: Synchronous = "FULL",
        snapshot_every: int = SNAPSHOT_EVERY,
        clock: Clock | None = None,
        observe: Observer | None = None,
        meter: Meter | None = None,
    ) -> None:
        check_app(celery_app)
        generators, routes = generators or {}, routes or {}
        check_options(
            {
                "store": store,
                "name": name,
                "handlers": handlers,
                "generators": generators,
                "ask": ask,
                "routes": routes,
                "default_route": default_route,
                "lease_s": lease_s,
                "poll_s": poll_s,
                "max_deliveries": max_deliveries,
                "terminate_after_s": terminate_after_s,
                "synchronous": synchronous,
                "snapshot_every": snapshot_every,
            }
        )
        path = file_of(store)
        if path is not None:
            # Workers may be started elsewhere than who asks of them, or go elsewhere.
            store = path.absolute()
        self._app = celery_app
        self.store_name = told(store)
        """The store, as it may be shown."""
        self.config = Config(
            name=name,
            open_store=opener(store, synchronous=synchronous, create=True),
            workers=Workers(handlers=handlers, generators=generators),
            routes=Routes(routes, default_route),
            ask=ask,
            clock=clock or WallClock(),
            lease_ms=round(lease_s * 1000),
            poll_s=poll_s,
            max_deliveries=max_deliveries,
            terminate_after_s=terminate_after_s,
            snapshot_every=snapshot_every,
            observe=observe,
            measures=Measures(meter),
        )
        self._sender = Sender(celery_app, self.config)
        self._carriers: dict[int, Carrier] = {}
        self._making = threading.Lock()
        self._client: CeleryClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        take_name(celery_app, name)
        for kind in KINDS:
            self._add_task(kind)
        celery_app.steps["worker"].add(step_for(self.config, self._sender, relay=relay))

    def _add_task(self, kind: str) -> None:
        """Register the task that carries out the orders of a kind."""

        def carry_out(*arguments: object, **_more: object) -> None:
            self._carrier().receive(kind, arguments)

        register = self._app.task(
            name=self.config.task_name(kind),
            typing=False,
            shared=False,
            ignore_result=True,
            serializer="json",
            acks_late=False,
            max_retries=0,
        )
        register(carry_out)

    def _carrier(self) -> Carrier:
        """What carries out orders in this process."""
        process = os.getpid()
        carrier = self._carriers.get(process)
        if carrier is None:
            with self._making:
                post = Post(self.config, self._sender, may_die=process in _pool_processes)
                carrier = self._carriers.setdefault(process, Carrier(self.config, post))
        return carrier

    def check_store(self) -> None:
        """Raise StoreError where the store cannot be used."""
        self.config.open_store().close()

    def relay(self) -> Relay:
        """A relay for a process that runs nothing else: call its `run`."""
        return Relay(self.config, self._sender)

    # --- the client ---

    def client(self) -> CeleryClient:
        """A client of its own: `async with conductor.client() as client`."""
        return CeleryClient(self.config, self._sender)

    def _here(self) -> CeleryClient:
        check_eager(self._app)
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is None or self._loop.is_closed():
            self._client, self._loop = self.client(), loop
        if self._loop is not loop:
            raise ConductorError("it is used in another loop; make a client() for each loop")
        return self._client

    async def start(self, spec: FlowSpec, *, flow_id: str) -> DurableFlow:
        """Start a flow; where the same was started under this id, this is that flow."""
        return await self._here().start(spec, flow_id=flow_id)

    async def flow(self, flow_id: str) -> DurableFlow:
        """A flow that was started; raises UnknownFlow."""
        return await self._here().flow(flow_id)

    async def list(
        self,
        *,
        statuses: Sequence[str] = (),
        after: FlowSummary | None = None,
        limit: int = 1_000,
    ) -> Sequence[FlowSummary]:
        """Flows in the order in which they began, perhaps of some statuses, behind another."""
        return await self._here().list(statuses=statuses, after=after, limit=limit)

    async def log(self, flow_id: str, *, after: int = -1) -> Sequence[str]:
        """The lines of a log as they are, or those behind an entry; raises UnknownFlow."""
        return await self._here().log(flow_id, after=after)

    async def waiting_works(self) -> Sequence[tuple[str, str, int]]:
        """The kinds and names of work that nobody has taken, and how many of each."""
        return await self._here().waiting_works()

    async def close(self) -> None:
        """Let go of the store, once what was asked of it is done."""
        client, self._client, self._loop = self._client, None, None
        if client is not None:
            await client.close()

    async def __aenter__(self) -> Self:
        await self._here().open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


@worker_process_init.connect(weak=False)
def _is_of_pool(**_more: object) -> None:
    """Take note that this process is one of a pool, where another takes its place if it ends."""
    _pool_processes.add(os.getpid())
