"""A store is kept while it is in use: nothing that is needed goes, nothing false comes in."""

from __future__ import annotations

import stat
from functools import partial
from pathlib import Path

import pytest

from conductor_adapters.store import FlowExists, StoreError, UnknownFlow
from conductor_adapters.store.housekeeping import backup, exported, imported, remove_ended
from conductor_adapters.store.sqlite import SqliteStore
from conductor_core import StepSpec, events, initial_state
from conductor_core.errors import LogError, LogTruncated
from conductor_core.log import LogWriter, replay
from conductor_core.testing.brief import flow, group
from conductor_core.verdicts import Accepted
from tests.adapters.ledgers import TWO, Clocks, Hand, Place, ended, fragile, worker

ONE = flow(group("g", "a"))


def finished(hand: Hand, flow_id: str, at_ms: int) -> None:
    """A flow that ended at a time."""
    hand.clocks.day_ms = at_ms
    hand.start(ONE, flow_id)
    hand.feed(ended("a#1"), flow_id)


def names(hand: Hand) -> list[str]:
    """The flows of a store."""
    return [row.flow_id for row in hand.do(lambda ledger: ledger.store.flows(limit=1_000))]


def test_what_ended_long_ago_is_removed(place: Place) -> None:
    """What runs stays, however old; and what ended lately."""
    hand = Hand(place)
    hand.start(TWO, "runs")
    for number in range(250):
        finished(hand, f"f{number}", 2_000 + number)
    assert remove_ended(hand.store, before_ms=2_249) == 249
    assert names(hand) == ["runs", "f249"]
    assert remove_ended(hand.store, before_ms=2_249) == 0
    assert hand.feed(ended("a#1"), "runs") == Accepted()


def test_a_file_shrinks(path: Path) -> None:
    """What was removed leaves it no larger than it was."""
    hand = Hand(path)
    finished(hand, "f", 2_000)
    hand.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    for number in range(100):
        finished(hand, f"f{number}", 2_000)
    hand.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    remove_ended(hand.store, before_ms=2_001)
    hand.file.shrink()
    hand.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size < size


def test_a_process_that_remembers_a_removed_flow_finds_it_gone(place: Place) -> None:
    """It appends nothing to a log that is not there."""
    one, two = Hand(place), Hand(place)
    one.start(ONE, "f")
    one.feed(ended("a#1", "failed"))
    two.state()
    remove_ended(one.store, before_ms=9_999)
    rerun = partial(
        events.RerunRequested, by="ann", flow_id="f", step_id="a", operation="retry-step"
    )
    with pytest.raises(UnknownFlow):
        two.feed(rerun)
    assert one.sql("SELECT * FROM entries") == []


def test_a_log_goes_out_and_comes_in(place: Place, tmp_path: Path) -> None:
    """It is the same log, and its flow goes on."""
    hand = Hand(place)
    hand.start()
    hand.feed(ended("a#1", output="line\u2028separator"))
    lines = exported(hand.store, "f")
    other = worker(tmp_path / "other.db", Clocks())
    assert imported(other.ledger, lines) == "f"
    assert exported(other.store, "f") == lines
    assert other.state() == hand.state()
    assert other.orders() == ["b#1"]
    with pytest.raises(FlowExists):
        imported(other.ledger, lines)
    with pytest.raises(UnknownFlow):
        exported(other.store, "g")


def test_what_comes_in_finished_is_closed(place: Place, tmp_path: Path) -> None:
    """Also where the log did not say so, and from bytes without a newline at their end."""
    hand = Hand(tmp_path / "other.db")
    finished(hand, "f", 2_000)
    lines = exported(hand.store, "f")
    other = Hand(place)
    imported(other.ledger, [*(line.encode() for line in lines[:-2]), lines[-2][:-1].encode()])
    assert exported(other.store, "f") == lines
    row = other.do(lambda ledger: ledger.store.flow("f"))
    assert row is not None
    assert (row.status, row.changed_ms) == ("success", 2_000)


def test_what_must_not_run_twice_unseen_comes_in_as_interrupted(
    place: Place, tmp_path: Path
) -> None:
    """Nobody knows whether it ran."""
    hand = Hand(tmp_path / "other.db")
    hand.start(flow(group("g", fragile("a"))))
    other = Hand(place)
    imported(other.ledger, exported(hand.store, "f"))
    assert other.state().status == "error"


def test_a_log_that_has_not_begun_begins(place: Place) -> None:
    """As `conductor run` leaves one that was killed at once."""
    hand = Hand(place)
    imported(hand.ledger, [LogWriter(initial_state(ONE, "f"), at_ms=7).header()])
    assert hand.orders() == ["a#1"]


def test_a_log_of_accepted_events_only_stays_one(place: Place) -> None:
    """What is ignored leaves no line, also when it was loaded again."""
    state = initial_state(flow(group("g", StepSpec(key="a"), StepSpec(key="b"))), "f")
    hand = Hand(place, snapshot_every=1)
    imported(hand.ledger, [LogWriter(state, at_ms=7, accepted_only=True).header()])
    for attempt in ("a#1", "a#1"):
        Hand(place, snapshot_every=1).feed(ended(attempt))
    replayed = replay(exported(hand.store, "f"))
    assert (replayed.entries, replayed.header.accepted_only) == (2, True)


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda lines: [*lines[:-1], lines[-1][:-9]], LogTruncated),
        (lambda lines: [lines[0], *lines[2:]], LogError),
        (lambda lines: [], LogError),
        (lambda lines: [*(line.encode() for line in lines), b"\xff\n"], LogError),
    ],
)
def test_a_false_log_does_not_come_in(
    place: Place, tmp_path: Path, damage: object, error: type[Exception]
) -> None:
    """Not a row of it."""
    hand = Hand(tmp_path / "other.db")
    hand.start()
    hand.feed(ended("a#1"))
    other = Hand(place)
    with pytest.raises(error):
        # One table of damages, which type checkers see as objects.
        imported(other.ledger, damage(exported(hand.store, "f")))  # type: ignore[operator]
    assert names(other) == []


def test_a_store_is_copied_while_it_is_in_use(path: Path, tmp_path: Path) -> None:
    """The copy is a store, for its owner alone, of one moment."""
    hand = worker(path, Clocks())
    hand.start()
    target = tmp_path / "copy.db"
    backup(hand.file, target)
    hand.feed(ended("a#1"))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with SqliteStore(target, create=False) as copy:
        assert len(exported(copy, "f")) == 2
    with pytest.raises(StoreError, match="File exists"):
        backup(hand.file, target)


def test_a_copy_that_fails_is_not_left_behind(path: Path, tmp_path: Path) -> None:
    """Half a store is none."""
    hand = Hand(path)
    connection = hand.file.connection
    connection.close()
    with pytest.raises(StoreError):
        backup(hand.file, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
