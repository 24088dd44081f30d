"""What a worker does for a step in its store, without a broker and without another process."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from benchmarks.celery_apps import conducted, flows
from benchmarks.overhead import flow
from conductor_adapters.celery.books import Books
from conductor_adapters.celery.carrying import Carrier
from conductor_adapters.celery.post import Post
from conductor_adapters.celery.sender import Sender
from conductor_adapters.store.office import Taken
from conductor_adapters.store.protocol import STEP
from conductor_core import initial_state


class SendsNothing(Sender):
    """Takes what is to be sent as sent."""

    def send(self, orders: Sequence[Taken], *, again: str = "") -> int:
        """Send nothing."""
        return len(orders)


class Alone:
    """A worker of a store that is handed each order."""

    def __init__(self, broker: str, store: str) -> None:
        app = flows(broker)
        config = conducted(app, store).config
        sender = SendsNothing(app, config)
        self._books = Books(config, sender)
        self._carrier = Carrier(config, Post(config, sender, may_die=False))

    def steps(self, count: int) -> None:
        """Take and answer each step of a sequential flow."""
        state = initial_state(flow(count, 1), uuid.uuid4().hex)
        with self._books.transaction() as ledger:
            ledger.start(state)
        for number in range(count):
            self._carrier.receive(STEP, (state.flow_id, f"s{number}#1"))
        with self._books.reading() as ledger:
            assert ledger.look(state.flow_id).status == "success"
