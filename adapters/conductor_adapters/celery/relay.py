"""Looks after a store that Celery workers share: timers, rescues, and what is to be sent again.

Rule: any number of relays may run; whatever one does is done in a transaction in which it sees
that nobody else has done it. What a broker lost is sent again when its queue is empty, and
otherwise ever more rarely: a message may also just wait its turn.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from attrs import frozen

from conductor_adapters.celery.books import Books
from conductor_adapters.celery.config import Config
from conductor_adapters.celery.sender import Sender
from conductor_adapters.celery.standing import new_name, say_alive
from conductor_adapters.store.asked_for import command_of
from conductor_adapters.store.errors import StoreError, UnknownFlow
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import Taken
from conductor_adapters.store.protocol import (
    GENERATE,
    STEP,
    Order,
    Sendable,
    works_of,
)
from conductor_adapters.store.upkeep import Upkeep
from conductor_core.errors import LogError
from conductor_core.state import FlowState

AT_ONCE: Final = 200
"""So many timers, orders and messages are looked at in one round."""
TROUBLE_S: Final = 1.0
"""So long a store is left alone that cannot be used."""

_logger = logging.getLogger("conductor_adapters.celery")


@frozen
class Due:
    """What a relay sees to be done: timers to fire, kinds of orders to send, orders to rescue."""

    timers: Sequence[tuple[str, str]]
    kinds: Sequence[str]
    abandoned: Sequence[Order]


class Relay:
    """Looks after the flows of a store, in the thread that calls `run`."""

    def __init__(self, config: Config, sender: Sender) -> None:
        self.worker_id = new_name()
        self._config = config
        self._sender = sender
        self._books: Books | None = None
        self._renewed_s = float("-inf")
        self._looked_s = time.monotonic()
        self._patient_until_s = float("-inf")
        self._rescued_s = float("-inf")
        self._rescue_each_s = config.lease_ms / 10_000

    def run(self, stopped: threading.Event) -> None:
        """Look after everything until told to stop."""
        while not stopped.is_set():
            wait_s = self._config.poll_s
            try:
                if not self.look():
                    wait_s = max(TROUBLE_S, wait_s)
            except StoreError as error:
                _logger.warning("cannot look into the store: %s", error)
                wait_s = max(TROUBLE_S, wait_s)
            stopped.wait(wait_s)
        self.close()

    def close(self) -> None:
        """Let go of the store, and appear among the workers no more."""
        books, self._books = self._books, None
        if books is None:
            return
        try:
            with books.transaction(durable=False) as ledger:
                ledger.store.retire(self.worker_id)
        except StoreError as error:
            _logger.warning("%s stays among the workers for a while: %s", self.worker_id, error)
        books.close()

    def look(self) -> bool:
        """Do what is to be done now, and tell whether the broker is there; raises StoreError."""
        if self._books is None:
            self._books = Books(self._config, self._sender)
        books = self._books
        self._renew(books)
        due = self._due(books)
        for flow_id, timer in due.timers:
            with books.transaction() as ledger:
                self._upkeep(ledger).fire(flow_id, timer)
        for order in due.abandoned:
            with books.transaction() as ledger:
                self._upkeep(ledger).attend(order, partial(self._rescue_if_gone, ledger))
        return all(self._send(books, kind) for kind in due.kinds)

    def _due(self, books: Books) -> Due:
        """See what is to be done, without holding anybody up."""
        now_s = time.monotonic()
        patient = now_s < max(self._patient_until_s, self._rescued_s + self._rescue_each_s)
        with books.reading() as ledger:
            store, at_ms = ledger.store, ledger.now_ms()
            timers = store.due_timers(at_ms=at_ms, limit=AT_ONCE)
            kinds = [kind for kind in self._config.kinds if store.is_due(kind, at_ms=at_ms)]
            abandoned: list[Order] = []
            if not patient:
                clock, now_ms = store.clock()
                abandoned = store.abandoned(boot=clock, now_ms=now_ms, limit=AT_ONCE)
                self._rescued_s = now_s
        return Due(timers, kinds, abandoned)

    # --- the relay among the workers ---

    def _renew(self, books: Books) -> None:
        """Tell what the workers of this host do, and bury those that have gone."""
        now_s, lease_s = time.monotonic(), self._config.lease_ms / 1000
        if now_s - self._looked_s > lease_s / 3:
            # What held this one up held up others too, who shall have time to say they live.
            self._patient_until_s = now_s + lease_s
        self._looked_s = now_s
        if now_s - self._renewed_s < lease_s / 3:
            return
        works = {STEP: self._config.workers.handlers, GENERATE: self._config.workers.generators}
        with books.transaction(durable=False) as ledger:
            say_alive(ledger.store, self.worker_id, self._config.lease_ms, works_of(works.items()))
        # A transaction of its own: two that bury each other, as after an outage, would wait
        # for each other if each held what it says of itself.
        with books.transaction(durable=False) as ledger:
            store = ledger.store
            clock, now_ms = store.clock()
            store.bury(boot=clock, now_ms=now_ms)
            since_ms = store.oldest_ready_ms()
            waited_ms = 0 if since_ms is None else max(0, ledger.now_ms() - since_ms)
        self._config.measures.waited(waited_ms)
        self._renewed_s = now_s

    def _rescue_if_gone(self, ledger: Ledger, order: Order, state: FlowState) -> None:
        """Rescue an order unless another relay has just done so."""
        found = ledger.store.order(order.key)
        if found is None or found[1] is None:
            return
        order, owner = found
        clock, now_ms = ledger.store.clock()
        if owner not in {row.worker_id for row in ledger.store.workers(boot=clock, now_ms=now_ms)}:
            told = "%s of flow %s is taken from %s, which is gone"
            _logger.warning(told, order.name, order.flow_id, owner)
            self._config.measures.rescued(order.kind)
            self._upkeep(ledger).rescue(order, state)

    def _upkeep(self, ledger: Ledger) -> Upkeep:
        return Upkeep(ledger, max_deliveries=self._config.max_deliveries)

    # --- what is to be sent, or sent again ---

    def _send(self, books: Books, kind: str) -> bool:
        """Send what was never sent, and again what the broker lost; False where it is down."""
        with books.transaction(durable=False) as ledger:
            at_ms = ledger.now_ms()
            claimed = ledger.store.claim(
                kind, at_ms=at_ms, until_ms=at_ms + self._config.lease_ms, limit=AT_ONCE
            )
        empty: dict[str, bool] = {}
        first: list[Taken] = []
        again: list[Taken] = []
        for sendable, taken in self._readable(books, claimed):
            if not sendable.sent_ms:
                first.append(taken)
            elif self._is_lost(sendable, taken, at_ms, empty):
                again.append(taken)
        return books.send(first) and books.send(again, again=f"~{at_ms}")

    def _readable(
        self, books: Books, claimed: Sequence[Sendable]
    ) -> Sequence[tuple[Sendable, Taken]]:
        """What is claimed, as its flow says it; what no flow asks for is done away with."""
        readable: list[tuple[Sendable, Taken]] = []
        troubled: list[Order] = []
        with books.reading() as ledger:
            for sendable in claimed:
                order = sendable.order
                taken = _taken(ledger, order)
                if taken is None:
                    troubled.append(order)
                else:
                    readable.append((sendable, taken))
        for order in troubled:
            with books.transaction() as ledger:
                upkeep = self._upkeep(ledger)
                upkeep.attend(order, upkeep.remove_if_stale)
        return readable

    def _is_lost(
        self, sendable: Sendable, taken: Taken, at_ms: int, empty: dict[str, bool]
    ) -> bool:
        """Whether a message that was sent is to be sent once more."""
        queue = self._sender.queue_of(taken)
        if queue not in empty:
            empty[queue] = self._sender.is_empty(queue)
        waited_ms = sendable.sent_ms - sendable.since_ms
        return empty[queue] or at_ms - sendable.sent_ms >= max(self._config.lease_ms, waited_ms)


def _taken(ledger: Ledger, order: Order) -> Taken | None:
    """An order with its command; None where it has none, or its flow cannot be read."""
    try:
        state = ledger.look(order.flow_id)
    except (UnknownFlow, LogError):
        return None
    command = command_of(state, order)
    return None if command is None else Taken(order, command, state)
