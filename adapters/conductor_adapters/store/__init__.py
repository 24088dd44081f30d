"""A store: the logs of many flows and what their commands left to be done, kept durably.

Theory of operation
-------------------
A store is the journal of its flows and the queue of their work, in one place, so that both
change together or not at all. An entry is appended by *compare and append*: the transaction
names the entry that it follows, and of two processes that reduce the same flow at the same
time one appends, and the other has appended nothing and looks again. What an entry commands
is written in the same transaction, as what is to be carried out (`effects`): orders for
workers, timers, people to be asked. So nothing is commanded that is not recorded, and
nothing recorded whose commands could be lost, wherever a process dies.

Orders are leased: for as long as a lease lasts nobody else takes the order, and a worker that
works on renews it. When it dies the lease runs out and the order is taken again, with the
same idempotency key. An order goes with the entry that answers it.

Nothing here reads a clock or knows what a step is: times come from whoever asks, and what
follows from an event is the reducer's to say.
"""

from conductor_adapters.store.errors import FlowExists, StoreError, UnknownFlow
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.protocol import Appended, FlowRow, Order, Store

__all__ = [
    "Appended",
    "FlowExists",
    "FlowRow",
    "Ledger",
    "Order",
    "Store",
    "StoreError",
    "UnknownFlow",
]
