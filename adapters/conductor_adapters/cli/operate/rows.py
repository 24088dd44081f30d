"""The rows of a list of flows: which are wanted, and how they are written.

Rule: a row is read as it stands in the store, no flow is loaded. There may be many of them, so
what is written is made as one text: a call for each line would take longer than the store.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

from attrs import frozen

from conductor_adapters.cli.console import escaped
from conductor_adapters.client import Client, FlowSummary

PAGE: Final = 10_000
"""So many rows are asked for at once."""
HEADINGS: Final = ("FLOW", "TYPE", "STATUS", "BEGAN", "CHANGED")


@frozen(kw_only=True)
class Wanted:
    """Which flows are to be listed; no statuses are all, and no limit is none."""

    statuses: tuple[str, ...]
    types: frozenset[str]
    limit: int | None


async def rows_of(client: Client, wanted: Wanted) -> tuple[Sequence[FlowSummary], bool]:
    """The rows that were asked for, and whether there are more of them."""
    found: list[FlowSummary] = []
    after: FlowSummary | None = None
    # One more than is listed tells that there are more.
    enough = None if wanted.limit is None else wanted.limit + 1
    page = PAGE if enough is None or wanted.types else min(enough, PAGE)
    while enough is None or len(found) < enough:
        rows = await client.list(statuses=wanted.statuses, after=after, limit=page)
        found += [row for row in rows if not wanted.types or row.type in wanted.types]
        if len(rows) < page:
            break
        after = rows[-1]
    return found[: wanted.limit], wanted.limit is not None and len(found) > wanted.limit


def told_rows(rows: Iterable[FlowSummary]) -> str:
    """The rows in columns, each as wide as what stands in it."""
    cells = [HEADINGS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    line = "  ".join(f"{{:<{width}}}" for width in widths[:-1]) + "  {}"
    return "\n".join(line.format(*each) for each in cells)


def _cells(row: FlowSummary) -> tuple[str, str, str, str, str]:
    return (
        _shown(row.flow_id),
        _shown(row.type),
        row.status,
        _time(row.began_ms // 1000),
        _time(row.changed_ms // 1000),
    )


def _shown(text: str) -> str:
    return text if text.isprintable() else escaped(text)


@cache
def _time(at_s: int) -> str:
    """A time as it is here, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s))


def rows_as_json(rows: Iterable[FlowSummary]) -> str:
    """The rows as an array, each on a line of its own."""
    told = ",\n ".join(json.dumps(_as_data(row)) for row in rows)
    return f"[{told}]"


def _as_data(row: FlowSummary) -> dict[str, Any]:
    return {
        "flow_id": row.flow_id,
        "type": row.type,
        "status": row.status,
        "began_ms": row.began_ms,
        "changed_ms": row.changed_ms,
    }
