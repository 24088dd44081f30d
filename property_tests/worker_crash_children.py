"""The processes that share a file of flows while somebody kills them: workers, and who asks.

Rule: a child does what others do on other hosts (`worker_crash_work`, `worker_crash_people`),
and may be killed by any statement of its store. `worker_crashes` begins and kills them.

    python -m property_tests.worker_crash_children work|coordinate FOLDER SEED [--deadly]
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrs import define

from conductor_adapters.durable import DurableHost
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.workers import Handler
from property_tests.worker_crash_flows import MADE
from property_tests.worker_crash_people import People
from property_tests.worker_crash_work import Works

LEASE_S: Final = 3.0
"""Longer than any process is held up that nobody kills."""
BY_ITSELF: Final = 1 / 500
"""So likely a child kills itself at a statement."""


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

    def host(self, handlers: Mapping[str, Handler], **more: Any) -> DurableHost:
        """A host on the file of the folder."""
        return DurableHost(
            handlers,
            open_store=self.store,
            lease_s=LEASE_S,
            poll_s=0.01,
            slots=5,
            max_deliveries=10_000,
            snapshot_every=10,
            **more,
        )

    def plain_store(self) -> SqliteStore:
        """The store."""
        return SqliteStore(self.folder / "flows.db", synchronous="NORMAL")

    def store(self) -> SqliteStore:
        """The store, which may be the end of its process."""
        store = self.plain_store()
        if self.deadly:
            # It stands in for a connection, as far as a store uses one.
            store.connection = Deadly(store.connection, self.chance)  # type: ignore[assignment]
        return store

    async def work(self) -> None:
        """Carry steps out until told to end."""
        works = Works(self.folder, self.chance, self.plain_store)
        async with self.host(works.handlers(), generators={MADE: works.make}):
            await asyncio.to_thread(sys.stdin.read)

    async def coordinate(self) -> None:
        """Start flows, approve and cancel, until told to end and all have ended."""
        async with self.host({}) as host:
            await People(self.folder, self.chance).coordinate(host)


def main(role: str, folder: str, seed: str, *options: str) -> None:
    """Be a child."""
    this = Child(Path(folder), random.Random(int(seed)), "--deadly" in options)
    asyncio.run(this.work() if role == "work" else this.coordinate())


if __name__ == "__main__":
    main(*sys.argv[1:])
