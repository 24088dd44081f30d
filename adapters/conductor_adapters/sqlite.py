"""Flows in one SQLite file: durable on one machine, without a server.

Rule: this is the host of `durable` on the store of `store.sqlite`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Unpack

from conductor_adapters.durable import DurableHost
from conductor_adapters.durable_flow import DurableFlow
from conductor_adapters.durable_options import ClientOptions, HostOptions
from conductor_adapters.sqlite_client import SqliteClient
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.store.sqlite_file import Synchronous
from conductor_adapters.workers import Handler

__all__ = [
    "ClientOptions",
    "HostOptions",
    "SqliteClient",
    "SqliteFlow",
    "SqliteHost",
    "Synchronous",
]

SqliteFlow = DurableFlow


class SqliteHost(DurableHost):
    """Runs the flows of a file; use it as `async with SqliteHost({...}, path=...) as host`.

    `handlers`, `generators`, `clock`, `threads`, `ask` and `observe` are those of MemoryHost;
    the observer sees the entries that this host appends. Any number of hosts, in any number of
    processes of one machine, may have the file open; each takes what it has handlers for.

    `synchronous`: with FULL what was acknowledged survives the loss of power, with NORMAL only
    the death of processes. `lease_s` after a worker died others do what it held, and at most
    `slots` orders are in the hands of this one. After `max_deliveries` workers that went down
    with it an attempt has failed as `lost`. `poll_s` is how soon it sees what others wrote.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        path: str | Path,
        synchronous: Synchronous = "FULL",
        create: bool = True,
        **options: Unpack[HostOptions],
    ) -> None:
        self.path = Path(path)
        super().__init__(
            handlers,
            open_store=partial(SqliteStore, self.path, synchronous=synchronous, create=create),
            **options,
        )
