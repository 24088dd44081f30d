"""What a store does, whatever keeps it: a file, a server.

Rule: a store knows rows; nothing here asks what they mean. Times are those of whoever calls.
All but `changed` and `close` is called within a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol, TypeAlias

from attrs import frozen

STEP: Final = "step"
GENERATE: Final = "generate"
ASK: Final = "ask"

LATEST: Final = 2**62
"""Later than any time."""

Key: TypeAlias = tuple[str, str, str]
"""What there is one order of: a flow, a kind, a name."""


class Conflict(Exception):
    """Another was faster: an entry with this number stands in the log, or the flow does."""


@frozen(kw_only=True)
class FlowRow:
    """What a list of flows says of one; `changed_ms` is when its status last changed."""

    flow_id: str
    type: str
    status: str
    began_ms: int
    changed_ms: int
    accepted_only: bool = False


@frozen(kw_only=True)
class Order:
    """A command that is not carried out yet: a row of the outbox.

    `name` is the attempt of a STEP or an ASK, or the run of a GENERATE; `work` is the name
    under which the one who carries it out is found. `deliveries` counts how often it was taken.
    """

    flow_id: str
    kind: str
    name: str
    work: str
    deliveries: int = 0
    give_up: bool = False

    @property
    def key(self) -> Key:
        """What there is one of."""
        return self.flow_id, self.kind, self.name


@frozen
class Sendable:
    """A command that nobody has taken, since when it waits, and when it was sent, or 0: never."""

    order: Order
    since_ms: int
    sent_ms: int


@frozen(kw_only=True)
class SnapshotRow:
    """A state that was put aside after `seq` entries, where its log stood then, and its time."""

    seq: int
    at_ms: int
    position: str
    state: str


@frozen(kw_only=True)
class WorkerRow:
    """A worker, and until when it lives unless it renews, by the clock that `boot` names.

    `works` holds the kinds and names of what it carries out, as `kind:work`.
    """

    worker_id: str
    name: str
    boot: str
    until_ms: int
    works: frozenset[str]


class Store(Protocol):
    """A store in the hands of one thread."""

    @property
    def connections(self) -> int:
        """How often the store was opened from here: what was remembered before is not certain.

        A transaction may be the first to find that what was open is lost, and so this is asked
        once it has begun.
        """
        ...

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """Do everything within, for good when it ends, or else nothing; raises StoreError.

        What is not `durable` can be lost with the machine's power, until the next is that is.
        """
        ...

    def reading(self) -> AbstractContextManager[None]:
        """Read everything within as it is at one moment, and hold nobody up; raises StoreError."""
        ...

    def changed(self) -> bool:
        """Whether others wrote since this was last asked; cheap."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...

    def hold(self, flow_id: str) -> int | None:
        """Let nobody else change a flow before the transaction ends; tells its `place`."""
        ...

    def clock(self) -> tuple[str, int]:
        """The name of the clock by which workers live, and what it shows, in milliseconds."""
        ...

    # --- flows and their logs ---

    def add_flow(self, row: FlowRow, header: str) -> int:
        """Begin the log of a flow, and tell its place; raises Conflict where there is one."""
        ...

    def flow(self, flow_id: str) -> FlowRow | None:
        """What a list says of a flow."""
        ...

    def flows(
        self, *, statuses: Sequence[str] = (), after: tuple[int, str] | None = None, limit: int
    ) -> list[FlowRow]:
        """Flows in the order in which they began; `after` is (began_ms, flow_id) of the last."""
        ...

    def set_status(self, flow_id: str, status: str, at_ms: int) -> None:
        """Say anew where a flow is."""
        ...

    def remove_flow(self, flow_id: str) -> None:
        """Forget a flow and everything about it."""
        ...

    def append(self, flow_id: str, seq: int, lines: str, *, behind: int) -> int:
        """Append an entry behind a place, and tell its own; raises Conflict.

        A place is given once: the log of another flow that once had this id has other places.
        """
        ...

    def extend(self, flow_id: str, seq: int, lines: str) -> None:
        """Add lines behind those of an entry."""
        ...

    def place(self, flow_id: str) -> int | None:
        """The place of the last entry, or of the header; None where there is no flow."""
        ...

    def entries(self, flow_id: str, *, after: int = -1) -> list[tuple[int, str]]:
        """The entries behind a number with their lines; the header has the number 0."""
        ...

    def grown(self, *, after: int) -> tuple[list[str], int]:
        """The flows to which something was appended behind a place, and the place now."""
        ...

    def snapshot(self, flow_id: str) -> SnapshotRow | None:
        """The state of a flow that was put aside."""
        ...

    def put_snapshot(self, flow_id: str, row: SnapshotRow) -> None:
        """Put a state aside, in place of an earlier one."""
        ...

    # --- the outbox ---

    def put_order(
        self, order: Order, owner: str | None, *, at_ms: int, sent_until_ms: int = 0
    ) -> bool:
        """Put a command into the outbox; False where it is there already.

        It may have an owner at once, or count as sent and be left alone until a time.
        """
        ...

    def order(self, key: Key) -> tuple[Order, str | None] | None:
        """A command that is in the outbox, and who has taken it."""
        ...

    def ready(self, kind: str, work: str, *, at_ms: int, limit: int) -> list[Order]:
        """Commands that nobody has taken, the oldest first."""
        ...

    def claim(self, kind: str, *, at_ms: int, until_ms: int, limit: int) -> list[Sendable]:
        """Commands that nobody has taken and that are to be looked at, which puts them off."""
        ...

    def sent(self, key: Key, *, at_ms: int, until_ms: int) -> None:
        """Take note that a command was sent, and is not to be looked at before a time."""
        ...

    def is_due(self, kind: str, *, at_ms: int) -> bool:
        """Whether there is anything to `claim`."""
        ...

    def take(self, key: Key, owner: str) -> None:
        """Take a command that nobody has taken."""
        ...

    def give_back(self, key: Key, *, not_before_ms: int = 0, uncounted: bool = False) -> None:
        """Let others take a command, perhaps as if it had not been delivered this time."""
        ...

    def answered(self, key: Key, owner: str) -> bool:
        """Remove a command that its owner has carried out; False where it is not its owner."""
        ...

    def remove_order(self, key: Key) -> None:
        """Remove a command, whoever has it."""
        ...

    def ask_to_give_up(self, key: Key) -> None:
        """Leave word for the owner of a command that it shall give up."""
        ...

    def orders_of(self, owner: str) -> list[Order]:
        """What a worker has taken."""
        ...

    def orders_in(self, flow_id: str) -> list[tuple[Order, str | None]]:
        """What is in the outbox for a flow, and who has it."""
        ...

    def abandoned(self, *, boot: str, now_ms: int, limit: int) -> list[Order]:
        """Commands whose owners have gone."""
        ...

    def oldest_ready_ms(self) -> int | None:
        """Since when the oldest work waits that nobody has taken."""
        ...

    def waiting_works(self) -> list[tuple[str, str, int]]:
        """The kinds and names of work that nobody has taken, and how many of each."""
        ...

    # --- timers ---

    def put_timer(self, flow_id: str, timer: str, due_ms: int) -> None:
        """Set a timer, in place of one with the same id."""
        ...

    def remove_timer(self, flow_id: str, timer: str, *, due_by_ms: int = LATEST) -> bool:
        """Forget a timer, if it falls due by then; False where there is none such."""
        ...

    def remove_timers(self, flow_id: str) -> None:
        """Forget every timer of a flow."""
        ...

    def due_timers(self, *, at_ms: int, limit: int) -> list[tuple[str, str]]:
        """The flows and timers that fell due, the earliest first."""
        ...

    def next_due_ms(self, *, at_ms: int) -> int | None:
        """When the next timer falls due, or what was put off may be taken."""
        ...

    # --- workers ---

    def renew(self, row: WorkerRow) -> None:
        """Say that a worker lives, and until when without another word."""
        ...

    def retire(self, worker_id: str) -> None:
        """Say that a worker has gone."""
        ...

    def workers(self, *, boot: str, now_ms: int) -> list[WorkerRow]:
        """The workers that live."""
        ...

    def bury(self, *, boot: str, now_ms: int) -> None:
        """Forget the workers that have gone and hold nothing."""
        ...


def works_of(kinds: Iterable[tuple[str, Iterable[str]]]) -> frozenset[str]:
    """What a worker carries out, as its row says it."""
    return frozenset(f"{kind}:{work}" for kind, works in kinds for work in works)
