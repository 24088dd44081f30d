"""How a run, or a worker, ends that is told to stop: what runs may end, unless somebody insists.

Rule: the first signal ends the work that was under way in good order, the next one at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any


class GoodOrder:
    """The end of some work that goes on until it is cancelled."""

    def __init__(self, work: asyncio.Future[int]) -> None:
        self.insisted = False
        self._work = work
        self._draining: asyncio.Future[None] | None = None

    def insist(self) -> None:
        """At the second signal: end at once."""
        self.insisted = True
        self._work.cancel()
        if self._draining is not None:
            self._draining.cancel()

    async def kept(self, drain: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let what runs end that ends in time, unless somebody insists."""
        if not self.insisted:
            self._draining = asyncio.ensure_future(drain())
            with suppress(asyncio.CancelledError):
                await self._draining
