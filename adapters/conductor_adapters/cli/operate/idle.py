"""Whether anything in a store goes on by itself, and what it waits for where nothing does.

Rule: this is read from the outbox and the timers; what a flow means is not looked at. All that
a flow waits for stands there, but for what only people can send.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from conductor_adapters.cli.operate.needs import living_works
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.protocol import ASK, Store
from conductor_core.explain import UP_TO_PEOPLE


@frozen(kw_only=True)
class Idle:
    """What a store waits for in which nothing goes on by itself.

    `for_people` is whether flows wait for people, `missing` what no worker that lives does, as
    `kind:name`, and `due_ms` when the next timer falls due.
    """

    for_people: bool
    missing: tuple[str, ...]
    due_ms: int | None


FOR_EVER_MS: Final = 2**62
LOOKED_AT: Final = 1_000
"""So many timers are looked at."""
IN_USE: Final = None
"""Something in the store goes on by itself."""


def idle(ledger: Ledger, *, asks: bool) -> Idle | None:
    """What a store waits for, or IN_USE; `asks` is whether questions to people are told here."""
    store, now_ms = ledger.store, ledger.now_ms()
    works = living_works(store)
    waiting = {f"{kind}:{name}" for kind, name, _ in store.waiting_works()}
    asked = asks and store.ready(ASK, "", at_ms=now_ms, limit=1)
    if asked or waiting & works or _is_held(store) or _goes_on_by_a_timer(store):
        return IN_USE
    return Idle(
        for_people=bool(store.flows(statuses=UP_TO_PEOPLE, limit=1)),
        missing=tuple(sorted(waiting)),
        due_ms=store.next_due_ms(at_ms=now_ms),
    )


def _goes_on_by_a_timer(store: Store) -> bool:
    """Whether a timer is all that a flow waits for; one that waits for people has time."""
    timers = store.due_timers(at_ms=FOR_EVER_MS, limit=LOOKED_AT)
    flows = {flow_id: store.flow(flow_id) for flow_id, _ in timers}
    return any(row is not None and row.status not in UP_TO_PEOPLE for row in flows.values())


def _is_held(store: Store) -> bool:
    """Whether a worker holds an order: one that lives, or one that is gone and not buried yet."""
    boot, now_ms = store.clock()
    if store.abandoned(boot=boot, now_ms=now_ms, limit=1):
        return True
    workers = store.workers(boot=boot, now_ms=now_ms)
    return any(store.orders_of(worker.worker_id) for worker in workers)
