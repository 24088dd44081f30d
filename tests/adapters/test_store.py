"""A store keeps logs and what is to be done together; a ledger is what one process knows of it."""

from __future__ import annotations

import logging
from functools import partial

import pytest

from conductor_adapters.store import FlowExists, UnknownFlow
from conductor_adapters.store.kept import loaded, log_lines
from conductor_core import ApprovalSpec, FlowOptions, StepSpec, events
from conductor_core.errors import ConductorError, FormatError, LogError
from conductor_core.log import replay
from conductor_core.spec import FlowSpec, RetryPolicy
from conductor_core.testing.brief import flow, group
from conductor_core.verdicts import Accepted, Ignored
from tests.adapters.ledgers import TWO, Clocks, Hand, Place, ended

PAUSE = partial(events.PauseRequested, by="ann")
RESUME = partial(events.ResumeRequested, by="ann")
LONG = flow(group("g", *(f"s{number}" for number in range(8))))


def test_a_store_holds_the_log_and_what_is_to_be_done(place: Place) -> None:
    """The lines are those of conductor-log/1, the orders those of its commands."""
    hand = Hand(place)
    hand.start()
    hand.feed(ended("a#1"))
    replayed = replay(log_lines(hand.entries()), flow_id="f")
    assert replayed.entries == 2
    assert replayed.state == hand.state()
    assert hand.orders() == ["b#1"]
    hand.feed(ended("b#1"))
    assert hand.orders() == ["c#1"]


def test_a_finished_flow_leaves_nothing_to_do_and_closes_its_log(place: Place) -> None:
    """Neither orders nor timers; what comes late leaves no line."""
    hand = Hand(place)
    hand.start(flow(group("g", StepSpec(key="a", timeout_ms=9))))
    assert hand.do(lambda ledger: ledger.store.next_due_ms(at_ms=0)) == 1_009
    hand.feed(ended("a#1"))
    assert hand.orders() == []
    assert hand.do(lambda ledger: ledger.store.next_due_ms(at_ms=0)) is None
    assert hand.feed(ended("a#1")) == Ignored("stale-attempt")
    replayed = replay(log_lines(hand.entries()))
    assert (replayed.entries, replayed.closed) == (2, True)


def test_a_start_may_be_repeated(place: Place) -> None:
    """Whoever does not know whether it came through starts again: the same flow, once."""
    hand, other = Hand(place), Hand(place)
    hand.start()
    other.start()
    assert len(hand.entries()) == 2
    with pytest.raises(FlowExists, match="'f'"):
        other.start(LONG)
    assert len(hand.entries()) == 2


def test_an_unknown_flow_is_told(place: Place) -> None:
    """By its id."""
    with pytest.raises(UnknownFlow, match="'g'"):
        Hand(place).state("g")


def test_of_two_that_append_one_looks_again(place: Place) -> None:
    """The verdict is that of the state which the other left, and no number is given twice."""
    one, two = Hand(place), Hand(place)
    one.start()
    assert two.state() == one.state()
    assert one.feed(PAUSE) == Accepted()
    assert two.feed(PAUSE) == Ignored("no-change")
    assert two.feed(RESUME) == Accepted()
    assert one.feed(PAUSE) == Accepted()
    rows = one.entries()
    assert [seq for seq, _ in rows] == [0, 1, 2, 3, 4, 5]
    assert replay(log_lines(rows)).state == two.state()


def test_what_leaves_no_line_is_judged_by_the_newest_state(place: Place) -> None:
    """A closed log may have been opened again by somebody else's rerun."""
    one, two = Hand(place), Hand(place)
    one.start(flow(group("g", StepSpec(key="a", retry=RetryPolicy(max_auto_retries=0)))))
    one.feed(ended("a#1", "failed"))
    assert str(two.feed(PAUSE)) == "rejected(flow-finished)"
    rerun = partial(
        events.RerunRequested, by="ann", flow_id="f", step_id="a", operation="retry-step"
    )
    assert one.feed(rerun) == Accepted()
    assert two.feed(PAUSE) == Accepted()


def test_the_loser_leaves_no_commands(place: Place) -> None:
    """Orders of an entry that was not appended are in no outbox."""
    one, two = Hand(place), Hand(place)
    one.start(flow(group("g", StepSpec(key="a", approval=ApprovalSpec())), group("h", "b")))
    one.feed(ended("a#1"))
    two.state()
    deny = partial(events.ApprovalResponded, step="a", response="deny", by="ann")
    approve = partial(events.ApprovalResponded, step="a", response="approve", by="bo")
    assert one.feed(deny) == Accepted()
    assert str(two.feed(approve)).startswith("rejected")
    assert two.orders() == []


def test_a_transaction_that_fails_leaves_no_trace_in_memory(place: Place) -> None:
    """What it did to the flows that it touched is read from the store again."""
    hand = Hand(place)
    hand.start()

    def fail(ledger: object) -> None:
        hand.ledger.feed("f", ended("a#1"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hand.do(fail)
    assert len(hand.entries()) == 2
    assert hand.feed(ended("a#1")) == Accepted()


def test_what_no_log_can_express_is_refused(place: Place) -> None:
    """And the flow goes on."""
    hand = Hand(place)
    hand.start()
    with pytest.raises(FormatError):
        hand.feed(partial(events.PauseRequested, by="\ud800"))
    assert hand.feed(ended("a#1")) == Accepted()


def test_time_does_not_go_back(place: Place) -> None:
    """Whoever's clock it was by which the last entry was stamped."""
    clocks = Clocks()
    one, two = Hand(place, clocks), Hand(place, clocks)
    one.start()
    clocks.day_ms = 10
    two.feed(PAUSE)
    one.feed(RESUME)
    times = [line.partition('"at_ms":')[2].partition(",")[0] for _, line in one.entries()[1:]]
    assert [time.strip("}") for time in times] == ["1000", "1000", "1000"]


def test_what_nobody_works_on_gives_up_at_once(place: Place) -> None:
    """It is answered for in the transaction that cancels it."""
    hand = Hand(place)
    hand.start()
    hand.feed(partial(events.CancelRequested, by="ann"))
    assert hand.state().status == "cancelled"
    assert hand.orders() == []


def test_a_fresh_history_begins_at_once(place: Place) -> None:
    """What was to follow it does."""
    hand = Hand(place)
    more = group("i", "a", "b", parallel=True)
    spec = FlowSpec(groups=(*LONG.groups, more), options=FlowOptions(continue_as_new_every=1))
    hand.start(spec)
    for number in range(8):
        hand.feed(ended(f"s{number}#1"))
    assert hand.state().incarnation == 1
    assert hand.orders() == ["a#1", "b#1"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\r", "\x0b", "\x1c"])
def test_what_looks_like_the_end_of_a_line_is_none(place: Place, separator: str) -> None:
    """A log is split where JSON Lines is."""
    hand = Hand(place)
    hand.start()
    hand.feed(ended("a#1", output=f"x{separator}y"))
    assert Hand(place).state() == hand.state()
    assert len(log_lines(hand.entries())) == 3


@pytest.mark.parametrize("flow_id", ["\ud800", "f" * 200])
def test_a_bad_id_is_that_of_no_flow(place: Place, flow_id: str) -> None:
    """Whatever is asked of it."""
    with pytest.raises(ConductorError):
        Hand(place).state(flow_id)


def test_a_step_that_is_retried_without_end_costs_no_more_each_time(place: Place) -> None:
    """There are as many entries between two snapshots as there are attempts."""
    policy = RetryPolicy(max_retries=400, max_auto_retries=400, backoff_ms=())
    hand = Hand(place, snapshot_every=1)
    hand.start(flow(group("g", StepSpec(key="a", retry=policy))))
    taken: set[int] = set()
    for number in range(1, 301):
        hand.feed(ended(f"a#{number}", "failed"))
        row = hand.do(lambda ledger: ledger.store.snapshot("f"))
        taken.add(0 if row is None else row.seq)
    assert len(taken) < 12


# --- snapshots ---


def put_aside(place: Place) -> Hand:
    """A flow of eight steps whose state was put aside in its middle."""
    hand = Hand(place, snapshot_every=1)
    hand.start(LONG)
    for number in range(7):
        hand.feed(ended(f"s{number}#1"))
    hand.feed(PAUSE)
    hand.feed(RESUME)
    return hand


def test_a_snapshot_saves_reading_the_entries_before_it(place: Place) -> None:
    """The state that is loaded is the one that the log leads to."""
    hand = put_aside(place)
    hand.sql("DELETE FROM entries WHERE seq = 3")
    assert Hand(place).state() == hand.state()


@pytest.mark.parametrize(
    "damage",
    [
        "state = replace(state, 'success', 'error')",
        "state = ''",
        "position = replace(position, 'sha256:', 'sha256:0')",
        "position = '[]'",
        "position = replace(position, '\"look\":1000', '\"look\":2000')",
        "seq = seq - 1",
        "seq = 99",
    ],
)
def test_a_damaged_snapshot_is_not_used(
    place: Place, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """All lines are verified instead, and a log record says so."""
    hand = put_aside(place)
    hand.sql(f"UPDATE snapshots SET {damage}")
    with caplog.at_level(logging.WARNING):
        assert Hand(place).state() == hand.state()
    assert "the snapshot of flow f is not used" in caplog.text
    Hand(place, snapshot_every=1).feed(ended("s7#1"))
    caplog.clear()
    assert Hand(place).state().status == "success"
    assert not caplog.text


def test_the_snapshot_of_another_flow_is_not_used(place: Place) -> None:
    """It is whole, but not this flow's."""
    hand = put_aside(place)
    hand.start(TWO, "other")
    hand.sql("UPDATE snapshots SET flow_id = 'other'")
    assert Hand(place).state("other") == hand.state("other")


def test_a_flow_goes_on_from_a_snapshot_as_if_there_were_none(place: Place) -> None:
    """Lines and digests are the same."""
    put_aside(place)
    other = Hand(place, snapshot_every=1_000)
    other.feed(ended("s7#1"))
    replayed = replay(log_lines(other.entries()))
    assert (replayed.state, replayed.closed) == (other.state(), True)


# --- damage ---


@pytest.mark.parametrize(
    "damage",
    ["lines = replace(lines, 'a#1', 'b#1')", "lines = 'x' || lines", "lines = '[]\n'"],
)
def test_a_damaged_log_is_told_with_its_flow(place: Place, damage: str) -> None:
    """Other flows go on."""
    hand = Hand(place)
    hand.start()
    hand.start(TWO, "sound")
    hand.feed(ended("a#1"))
    hand.sql(f"UPDATE entries SET {damage} WHERE flow_id = 'f' AND seq = 2")
    fresh = Hand(place)
    with pytest.raises(LogError, match="the log of flow 'f' cannot be read"):
        fresh.state()
    assert fresh.feed(ended("a#1"), "sound") == Accepted()


def test_what_was_cut_off_by_hand_is_not_trusted(place: Place) -> None:
    """A process that remembers entries which are gone reads all of it anew."""
    hand = Hand(place)
    hand.start()
    hand.feed(PAUSE)
    hand.sql("DELETE FROM entries WHERE seq = 2")
    assert hand.state().status == "in-progress"


# --- lists ---


def test_flows_are_listed_in_the_order_of_their_beginning(place: Place) -> None:
    """All, or those of some statuses, and on from one of them."""
    hand = Hand(place)
    for number in range(5):
        hand.clocks.day_ms += 1
        hand.start(TWO, f"f{5 - number}")
    hand.feed(PAUSE, "f3")
    hand.feed(ended("a#1"), "f3")
    hand.feed(ended("b#1"), "f3")

    def listed(**how: object) -> list[str]:
        # One table of cases for arguments of several types.
        rows = hand.do(lambda ledger: ledger.store.flows(**how))  # type: ignore[arg-type]
        return [row.flow_id for row in rows]

    assert listed(limit=9) == ["f5", "f4", "f3", "f2", "f1"]
    assert listed(limit=2, after=(1_002, "f4")) == ["f3", "f2"]
    assert listed(limit=9, statuses=["paused"]) == ["f3"]
    assert listed(limit=2, statuses=["paused", "in-progress"]) == ["f5", "f4"]
    row = hand.do(lambda ledger: ledger.store.flow("f3"))
    assert row is not None
    assert (row.type, row.status, row.began_ms) == ("flow", "paused", 1_003)


def test_a_removed_flow_leaves_no_row(place: Place) -> None:
    """Its id may be used again."""
    hand = put_aside(place)
    hand.do(lambda ledger: ledger.store.remove_flow("f"))
    tables = ("flows", "entries", "snapshots", "outbox", "timers")
    for table in tables:
        (count,) = hand.sql(f"SELECT COUNT(*) FROM {table}")[0]
        assert count == 0
    hand.start()
    assert hand.orders() == ["a#1", "b#1"]


def test_loaded_reads_within_one_transaction(place: Place) -> None:
    """So that nothing is appended between a snapshot and what follows it."""
    hand = put_aside(place)
    with hand.store.transaction():
        assert loaded(hand.store, "f").state == hand.ledger.look("f")
