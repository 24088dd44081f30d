"""The ledger of one thread, and what follows each of its transactions.

Rule: nothing is sent before the transaction is for good that commands it; what then cannot be
sent counts as never sent. A store that was out of reach is opened anew by the next transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from conductor_adapters.celery.config import Config
from conductor_adapters.celery.sender import Sender
from conductor_adapters.observing import log_entry, watched
from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import News, Nobody, Taken

_logger = logging.getLogger("conductor_adapters.celery")


class Sends(Nobody):
    """Takes nothing, and counts what is put as sent for as long as a lease."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def sends(self, kind: str) -> int:
        """For how many milliseconds an order counts as sent."""
        return self._config.lease_ms if kind in self._config.kinds else 0


class Books:
    """The flows of a store in the hands of one thread that sends what they command."""

    def __init__(self, config: Config, sender: Sender) -> None:
        self._config = config
        self._sender = sender
        self.ledger = Ledger(
            config.open_store(),
            now_ms=config.clock.now_ms,
            holder=Sends(config),
            snapshot_every=config.snapshot_every,
            alarms=False,
        )

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Generator[Ledger]:
        """Do everything within or nothing, and then what it commands; raises StoreError."""
        with self.ledger.transaction(durable=durable) as news:
            yield self.ledger
        self._follow(news)

    @contextmanager
    def reading(self) -> Generator[Ledger]:
        """Look at everything as it is at one moment."""
        with self.ledger.reading():
            yield self.ledger

    def _follow(self, news: News) -> None:
        """Tell who watches, and send what is to be sent."""
        for event, transition in news.entries:
            watched(log_entry, event, transition)
            if self._config.observe is not None:
                watched(self._config.observe, event, transition)
        self._send_new(news.to_send)

    def _send_new(self, orders: Sequence[Taken]) -> None:
        """Send orders that count as sent; what the broker does not take is left to the relay."""
        sent = self._sender.send(orders)
        if sent < len(orders):
            try:
                with self.ledger.transaction(durable=False):
                    for taken in orders[sent:]:
                        self.ledger.store.sent(taken.order.key, at_ms=0, until_ms=0)
            except StoreError as error:
                _logger.warning("what was not sent is sent when a lease has passed: %s", error)

    def send(self, orders: Sequence[Taken], *, again: str = "") -> bool:
        """Send orders that do not count as sent before they are; False where not all were."""
        if not orders:
            return True
        sent = self._sender.send(orders, again=again)
        with self.ledger.transaction(durable=False):
            at_ms = self.ledger.now_ms()
            for taken in orders[:sent]:
                until_ms = at_ms + self._config.lease_ms
                self.ledger.store.sent(taken.order.key, at_ms=at_ms, until_ms=until_ms)
            for taken in orders[sent:]:
                self.ledger.store.sent(taken.order.key, at_ms=0, until_ms=0)
        return sent == len(orders)

    def close(self) -> None:
        """Let go of the store."""
        self.ledger.store.close()
