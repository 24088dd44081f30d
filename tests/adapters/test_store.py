"""A store keeps logs and what is to be done together; a ledger is a flow of it in one process."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conductor_adapters.store import FlowExists, Ledger, StoreError, UnknownFlow
from conductor_adapters.store.protocol import Order
from conductor_adapters.store.sqlite import SqliteStore
from conductor_core import ApprovalSpec, FlowSpec, StepSpec, events, pending_commands
from conductor_core.codec import decode_command
from conductor_core.commands import DispatchStep
from conductor_core.errors import FormatError, SpecError
from conductor_core.events import WorkOutcome
from conductor_core.json_text import loads
from conductor_core.log import replay
from conductor_core.testing.brief import flow, group
from conductor_core.verdicts import Accepted, Ignored

START = events.FlowStarted
TWO = flow(group("g", "a", "b", parallel=True), group("h", "c"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store in a new file."""
    with SqliteStore(tmp_path / "flows.db", synchronous="NORMAL") as made:
        yield made


def another(store: SqliteStore) -> SqliteStore:
    """The same file as another process sees it."""
    return SqliteStore(store.path, synchronous="NORMAL", create=False)


def begun(store: SqliteStore, spec: FlowSpec = TWO, flow_id: str = "f", **options: Any) -> Ledger:
    """A flow that has started."""
    Ledger.begun(store, spec, flow_id, at_ms=1)
    ledger = Ledger(store, flow_id, **options)
    ledger.feed([START], now_ms=1)
    return ledger


def ended(
    attempt: str, outcome: WorkOutcome = "succeeded", **more: Any
) -> Callable[..., events.Event]:
    """The end of work, which lacks its time."""
    return partial(events.StepFinished, attempt=attempt, outcome=outcome, **more)


def leased(store: SqliteStore, *works: str, now_ms: int = 0, limit: int = 10) -> list[Order]:
    """What a worker gets that has handlers for some works, for ten milliseconds."""
    queues = [f"step:{work}" for work in works]
    until_ms = now_ms + 10
    return store.lease("me", queues=queues, now_ms=now_ms, until_ms=until_ms, limit=limit)


# --- logs ---


def test_a_flow_is_what_its_entries_lead_to(store: SqliteStore) -> None:
    """Whoever opens the store later finds the state, the log and the status."""
    ledger = begun(store)
    ledger.feed([ended("a#1"), ended("b#1")], now_ms=2)
    ledger.feed([ended("c#1")], now_ms=3)
    again = Ledger(another(store), "f")
    assert again.state == ledger.state
    assert (again.seq, again.state.status) == (4, "success")
    replayed = replay(store.lines("f"), flow_id="f")
    assert (replayed.state, replayed.entries) == (ledger.state, 4)
    (row,) = store.flows()
    assert (row.flow_id, row.seq, row.status, row.created_ms, row.latest_ms) == (
        *("f", 4, "success"),
        *(1, 3),
    )


def test_a_flow_id_is_used_once(store: SqliteStore) -> None:
    """The second flow is refused, and the first is as it was."""
    ledger = begun(store)
    with pytest.raises(FlowExists, match=r"^a flow is named 'f' already$"):
        Ledger.begun(store, flow(group("other", "x")), "f", at_ms=9)
    assert Ledger(store, "f").state == ledger.state
    with pytest.raises(SpecError):
        Ledger.begun(store, TWO, "", at_ms=9)


def test_an_unknown_flow_is_named(store: SqliteStore) -> None:
    """Its state, its log, and what is appended to it."""
    with pytest.raises(UnknownFlow, match=r"^no flow is named 'nobody'$"):
        Ledger(store, "nobody")
    with pytest.raises(UnknownFlow):
        list(store.lines("nobody"))


def test_what_no_log_can_express_did_not_happen(store: SqliteStore) -> None:
    """Nothing of the entries that came with it is kept either."""
    ledger = begun(store)
    bad = ended("b#1", output="\ud800")
    with pytest.raises((FormatError, ValueError)):
        ledger.feed([ended("a#1"), bad], now_ms=2)
    assert (ledger.seq, Ledger(store, "f").seq) == (1, 1)


def test_time_does_not_go_back(store: SqliteStore) -> None:
    """A clock behind that of the last entry counts as late as that one."""
    ledger = begun(store)
    ledger.feed([ended("a#1")], now_ms=500)
    again = Ledger(another(store), "f")
    again.feed([ended("b#1")], now_ms=2)
    times = [loads(line)["event"]["at_ms"] for line in list(store.lines("f"))[1:]]
    assert times == [1, 500, 500]


def test_of_two_who_append_one_looks_again(store: SqliteStore) -> None:
    """Both events count, in the order in which they were appended, and none twice."""
    first = begun(store)
    second = Ledger(another(store), "f")
    first.feed([ended("a#1")], now_ms=2)
    (late,) = second.feed([ended("b#1")], now_ms=2)
    assert late.state.active == 1, "it was reduced on what the other had appended"
    (twice,) = first.feed([ended("b#1")], now_ms=3)
    assert isinstance(twice.verdict, Ignored)
    assert first.refresh() is False
    assert second.refresh() is True
    assert first.state == second.state == Ledger(store, "f").state


def test_a_store_that_lost_entries_is_not_written_on(store: SqliteStore) -> None:
    """As one that was put back from an old copy while a process had it open."""
    ledger = begun(store)
    with sqlite3.connect(store.path) as raw:
        raw.execute("DELETE FROM entries WHERE seq = 1")
        raw.execute("UPDATE flows SET seq = 0")
    with pytest.raises(StoreError, match=r"^flow 'f' has lost entries that it had before$"):
        ledger.feed([ended("a#1")], now_ms=2)


# --- snapshots ---


def long_flow() -> FlowSpec:
    """Steps one after the other."""
    return flow(group("g", *(f"s{i}" for i in range(9))))


def snapshots(store: SqliteStore) -> list[tuple[int, str]]:
    """The snapshots of the store: after how many entries, and the text."""
    with sqlite3.connect(store.path) as raw:
        return raw.execute("SELECT seq, state FROM snapshots").fetchall()


def test_a_snapshot_is_put_aside_now_and_then(store: SqliteStore) -> None:
    """As often as asked for, but not more often than the flow has steps."""
    ledger = begun(store, long_flow(), snapshot_every=4)
    for number in range(9):
        ledger.feed([ended(f"s{number}#1")], now_ms=2)
    ((seq, _),) = snapshots(store)
    assert seq == 9
    assert Ledger(store, "f").state == ledger.state


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE snapshots SET state = replace(state, 's8', 's7')",
        "UPDATE snapshots SET state = 'no snapshot'",
        "UPDATE snapshots SET digest = 'sha256:0'",
        "DELETE FROM snapshots",
    ],
)
def test_a_damaged_snapshot_is_no_loss(store: SqliteStore, damage: str) -> None:
    """It is only a cache: the log says what is true."""
    ledger = begun(store, long_flow(), snapshot_every=4)
    for number in range(9):
        ledger.feed([ended(f"s{number}#1")], now_ms=2)
    with sqlite3.connect(store.path) as raw:
        raw.execute(damage)
    assert Ledger(store, "f").state == ledger.state


def test_a_damaged_log_is_told_with_its_place(store: SqliteStore) -> None:
    """Nothing is done for a flow whose log does not say what its events lead to."""
    ledger = begun(store)
    ledger.feed([ended("a#1")], now_ms=2)
    with sqlite3.connect(store.path) as raw:
        raw.execute("UPDATE entries SET lines = replace(lines, 'a#1', 'a#2') WHERE seq = 2")
    with pytest.raises(StoreError, match=r"^the log of flow 'f' is damaged: line 3: "):
        Ledger(store, "f")


# --- orders ---


def test_what_is_commanded_can_be_taken(store: SqliteStore) -> None:
    """By who has a handler for it; the command is the one that the reducer gave."""
    ledger = begun(store)
    (order,) = leased(store, "b")
    command = decode_command(loads(order.command))
    assert isinstance(command, DispatchStep)
    assert command in pending_commands(ledger.state, at_ms=1)
    assert (order.flow_id, order.name, order.deliveries) == ("f", "b#1", 1)
    assert leased(store, "x", "c") == []


def test_a_lease_keeps_others_away_until_it_runs_out(store: SqliteStore) -> None:
    """Then the order is taken again, and whoever had it cannot go on with it."""
    begun(store)
    first = leased(store, "a", "b", now_ms=0)
    other = another(store)
    assert leased(other, "a", "b", now_ms=9) == []
    late = other.lease("other", queues=["step:a"], now_ms=10, until_ms=30, limit=9)
    assert [(order.name, order.deliveries) for order in late] == [("a#1", 2)]
    kept = store.renew("me", [order.id for order in first], until_ms=50)
    assert kept == {first[1].id: False}
    assert leased(other, "b", now_ms=49) == []


def test_what_is_given_back_is_free_at_once(store: SqliteStore) -> None:
    """As by a worker that stops before it began."""
    begun(store)
    orders = leased(store, "a", "b")
    store.give_back("me", [order.id for order in orders[:1]])
    store.give_back("somebody else", [order.id for order in orders[1:]])
    assert [order.name for order in leased(store, "a", "b")] == [orders[0].name]


def test_an_order_goes_with_the_entry_that_answers_it(store: SqliteStore) -> None:
    """Whoever brings it, and also when it comes too late to count."""
    ledger = begun(store)
    leased(store, "a", "b")
    ledger.feed([ended("a#1")], now_ms=2)
    assert [order.name for order in leased(store, "a", "b", now_ms=99)] == ["b#1"]


def test_a_worker_takes_no_more_than_it_wants(store: SqliteStore) -> None:
    """The oldest orders first."""
    begun(store, flow(group("g", *(f"s{i}" for i in range(5)), parallel=True)))
    works = [f"s{i}" for i in range(5)]
    assert [order.name for order in leased(store, *works, limit=2)] == ["s0#1", "s1#1"]
    assert [order.name for order in leased(store, *works, limit=2)] == ["s2#1", "s3#1"]


def test_a_cancel_reaches_whoever_has_the_work(store: SqliteStore) -> None:
    """The worker sees it when it renews; what nobody has is taken to be answered."""
    ledger = begun(store)
    (order,) = leased(store, "a", now_ms=0)
    ledger.feed([partial(events.CancelRequested, by="ann")], now_ms=1)
    assert store.held("me") == {order.id: True}
    (other,) = leased(store, "b", now_ms=1)
    assert (other.name, other.given_up) == ("b#1", True)
    ledger.feed([ended("a#1", "cancelled"), ended("b#1", "cancelled")], now_ms=2)
    assert (ledger.state.status, store.held("me")) == ("cancelled", {})


def test_the_end_of_a_flow_leaves_nothing_to_be_taken(store: SqliteStore) -> None:
    """Work that runs on is told to give up, timers are forgotten; its late end changes nothing."""
    slow = StepSpec(key="slow", timeout_ms=5)
    ledger = begun(store, flow(group("g", slow)))
    (order,) = leased(store, "slow")
    assert store.due_timers(now_ms=6, limit=9) == [("f", "timeout:slow#1")]
    ledger.feed([partial(events.TimerFired, timer="timeout:slow#1")], now_ms=6)
    assert ledger.state.status == "error"
    assert store.held("me") == {order.id: True}
    assert store.due_timers(now_ms=99, limit=9) == []
    ledger.feed([ended("slow#1")], now_ms=7)
    assert store.held("me") == {}


def test_what_no_entry_answers_is_discarded(store: SqliteStore) -> None:
    """As the order to ask people, once they were asked."""
    asked = flow(group("g", StepSpec(key="p", approval=ApprovalSpec())))
    ledger = begun(store, asked)
    ledger.feed([ended("p#1")], now_ms=2)
    (order,) = store.lease("me", queues=["approvals"], now_ms=2, until_ms=9, limit=9)
    assert order.name == "approval:p#1"
    store.discard("somebody else", order.id)
    assert store.held("me") == {order.id: False}
    store.discard("me", order.id)
    assert store.held("me") == {}


def test_groups_are_ordered_and_a_fresh_history_as_well(store: SqliteStore) -> None:
    """Each under the number of its run, so that a late answer ends nothing but its own."""
    ledger = begun(store, FlowSpec(type="deploy", groups=[]))
    queues = ["generation:deploy", "continuations"]
    (order,) = store.lease("me", queues=queues, now_ms=0, until_ms=9, limit=9)
    assert order.name == "generation:1"
    made = partial(events.GroupsGenerated, groups=(group("g", "a", "b"),))
    ledger.feed([made], now_ms=2)
    assert store.held("me") == {}
    suggested = partial(events.ContinueAsNewSuggested, incarnation=0)
    ledger.feed([suggested, ended("a#1")], now_ms=3)
    (order,) = store.lease("me", queues=queues, now_ms=0, until_ms=9, limit=9)
    assert order.name == "continuation:0"
    late = partial(events.ContinuedAsNew, incarnation=7)
    (transition,) = ledger.feed([late], now_ms=4)
    assert isinstance(transition.verdict, Ignored)
    assert store.held("me") == {order.id: False}
    (transition,) = ledger.feed([partial(events.ContinuedAsNew, incarnation=0)], now_ms=4)
    assert isinstance(transition.verdict, Accepted)
    assert store.held("me") == {}


# --- timers ---


def test_timers_are_rows(store: SqliteStore) -> None:
    """The earliest of all flows first; one that is cancelled or fired is gone."""
    timed = [StepSpec(key=f"s{i}", timeout_ms=10 * (3 - i)) for i in range(3)]
    first = begun(store, flow(group("g", *timed, parallel=True)), "first")
    begun(store, flow(group("g", StepSpec(key="t", timeout_ms=15))), "second")
    assert store.next_timer_ms() == 11
    assert store.due_timers(now_ms=16, limit=9) == [
        ("first", "timeout:s2#1"),
        ("second", "timeout:t#1"),
    ]
    assert store.due_timers(now_ms=99, limit=1) == [("first", "timeout:s2#1")]
    first.feed([ended("s2#1")], now_ms=2)
    assert store.next_timer_ms() == 16
    first.feed([partial(events.TimerFired, timer="timeout:s1#1")], now_ms=21)
    left = [timer for _, timer in store.due_timers(now_ms=99, limit=9)]
    assert left == ["timeout:t#1", "timeout:s0#1"]


# --- who else is there ---


def test_one_sees_that_another_has_written(store: SqliteStore) -> None:
    """By a number, which is cheap to ask for."""
    ledger, other = begun(store), another(store)
    before = other.version()
    assert other.version() == before
    ledger.feed([ended("a#1")], now_ms=2)
    assert other.version() != before
    mine = store.version()
    ledger.feed([ended("b#1")], now_ms=2)
    assert store.version() == mine


def test_flows_are_listed_by_status(store: SqliteStore) -> None:
    """All, or those of one status, by their ids."""
    for flow_id in ("c", "a", "b"):
        begun(store, flow(group("g", "a")), flow_id)
    Ledger(store, "b").feed([ended("a#1")], now_ms=2)
    assert [row.flow_id for row in store.flows()] == ["a", "b", "c"]
    assert [row.flow_id for row in store.flows(status="success")] == ["b"]
