"""A worker of a store: what it takes, how long it holds it, and what becomes of what others held.

Rule: an order is begun only after the transaction that took it, and is answered only by who
holds it. A worker renews itself in the thread of its store, so that no handler that blocks a
loop costs it its leases. What others left behind is the matter of `upkeep`.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from conductor_adapters.store.asked_for import command_of
from conductor_adapters.store.boot import boot_id, since_boot_ms
from conductor_adapters.store.lease import Lease
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import News, Taken
from conductor_adapters.store.protocol import STEP, Key, Order, WorkerRow, works_of
from conductor_adapters.store.upkeep import Upkeep
from conductor_core.state import FlowState

AT_ONCE: Final = 200
"""So many orders, or timers, are looked at in one transaction."""

_logger = logging.getLogger("conductor_adapters.store")


class Leases:
    """What one worker holds; used by the thread of its ledger.

    `works` says by kind what it carries out; of that it takes at most `slots` at a time.
    """

    def __init__(
        self,
        worker_id: str,
        *,
        name: str,
        works: Mapping[str, Iterable[str]],
        slots: int,
        lease_ms: int,
        max_deliveries: int,
        clock_ms: Callable[[], int] = since_boot_ms,
    ) -> None:
        self.worker_id = worker_id
        self.held: set[Key] = set()
        self.ending: set[Key] = set()
        """What was lost, or is to give up, and still runs here; until it has ended, whatever
        else has its name is left to others."""
        self._name = name
        self._works = [(kind, work) for kind, names in works.items() for work in names]
        self._may_take = frozenset(self._works)
        self._row_works = works_of(works.items())
        self._slots = slots
        self.lease = Lease(lease_ms, clock_ms)
        self._max_deliveries = max_deliveries
        self._stopped = False
        self._more = True
        self._missing: set[tuple[str, str]] = set()

    def appear_as(self, name: str) -> None:
        """Take an id of its own, before anything is taken: a fork would share an earlier one."""
        self.worker_id, self._name = f"{name}:{uuid.uuid4().hex[:8]}", name

    def bind(self, ledger: Ledger) -> None:
        """Take orders of the flows of a ledger."""
        self._ledger = ledger
        self._store = ledger.store
        self._upkeep = Upkeep(ledger, max_deliveries=self._max_deliveries)
        self.lease.begin()

    # --- what the ledger asks (Holder) ---

    def wants(self, key: Key, work: str) -> str | None:
        """The name of this worker, where it has room, knows the work and has none of it."""
        known = (key[1], work) in self._may_take
        if known and self._room() > 0 and not self._has(key):
            self._check_lease()
            return self.worker_id
        return None

    def sends(self, kind: str) -> int:
        """What is left open is found by other workers."""
        return 0

    def _has(self, key: Key) -> bool:
        """Whether something of that name runs here, be it of an earlier flow of that id."""
        return key in self.held or key in self.ending

    def is_mine(self, owner: str | None) -> bool:
        """Whether this worker is the owner."""
        return owner == self.worker_id

    def has_ended(self, key: Key) -> None:
        """Nothing runs here any more of what was lost, or gave up; others of its name may."""
        self.ending.discard(key)
        self._more = True

    def left_open(self) -> None:
        """Look for more when there is room again."""
        self._more = True

    def _room(self) -> int:
        if self._stopped:
            return 0
        news = self._ledger.news
        # What gave up made room when it was asked to, and makes none again when it ends.
        freed = len(self.held.intersection(news.ended))
        return self._slots - len(self.held) - len(news.taken) + freed

    # --- the lease ---

    def renew(self) -> None:
        """Hold everything for another while."""
        until_ms = self.lease.renewed_ms()
        self._store.renew(
            WorkerRow(
                worker_id=self.worker_id,
                name=self._name,
                boot=boot_id(),
                until_ms=until_ms,
                works=self._row_works,
            )
        )
        # It counts once it is for good: a transaction that fails has renewed nothing.
        self._ledger.news.renewed_until_ms = until_ms

    def _check_lease(self) -> None:
        """Take nothing on a lease that has nearly run out."""
        if self._ledger.news.renewed_until_ms is None and self.lease.is_due():
            self.renew()

    @property
    def stopped(self) -> bool:
        """Whether nothing more is taken."""
        return self._stopped

    def stop(self) -> None:
        """Take nothing more."""
        self._stopped = True

    def retire(self, *, at_once: bool) -> None:
        """Renew no more, and let others rescue what is still held: at once, if nothing runs."""
        self._stopped = True
        self.lease.end()
        if at_once:
            self._store.retire(self.worker_id)

    def hand_back(self, key: Key, *, begun: bool, delay_ms: int = 0) -> None:
        """Let others do what is left undone here; what must not run twice has failed (S14.3)."""
        found = self._store.order(key)
        if found is None or found[1] != self.worker_id:
            return
        order, state = found[0], self._ledger.look(key[0])
        not_before_ms = delay_ms and self._ledger.now_ms() + delay_ms
        self._upkeep.hand_back(order, state, begun=begun, not_before_ms=not_before_ms)
        self._ledger.news.timers = True
        self._ledger.news.ended.append(key)

    def living_works(self) -> frozenset[str]:
        """What the workers that live carry out."""
        rows = self._store.workers(boot=boot_id(), now_ms=self.lease.now_ms())
        return frozenset(work for row in rows for work in row.works)

    # --- looking around ---

    def look_around(self) -> None:
        """Do what is to be done in the store, the most urgent first."""
        if self.lease.is_due():
            self.renew()
            self._tell_missing()
            since_ms = self._store.oldest_ready_ms()
            now_ms = self._ledger.now_ms()
            age_ms = 0 if since_ms is None else max(0, now_ms - since_ms)
            self._ledger.news.outbox_age_ms = age_ms
        self.rescue()
        self.fire_timers()
        self.hear()
        self._more = True
        self.take_more()

    def _tell_missing(self) -> None:
        """Warn, once, of work that waits and that no worker does."""
        waiting = self._store.waiting_works()
        unknown = [w for w in waiting if (w[0], w[1]) not in self._may_take]
        living = self.living_works() if unknown else frozenset()
        missing = {(kind, work) for kind, work, _ in unknown if f"{kind}:{work}" not in living}
        for kind, work in sorted(missing - self._missing):
            does = "a handler for" if kind == STEP else "a generator for flows of type"
            _logger.warning("no worker has %s %r, for which work waits", does, work)
        self._missing = missing

    def rescue(self) -> None:
        """Answer for, or give back, what workers hold that are gone."""
        if self.lease.is_patient():
            return
        boot, now_ms = boot_id(), self.lease.now_ms()
        for order in self._store.abandoned(boot=boot, now_ms=now_ms, limit=AT_ONCE):
            self._upkeep.attend(order, self._upkeep.rescue)
        self._store.bury(boot=boot, now_ms=now_ms)

    def fire_timers(self) -> None:
        """Fire the timers that are due."""
        now_ms = self._ledger.now_ms()
        for flow_id, timer in self._store.due_timers(at_ms=now_ms, limit=AT_ONCE):
            self._upkeep.fire(flow_id, timer)
        self._ledger.news.timers = True

    def hear(self) -> None:
        """Learn what shall give up here, and what is ours no more."""
        orders = {order.key: order for order in self._store.orders_of(self.worker_id)}
        news = self._ledger.news
        asked = [key for key, order in orders.items() if order.give_up]
        news.given_up += [key for key in asked if key not in self.ending]
        news.lost += [key for key in self.held if key not in orders]

    def take_more(self) -> None:
        """Take what waits, as much as there is room for."""
        if not self._more or self._room() <= 0:
            return
        self._check_lease()
        at_ms = self._ledger.now_ms()
        self._more = False
        for kind, work in self._works:
            self._take_of(kind, work, at_ms)
            if self._room() <= 0:
                self._more = True
                break
        # Whoever comes last now comes first next time.
        self._works.append(self._works.pop(0))

    def _take_of(self, kind: str, work: str, at_ms: int) -> None:
        """Take what waits of one work; what cannot be taken hides nothing behind it."""
        seen: list[Order] = []
        while (room := self._room()) > 0:
            limit = room + len(self.ending)
            orders = self._store.ready(kind, work, at_ms=at_ms, limit=limit)
            for order in orders if orders != seen else ():
                if self._room() > 0:
                    self._upkeep.attend(order, self._take)
            if len(orders) < limit or orders == seen:
                return
            seen = orders

    def _take(self, order: Order, state: FlowState) -> None:
        command = command_of(state, order)
        if command is None:
            self._store.remove_order(order.key)
            return
        if self._has(order.key):
            self._more = True
            return
        if order.deliveries > 0 and (answer := self._upkeep.answer_for(order, state)) is not None:
            self._ledger.feed(order.flow_id, answer)
            return
        self._store.take(order.key, self.worker_id)
        self._ledger.news.taken.append(Taken(order, command, state))

    def settle(self, news: News) -> None:
        """Take note of what a transaction did that is for good."""
        if news.renewed_until_ms is not None:
            self.lease.holds_until(news.renewed_until_ms)
        self.held.update(taken.order.key for taken in news.taken)
        self.held.difference_update(news.ended, news.given_up, news.lost)
        self.ending.update(news.given_up, news.lost)
        for flow_id, _, name in news.lost:
            _logger.warning("lease lost: %s of flow %s is another worker's", name, flow_id)
