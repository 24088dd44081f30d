"""What the tests of stores share: ledgers of one store, as several processes have them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from conductor_adapters.store.leases import Leases
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import Holder, News
from conductor_adapters.store.protocol import STEP
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.store_urls import opener
from conductor_core import FlowSpec, FlowState, StepSpec, events, initial_state
from conductor_core.events import Event, WorkOutcome
from conductor_core.testing.brief import flow, group
from conductor_core.verdicts import Verdict

if TYPE_CHECKING:
    from conductor_adapters.store.postgres import PostgresStore

T = TypeVar("T")

Place: TypeAlias = Path | str
"""Where a test keeps flows: the path of a file, or the URL of a database."""

TWO = flow(group("g", "a", "b", parallel=True), group("h", "c"))
LEASE_MS = 100


class Clocks:
    """The time of day and that since boot, which a test sets."""

    def __init__(self) -> None:
        self.day_ms = 1_000
        self.boot_ms = 0

    def day(self) -> int:
        """The time of day."""
        return self.day_ms

    def boot(self) -> int:
        """The time since boot."""
        return self.boot_ms


_opened: list[SqliteStore | PostgresStore] = []


def close_all() -> None:
    """Close the stores of all hands so far."""
    while _opened:
        _opened.pop().close()


class Hand:
    """One process: a ledger, and what its last transaction brought about."""

    def __init__(
        self,
        place: Place,
        clocks: Clocks | None = None,
        *,
        leases: Leases | None = None,
        **how: Any,
    ) -> None:
        self.clocks = Clocks() if clocks is None else clocks
        self.leases = leases
        opened = opener(place, synchronous="NORMAL")()
        self.store = cast("SqliteStore | PostgresStore", opened)
        _opened.append(self.store)
        holder: Holder | None = leases
        self.ledger = Ledger(self.store, now_ms=self.clocks.day, holder=holder, **how)
        self.news = News()
        if leases is not None:
            leases.bind(self.ledger)
            self.do(lambda _: leases.renew())

    def do(self, act: Callable[[Ledger], T]) -> T:
        """Do something in a transaction of its own."""
        with self.ledger.transaction() as self.news:
            done = act(self.ledger)
        if self.leases is not None:
            self.leases.settle(self.news)
        return done

    @property
    def file(self) -> SqliteStore:
        """The store, which is a file."""
        assert isinstance(self.store, SqliteStore)
        return self.store

    def sql(self, statement: str) -> list[Any]:
        """Do something to the rows behind the back of the store."""
        if isinstance(self.store, SqliteStore):
            return self.store.connection.execute(statement).fetchall()
        with self.store.transaction():
            done = self.store.connection.execute(statement.encode())
            return [] if done.description is None else done.fetchall()

    def start(self, spec: FlowSpec = TWO, flow_id: str = "f") -> None:
        """Start a flow."""
        self.do(lambda ledger: ledger.start(initial_state(spec, flow_id)))

    def feed(self, what: Callable[..., Event], flow_id: str = "f") -> Verdict:
        """Feed an event."""
        return self.do(lambda ledger: ledger.feed(flow_id, what))

    def state(self, flow_id: str = "f") -> FlowState:
        """Where a flow is."""
        return self.do(lambda ledger: ledger.look(flow_id))

    def entries(self, flow_id: str = "f") -> list[tuple[int, str]]:
        """The rows of a log."""
        return self.do(lambda ledger: ledger.store.entries(flow_id))

    def orders(self, flow_id: str = "f") -> list[str]:
        """The names of what is in the outbox for a flow."""
        return [order.name for order, _ in self.do(lambda ledger: ledger.store.orders_in(flow_id))]

    def taken(self) -> list[str]:
        """What the last transaction took."""
        return [taken.order.name for taken in self.news.taken]


def new_leases(
    clocks: Clocks,
    name: str,
    *,
    works: str = "abc",
    kinds: dict[str, list[str]] | None = None,
    slots: int = 10,
    max_deliveries: int = 3,
) -> Leases:
    """What a worker holds that holds nothing yet."""
    return Leases(
        name,
        name=name,
        works={STEP: list(works)} | (kinds or {}),
        slots=slots,
        lease_ms=LEASE_MS,
        max_deliveries=max_deliveries,
        clock_ms=clocks.boot,
    )


def worker(
    place: Place, clocks: Clocks, name: str = "w1", *, snapshot_every: int = 200, **how: Any
) -> Hand:
    """A process that works."""
    leases = new_leases(clocks, name, **how)
    return Hand(place, clocks, leases=leases, snapshot_every=snapshot_every)


def ended(attempt: str, outcome: WorkOutcome = "succeeded", **more: Any) -> Callable[..., Event]:
    """The end of work, which lacks its time."""
    return partial(events.StepFinished, attempt=attempt, outcome=outcome, **more)


def fragile(key: str) -> StepSpec:
    """A step that must not run twice unseen."""
    return StepSpec(key=key, on_recovery="fail")


def renew(hand: Hand) -> None:
    """Have a worker say that it lives."""
    assert hand.leases is not None
    leases = hand.leases
    hand.do(lambda _: leases.renew())


def look(hand: Hand) -> list[str]:
    """Have a worker look around; what it takes."""
    assert hand.leases is not None
    leases = hand.leases
    hand.do(lambda _: leases.look_around())
    return hand.taken()


def outlive(clocks: Clocks, *hands: Hand) -> None:
    """Let a lease pass, in which these workers say that they live, as others do not."""
    clocks.boot_ms += LEASE_MS // 2
    for hand in hands:
        renew(hand)
    clocks.boot_ms += LEASE_MS - LEASE_MS // 2
