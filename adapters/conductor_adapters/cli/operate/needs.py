"""What a flow needs that no worker does just now.

Rule: this is a warning and never more, since workers may come later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

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
    if state.outcome is not None:
        return
    if not works:
        yield NO_WORKER
        return
    for kind, name in _needed(state):
        if f"{kind}:{name}" not in works:
            does = "a handler for" if kind == STEP else "a generator for flows of type"
            yield f"warning: no worker has {does} {name!r}; the flow waits for one"


def _needed(state: FlowState) -> Iterator[tuple[str, str]]:
    """The kinds and names of the work that a flow needs, each once."""
    if state.needs_groups:
        yield GENERATE, state.spec.type
    unfinished = zip(state.catalog.steps, state.live, strict=True)
    yield from dict.fromkeys(
        (STEP, step.handler) for step, attempt in unfinished if attempt.unfinished
    )
