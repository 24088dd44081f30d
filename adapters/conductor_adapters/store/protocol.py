"""What a store does, whatever keeps it: a file, a server.

Rule: every method is one transaction, and raises StoreError if nothing came of it. Times are
milliseconds since 1970 and come from whoever calls. A store may be shared by processes; an
object of this protocol belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from attrs import frozen

from conductor_adapters.store.effects import Effects
from conductor_core.loglines import Position


@frozen
class FlowRow:
    """A flow in a list: how many entries it has, its status, its times."""

    flow_id: str
    seq: int
    status: str
    created_ms: int
    latest_ms: int


@frozen(kw_only=True)
class Snapshot:
    """A state that was put aside, with where its log stood then."""

    position: Position
    text: str


@frozen(kw_only=True)
class Stored:
    """A flow as it is kept: its header, the last snapshot, and the entries after it."""

    row: FlowRow
    header: str
    snapshot: Snapshot | None
    entries: tuple[tuple[int, str], ...]


@frozen(kw_only=True)
class Appended:
    """An entry to be appended as number `seq`.

    `lines` is what the log gets: the entry, and a checkpoint when one is due; nothing where the
    log takes none. `position` is where the log stands then.
    """

    flow_id: str
    seq: int
    lines: str
    position: Position
    status: str
    at_ms: int
    effects: Effects
    snapshot: Snapshot | None = None


@frozen(kw_only=True)
class Order:
    """Something that was leased: what is to be done, the how manieth time, and until when.

    `given_up`: its work is to give up, and need not begin.
    """

    id: int
    flow_id: str
    name: str
    queue: str
    command: str
    deliveries: int
    until_ms: int
    given_up: bool = False


class Store(Protocol):
    """Keeps flows and what is to be done for them."""

    def create(self, flow_id: str, header: str, position: Position, *, at_ms: int) -> None:
        """Keep a flow to which nothing has happened; FlowExists if there is one."""
        ...

    def load(self, flow_id: str, *, after: int | None = None) -> Stored:
        """A flow from its last snapshot on; with `after`, the entries after that one alone.

        Where there is neither, no entry is loaded: see `lines`. Raises UnknownFlow.
        """
        ...

    def append(self, entries: Sequence[Appended]) -> bool:
        """Append entries, all of one flow; False, and nothing, if another was faster."""
        ...

    def lease(
        self,
        owner: str,
        *,
        queues: Collection[str],
        now_ms: int,
        until_ms: int,
        limit: int,
    ) -> list[Order]:
        """Take orders of some queues that nobody has, the oldest first."""
        ...

    def renew(self, owner: str, orders: Collection[int], *, until_ms: int) -> dict[int, bool]:
        """Go on with orders: those that are still the owner's, and whether they are to give up."""
        ...

    def held(self, owner: str) -> dict[int, bool]:
        """The orders that are the owner's, and whether they are to give up."""
        ...

    def give_back(self, owner: str, orders: Collection[int]) -> None:
        """Let others take orders at once."""
        ...

    def discard(self, owner: str, order: int) -> None:
        """Be done with an order that no entry answers."""
        ...

    def due_timers(self, *, now_ms: int, limit: int) -> list[tuple[str, str]]:
        """Flows and their timers that are due, the earliest first."""
        ...

    def next_timer_ms(self) -> int | None:
        """When the next timer is due."""
        ...

    def flows(self, *, status: str | None = None) -> Iterator[FlowRow]:
        """The flows, by their ids."""
        ...

    def lines(self, flow_id: str) -> Iterator[str]:
        """The lines of a log, with its header."""
        ...

    def version(self) -> int:
        """A number that differs whenever somebody else has written."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...
