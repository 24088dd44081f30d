"""The host of the commands that do more with a store than a client does.

Rule: what is asked here is asked in transactions of the host's own store, in its thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from conductor_adapters.sqlite import SqliteHost
from conductor_adapters.store.boot import boot_id, since_boot_ms
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.protocol import Store

T = TypeVar("T")

AT_LAST_S: Final = 0.1


class StoreHost(SqliteHost):
    """A host whose store may be looked into."""

    async def ask(self, look: Callable[[Ledger], T]) -> T:
        """Have the store looked into in a transaction."""
        return await self._jobs.call(look)

    @property
    def broken(self) -> Exception | None:
        """What this host broke of; None while it goes on."""
        return self._jobs.closed

    def under_way(self) -> int:
        """How much work is under way here."""
        return 0 if self._crew is None else len(self._crew.tasks())

    async def abandon(self, grace_s: float) -> None:
        """End what runs here, where the store takes no answers any more."""
        if self._crew is not None:
            self._crew.stop()
            late = await self._ended_within(self._crew, grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=AT_LAST_S)


def living_works(store: Store) -> frozenset[str]:
    """What the workers that live carry out, as `kind:name`."""
    rows = store.workers(boot=boot_id(), now_ms=since_boot_ms())
    return frozenset(work for row in rows for work in row.works)
