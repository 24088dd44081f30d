"""The flows of a store as a page lists them: the newest first, filtered, a page at a time.

Rule: rows are read as they stand in the store, and kept for a moment; who looks again and again
costs the store no more than a small share of its time. Of the flows in sight it is told what
they wait for.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Final

from attrs import frozen

from conductor_adapters.client import Client, FlowSummary
from conductor_adapters.ui.standing import waits_of
from conductor_core.errors import ConductorError
from conductor_core.explain import UP_TO_PEOPLE

PAGE: Final = 25
ROWS: Final = 10_000
"""So many rows are asked for at once."""
MOST: Final = 100_000
"""So many flows are listed, those that began last."""
FRESH_S: Final = 1.0
SHARE: Final = 10
"""What took long is kept so many times as long."""
WAITS: Final = 3
"""So many waits of a flow are told."""
KINDS: Final = {
    "people": UP_TO_PEOPLE,
    "running": ("pending", "in-progress", "cancelling"),
    "failed": ("error", "cancelled"),
    "done": ("success",),
}
"""Filters, and the statuses that pass each."""


@frozen(kw_only=True)
class Wanted:
    """Which flows are to be listed: those of a kind, whose id or type has all these words."""

    kind: str = ""
    text: str = ""
    page: int = 1

    def passes(self, row: FlowSummary) -> bool:
        """Whether a flow is wanted for its words."""
        told = f"{row.flow_id} {row.type} {row.status}".lower()
        return all(word in told for word in self.text.lower().split())


class Listing:
    """The rows of a store, as they were a moment ago."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._rows: Sequence[FlowSummary] = ()
        self._left_out = False
        self._fresh_until_s = 0.0
        self._reading = asyncio.Lock()
        self._waits: dict[str, tuple[float, dict[str, Any]]] = {}

    async def page(self, wanted: Wanted) -> dict[str, Any]:
        """A page of the flows that are wanted."""
        rows = await self._read()
        passing = [row for row in rows if wanted.passes(row)]
        counts = Counter(row.status for row in passing)
        statuses = KINDS.get(wanted.kind)
        found = passing if statuses is None else [row for row in passing if row.status in statuses]
        pages = max(1, -(-len(found) // PAGE))
        number = min(max(1, wanted.page), pages)
        return {
            "flows": [_row(row) for row in found[(number - 1) * PAGE : number * PAGE]],
            "count": len(found),
            "page": number,
            "pages": pages,
            "size": PAGE,
            "kinds": {kind: sum(counts[each] for each in those) for kind, those in KINDS.items()},
            "all": len(passing),
            "more": self._left_out,
        }

    async def _read(self) -> Sequence[FlowSummary]:
        """All rows, the newest first."""
        async with self._reading:
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            if began_s >= self._fresh_until_s:
                self._rows = await self._all()
                now_s = loop.time()
                self._fresh_until_s = now_s + max(FRESH_S, SHARE * (now_s - began_s))
            return self._rows

    async def _all(self) -> Sequence[FlowSummary]:
        found: deque[FlowSummary] = deque(maxlen=MOST)
        count = 0
        while True:
            rows = await self._client.list(after=found[-1] if found else None, limit=ROWS)
            found.extend(rows)
            count += len(rows)
            if len(rows) < ROWS:
                break
        self._left_out = count > MOST
        return tuple(reversed(found))

    async def waits(self, flow_ids: Sequence[str]) -> dict[str, Any]:
        """What flows wait for, by their ids; of one that cannot be read, why."""
        named = dict.fromkeys(flow_ids[:PAGE])
        found = await asyncio.gather(*(self._waits_for(flow_id) for flow_id in named))
        if len(self._waits) > 40 * PAGE:
            self._waits.clear()
        return dict(zip(named, found, strict=True))

    async def _waits_for(self, flow_id: str) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        until_s, told = self._waits.get(flow_id, (0.0, {}))
        if began_s < until_s:
            return told
        try:
            waits = waits_of((await self._client.flow(flow_id)).state)
            told = {"waits": waits[:WAITS], "more": len(waits[WAITS:])}
        except ConductorError as error:
            told = {"waits": [], "more": 0, "error": str(error)}
        now_s = loop.time()
        self._waits[flow_id] = now_s + max(FRESH_S, SHARE * (now_s - began_s)), told
        return told


def _row(row: FlowSummary) -> dict[str, Any]:
    return {
        "flow_id": row.flow_id,
        "type": row.type,
        "status": row.status,
        "began_ms": row.began_ms,
        "changed_ms": row.changed_ms,
    }
