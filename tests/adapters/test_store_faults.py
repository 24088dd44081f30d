"""Whatever fails, and wherever a process dies, an entry and its orders are kept or they are not."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from conductor_adapters.store import StoreError
from conductor_adapters.store.kept import log_lines
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.protocol import STEP
from conductor_adapters.store.sqlite import SqliteStore
from conductor_core import ApprovalSpec, StepSpec, events, initial_state
from conductor_core.log import replay
from conductor_core.testing.brief import flow, group
from conductor_core.verdicts import Accepted
from tests.adapters.faults import die, fail, with_failure
from tests.adapters.ledgers import LEASE_MS, Clocks, Hand, ended, fragile, new_leases, worker

SPEC: Final = flow(
    group("g", StepSpec(key="a", timeout_ms=5), fragile("b"), parallel=True),
    group("h", StepSpec(key="c", approval=ApprovalSpec())),
)


def begun(path: Path) -> Hand:
    """A worker on a flow whose two first steps are its own; another flow waits for somebody."""
    hand = worker(path, Clocks(), snapshot_every=1)
    hand.start(SPEC)
    assert hand.taken() == ["a#1", "b#1"]
    Hand(path).start(SPEC, "waiting")
    return hand


def answers(ledger: Ledger) -> None:
    """The end of both steps, which lets the next one be taken."""
    for attempt in ("a#1", "b#1"):
        assert ledger.answer(("f", STEP, attempt), "w1", ended(attempt))


def the_end(ledger: Ledger) -> None:
    """A cancel, which ends the flow and tells its workers."""
    assert ledger.feed("f", partial(events.CancelRequested, by="ann")) == Accepted()


def a_timer(ledger: Ledger) -> None:
    """A timer, which ends an attempt and tells its worker."""
    ledger.fire("f", "timeout:a#1")


def a_start(ledger: Ledger) -> None:
    """Another flow, whose first steps are taken at once."""
    ledger.start(initial_state(SPEC, "g"))


def an_approval(ledger: Ledger) -> None:
    """An answer to what `answers` brought up, which ends the flow and closes its log."""
    answers(ledger)
    assert ledger.answer(("f", STEP, "c#1"), "w1", ended("c#1"))
    approve = partial(events.ApprovalResponded, step="c", response="approve", by="ann")
    assert ledger.feed("f", approve) == Accepted()


def a_worker_gone(ledger: Ledger) -> None:
    """A look around by another worker when the leases have run out."""
    clocks = Clocks()
    clocks.boot_ms = 2 * LEASE_MS
    other = new_leases(clocks, "w2")
    other.bind(ledger)
    other.look_around()


def a_take(ledger: Ledger) -> None:
    """A look at what waits, by a worker that comes up."""
    other = new_leases(Clocks(), "w2")
    other.bind(ledger)
    other.look_around()
    assert [taken.order.name for taken in ledger.news.taken] == ["a#1", "b#1"]


PATHS: Final[dict[Callable[[Ledger], None], int]] = {
    answers: 9, the_end: 12, a_timer: 7, a_start: 11,
    an_approval: 19, a_worker_gone: 23, a_take: 16,
}  # fmt: skip
"""What is done in a transaction, and how many statements that has at least, all of them tried."""


def contents(path: Path) -> list[list[tuple[Any, ...]]]:
    """All rows of a store; its log is whole, and it is sound."""
    with SqliteStore(path, synchronous="NORMAL", create=False) as store:
        assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for row in store.flows(limit=9):
            replay(log_lines(store.entries(row.flow_id)), flow_id=row.flow_id)
        tables = ("flows", "entries", "snapshots", "outbox", "timers")
        return [store.connection.execute(f"SELECT * FROM {t}").fetchall() for t in tables]


def statements_of(path: Path, act: Callable[[Ledger], None]) -> int:
    """How many statements a transaction has, its begin and commit included."""
    hand = begun(path)
    counted = with_failure(hand.store, 0, fail)
    hand.do(act)
    return counted.count


@pytest.mark.parametrize("act", PATHS)
def test_what_fails_has_not_happened(tmp_path: Path, act: Callable[[Ledger], None]) -> None:
    """At whatever statement; the same ledger goes on from where it was."""
    count = statements_of(tmp_path / "count.db", act)
    assert count >= PATHS[act]
    for number in range(1, count + 1):
        path = tmp_path / f"{number}.db"
        hand = begun(path)
        before, connection = contents(path), hand.file.connection
        with_failure(hand.store, number, fail)
        with pytest.raises(StoreError, match=r"\.db: disk I/O error$"):
            hand.do(act)
        hand.file.connection = connection
        assert contents(path) == before
        hand.do(act)
        assert contents(path) == contents(tmp_path / "count.db")


def dies(path: Path, number: int, act: Callable[[Ledger], None]) -> bool:
    """Whether a child that acts on a new store is killed at a statement."""
    child = os.fork()
    if child == 0:
        try:
            hand = begun(path)
            with_failure(hand.store, number, die)
            hand.do(act)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("act", PATHS)
def test_a_process_that_dies_leaves_all_or_nothing(
    tmp_path: Path, act: Callable[[Ledger], None]
) -> None:
    """At whatever statement; another process rescues what it left."""
    count = statements_of(tmp_path / "count.db", act)
    begun(tmp_path / "before.db")
    for number in range(1, count + 1):
        path = tmp_path / f"{number}.db"
        assert dies(path, number, act)
        assert contents(path) == contents(tmp_path / "before.db")
        clocks = Clocks()
        clocks.boot_ms = 2 * LEASE_MS
        other = worker(path, clocks, "w2")
        # Bound here, since the name means another one in the next round.
        other.do(lambda _, other=other: other.leases.look_around())  # type: ignore[misc]
        # What may run twice does; what must not has failed as interrupted, and with it the flow.
        taken = [(taken.order.flow_id, taken.order.name) for taken in other.news.taken]
        assert taken == [("f", "a#1"), ("waiting", "a#1"), ("waiting", "b#1")]
        told = other.state().attempt("b#1")
        assert told is not None
        assert told.error is not None
        assert told.error.type == "interrupted"


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """What does not fit did not happen, and what was there can still be read."""
    hand = begun(tmp_path / "flows.db")
    before = contents(tmp_path / "flows.db")
    (pages,) = hand.file.connection.execute("PRAGMA page_count").fetchone()
    hand.file.connection.execute(f"PRAGMA max_page_count = {pages}")
    large = ended("a#1", output="x" * 100_000)
    with pytest.raises(StoreError, match=r"flows\.db: database or disk is full$"):
        hand.feed(large)
    assert contents(tmp_path / "flows.db") == before
    hand.store.connection.execute("PRAGMA max_page_count = 1000000")
    assert hand.feed(large) == Accepted()
