"""Where durable hosts keep flows: journal, outbox, timers and leases behind one protocol.

Theory of operation
-------------------
A store holds, for each flow, the very lines of its log (`conductor-log/1`), and, beside them,
rows that only say where to look: which commands are not carried out yet (the outbox), which
timers are open, which worker holds what. All of it changes in transactions, and one
transaction holds an event together with everything that it commanded: whoever dies between
two statements leaves nothing behind, and whoever dies after the commit leaves a row that says
what is still to be done.

*Append is compare-and-append.* Entries are numbered by flow, and a number is given once. Of two
processes that reduce the same flow from the same state one appends; the other gets `Conflict`,
reads what it had not seen, and reduces again. Its first commands were rows of a transaction
that never wrote them.

*Rows name commands, they do not say them.* What an attempt is handed is read from the state
when a worker takes its order, as after any crash (S14.2). So the log is the only truth.

*Leases belong to workers.* An order has an owner, and a worker has a row that it renews while it
lives; orders whose owner has no such row, or one that ran out, are free to be rescued. A lease
is told by the clock of the machine's boot and not by the time of day, which people set.

*Many jobs, one transaction.* A store belongs to one thread (`desk`), which puts whatever came in
meanwhile into its next transaction: the disk is waited for once for all of it.

Rule: a store knows rows and no flows: what they mean is the business of `ledger`, and every
statement stands in `statements`.
"""

from conductor_adapters.store.errors import FlowExists, StoreError, UnknownFlow
from conductor_adapters.store.protocol import (
    Conflict,
    FlowRow,
    Key,
    Order,
    Sendable,
    SnapshotRow,
    Store,
    WorkerRow,
)

__all__ = [
    "Conflict",
    "FlowExists",
    "FlowRow",
    "Key",
    "Order",
    "Sendable",
    "SnapshotRow",
    "Store",
    "StoreError",
    "UnknownFlow",
    "WorkerRow",
]
