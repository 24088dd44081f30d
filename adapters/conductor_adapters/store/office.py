"""What the flows of a ledger share: its store, its clock, and the news of one transaction.

Rule: news is what a transaction brought about, and nobody acts on it before that is for good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import define, field, frozen

from conductor_adapters.store.protocol import Key, Order, Store
from conductor_core.commands import Command
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.state import FlowState


@frozen
class Taken:
    """An order that is ours, to do or to send, what it commands, and the state it is read from."""

    order: Order
    command: Command
    state: FlowState


@define
class News:
    """What a transaction brought about, for who acts on it once it is for good."""

    entries: list[tuple[Event, Transition]] = field(factory=list)
    changed: dict[str, FlowState] = field(factory=dict)
    taken: list[Taken] = field(factory=list)
    to_send: list[Taken] = field(factory=list)
    given_up: list[Key] = field(factory=list)
    lost: list[Key] = field(factory=list)
    ended: list[Key] = field(factory=list)
    timers: bool = False
    next_due_ms: int | None = None
    outbox_age_ms: int | None = None
    renewed_until_ms: int | None = None

    def tells_of(self, flow_id: str) -> bool:
        """Whether it brought that flow on."""
        entries = (transition.state.flow_id for _, transition in self.entries)
        return flow_id in self.changed or flow_id in entries


class Holder(Protocol):
    """Who takes orders here."""

    def wants(self, key: Key, work: str) -> str | None:
        """The name of the owner where an order may be taken here at once."""
        ...

    def sends(self, kind: str) -> int:
        """For how many milliseconds an order counts as sent that is put here; 0: it is not."""
        ...

    def is_mine(self, owner: str | None) -> bool:
        """Whether this owner is the one here."""
        ...

    def left_open(self) -> None:
        """An order was put that waits for somebody."""
        ...


class Nobody:
    """Takes and sends nothing, as who only asks does."""

    def wants(self, key: Key, work: str) -> str | None:
        """Nothing."""
        return None

    def sends(self, kind: str) -> int:
        """Whoever takes it finds it."""
        return 0

    def is_mine(self, owner: str | None) -> bool:
        """No owner is."""
        return False

    def left_open(self) -> None:
        """Others will find it."""


@define
class Office:
    """Where the flows of a ledger are worked with; the news is that of the open transaction."""

    store: Store
    now_ms: Callable[[], int]
    holder: Holder
    news: News = field(factory=News)
