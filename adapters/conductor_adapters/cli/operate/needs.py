"""What a flow needs that no worker does just now.

Rule: this is a warning and never more, since workers may come later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from conductor_adapters.cli.console import warn
from conductor_adapters.client import Client
from conductor_adapters.durable_client import DurableClient
from conductor_adapters.store.protocol import GENERATE, STEP, Store
from conductor_core.state import FlowState

NO_WORKER: Final = "warning: no worker runs just now; the flow waits for one"


def living_works(store: Store) -> frozenset[str]:
    """What the workers that live carry out, as `kind:name`."""
    boot, now_ms = store.clock()
    rows = store.workers(boot=boot, now_ms=now_ms)
    return frozenset(work for row in rows for work in row.works)


def nobody_does(state: FlowState, works: frozenset[str]) -> Iterator[str]:
    """Name what a flow needs that is not among these works, which are `kind:name`."""
    if state.outcome is None:
        yield from _lacking(_needed(state), works)


async def warn_of_nobody(client: Client, state: FlowState) -> None:
    """Say so where a flow of a store waits for work right now that no worker does."""
    awaited = [*_awaited(state)]
    if awaited and isinstance(client, DurableClient):
        works = await client.consult(lambda ledger: living_works(ledger.store))
        for line in _lacking(awaited, works):
            warn(line)


def _lacking(needed: Iterable[tuple[str, str]], works: frozenset[str]) -> Iterator[str]:
    if not works:
        yield NO_WORKER
        return
    for kind, name in needed:
        if f"{kind}:{name}" not in works:
            does = "a handler for" if kind == STEP else "a generator for flows of type"
            yield f"warning: no worker has {does} {name!r}; the flow waits for one"


def _awaited(state: FlowState) -> Iterator[tuple[str, str]]:
    """The kinds and names of the work that is under way, or is to be, each once."""
    if state.outcome is None and state.generating == "running":
        yield GENERATE, state.spec.type
    under_way = zip(state.catalog.steps, state.live, strict=True)
    yield from dict.fromkeys((STEP, step.handler) for step, it in under_way if it.active)


def _needed(state: FlowState) -> Iterator[tuple[str, str]]:
    """The kinds and names of the work that a flow needs, each once."""
    if state.needs_groups:
        yield GENERATE, state.spec.type
    unfinished = zip(state.catalog.steps, state.live, strict=True)
    yield from dict.fromkeys(
        (STEP, step.handler) for step, attempt in unfinished if attempt.unfinished
    )
