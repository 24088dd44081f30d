"""What a worker takes, how long it holds it, and what becomes of what others held."""

from __future__ import annotations

import logging
from functools import partial
from typing import TypeVar

import pytest
from attrs import evolve

from conductor_adapters.store.leases import Leases
from conductor_adapters.store.protocol import ASK, GENERATE, STEP, Key, Order
from conductor_adapters.store.upkeep import PUT_OFF_MS
from conductor_core import ApprovalSpec, StepSpec, events
from conductor_core.attempt import Attempt
from conductor_core.commands import DispatchStep, GenerateSteps, RequestApproval
from conductor_core.events import Event
from conductor_core.spec import FlowSpec
from conductor_core.testing.brief import flow, group
from tests.adapters.ledgers import (
    LEASE_MS,
    Clocks,
    Hand,
    Place,
    ended,
    fragile,
    look,
    outlive,
    worker,
)

T = TypeVar("T")


@pytest.fixture
def clocks() -> Clocks:
    """The clocks of all processes."""
    return Clocks()


def leases(hand: Hand) -> Leases:
    """What a worker holds."""
    assert hand.leases is not None
    return hand.leases


def answer(hand: Hand, attempt: str, what: object = None, flow_id: str = "f") -> bool:
    """Answer an order."""
    told = ended(attempt) if what is None else what
    owner = leases(hand).worker_id
    # Told is what a step says, or whatever else a test hands in.
    return hand.do(lambda ledger: ledger.answer((flow_id, STEP, attempt), owner, told))  # type: ignore[arg-type]


def attempt(hand: Hand, attempt_id: str) -> Attempt:
    """An attempt of the flow."""
    found = hand.state().attempt(attempt_id)
    assert found is not None
    return found


def test_who_commits_takes_at_once_what_it_can_do(place: Place, clocks: Clocks) -> None:
    """In the same transaction, with the command; the rest waits for others."""
    one = worker(place, clocks, works="ac")
    one.start()
    assert one.taken() == ["a#1"]
    command = one.news.taken[0].command
    assert isinstance(command, DispatchStep)
    assert command.idempotency_key == "f/a#1"
    assert look(one) == []
    two = worker(place, clocks, "w2", works="b")
    assert look(two) == ["b#1"]
    assert answer(one, "a#1")
    assert answer(two, "b#1")
    assert look(one) == ["c#1"]


def test_what_is_taken_by_one_is_left_alone_by_others(place: Place, clocks: Clocks) -> None:
    """For as long as it renews, however long that is."""
    one, two = worker(place, clocks), worker(place, clocks, "w2")
    one.start()
    for _ in range(9):
        clocks.boot_ms += LEASE_MS // 2
        one.do(lambda _: leases(one).renew())
        assert look(two) == []
    assert answer(one, "a#1")


def test_what_the_dead_held_begins_again(place: Place, clocks: Clocks) -> None:
    """With the same key and the next delivery; what the dead still say is not heard."""
    one, two = worker(place, clocks), worker(place, clocks, "w2")
    one.start()
    outlive(clocks, two)
    clocks.boot_ms -= 1
    assert look(two) == []
    clocks.boot_ms += 1
    assert sorted(look(two)) == ["a#1", "b#1"]
    assert not answer(one, "a#1", ended("a#1", "failed"))
    assert answer(two, "a#1")
    one.do(lambda _: leases(one).hear())
    assert {name for _, _, name in one.news.lost} == {"a#1", "b#1"}
    assert leases(one).held == set()


def test_what_must_not_run_twice_unseen_has_been_interrupted(place: Place, clocks: Clocks) -> None:
    """S14.3: the host answers for it; what nobody had taken is taken."""
    one, two = worker(place, clocks, works="a"), worker(place, clocks, "w2")
    one.start(flow(group("g", fragile("a"), fragile("b"), parallel=True)))
    outlive(clocks, two)
    assert look(two) == ["b#1"]
    error = attempt(two, "a#1").error
    assert error is not None
    assert error.type == "interrupted"


def test_what_was_to_give_up_gave_up_with_its_worker(place: Place, clocks: Clocks) -> None:
    """It does not begin again."""
    one, two = worker(place, clocks), worker(place, clocks, "w2")
    one.start()
    two.feed(partial(events.CancelRequested, by="ann"))
    assert two.state().status == "cancelling"
    outlive(clocks, two)
    assert look(two) == []
    assert two.state().status == "cancelled"
    assert two.orders() == []


def test_a_worker_hears_that_it_shall_give_up(place: Place, clocks: Clocks) -> None:
    """From whichever process it was asked; its own, at once."""
    one, two = worker(place, clocks), Hand(place, clocks)
    one.start()
    two.feed(partial(events.CancelRequested, by="ann"))
    one.do(lambda _: leases(one).hear())
    assert {name for _, _, name in one.news.given_up} == {"a#1", "b#1"}
    assert answer(one, "a#1", ended("a#1", "cancelled"))
    assert answer(one, "b#1")
    assert one.state().status == "cancelled"
    one.start(flow_id="g")
    one.feed(partial(events.CancelRequested, by="ann"), "g")
    assert [name for _, _, name in one.news.given_up] == ["a#1", "b#1"]


def test_work_that_takes_its_workers_down_is_lost(place: Place, clocks: Clocks) -> None:
    """After so many deliveries it has failed, and no worker goes down with it any more."""
    worker(place, clocks).start(flow(group("g", "a")))
    for name in ("w2", "w3"):
        clocks.boot_ms += LEASE_MS
        assert look(worker(place, clocks, name)) == ["a#1"]
    clocks.boot_ms += LEASE_MS
    last = worker(place, clocks, "w4")
    assert look(last) == []
    error = attempt(last, "a#1").error
    assert error is not None
    assert (error.type, error.message) == ("lost", "3 workers went down with it")


def test_a_generator_that_takes_its_workers_down_is_lost(place: Place, clocks: Clocks) -> None:
    """The making of groups has failed, and the flow with it."""
    kinds = {GENERATE: ["flow"]}
    worker(place, clocks, kinds=kinds).start(FlowSpec())
    for name in ("w2", "w3"):
        clocks.boot_ms += LEASE_MS
        assert look(worker(place, clocks, name, kinds=kinds)) == ["1"]
    clocks.boot_ms += LEASE_MS
    last = worker(place, clocks, "w4", kinds=kinds)
    assert look(last) == []
    assert last.state().status == "error"
    assert "3 workers went down with it" in last.entries()[-1][1]


def test_a_worker_takes_no_more_than_it_has_room_for(place: Place, clocks: Clocks) -> None:
    """What it answers makes room, in the same transaction."""
    one = worker(place, clocks, slots=2)
    one.start(flow(group("g", *(StepSpec(key=f"s{n}", work="a") for n in range(5)), parallel=True)))
    assert one.taken() == ["s0#1", "s1#1"]
    assert look(one) == []

    def act(_: object) -> None:
        one.ledger.answer(("f", STEP, "s1#1"), "w1", ended("s1#1"))
        leases(one).take_more()

    one.do(act)
    assert one.taken() == ["s2#1"]
    assert sorted(name for _, _, name in leases(one).held) == ["s0#1", "s2#1"]


def test_a_transaction_that_fails_takes_nothing(place: Place, clocks: Clocks) -> None:
    """Neither in the store nor in the worker."""
    one = worker(place, clocks)

    def fail(_: object) -> None:
        one.start()

    with pytest.raises(Exception, match="transaction"):
        one.do(fail)
    assert leases(one).held == set()


def test_what_has_finished_is_not_taken(place: Place, clocks: Clocks) -> None:
    """Whoever said so; its order has gone."""
    one = Hand(place, clocks)
    one.start()
    one.feed(ended("a#1"))
    assert look(worker(place, clocks)) == ["b#1"]


def test_orders_that_nobody_asks_for_are_removed(place: Place, clocks: Clocks) -> None:
    """Such as one that was written by hand, ready or abandoned."""
    one, two = worker(place, clocks, works="b"), worker(place, clocks, "w2")
    one.start()
    one.feed(ended("a#1"))
    for name, owner in (("a#1", "NULL"), ("c#1", "'w1'"), ("zzz#1", "NULL"), ("b#7", "NULL")):
        one.sql(
            "INSERT INTO outbox (flow_id, kind, name, work, owner, deliveries, give_up,"
            f" not_before_ms, since_ms) VALUES ('f', 'step', '{name}', 'a', {owner}, 1, 0, 0, 0)"
        )
    outlive(clocks, two)
    assert look(two) == ["b#1"]
    assert two.orders() == ["b#1"]


def test_timers_fire_when_they_are_due(place: Place, clocks: Clocks) -> None:
    """Not before, and once, whoever comes first."""
    one, two = worker(place, clocks), worker(place, clocks, "w2")
    one.start(flow(group("g", StepSpec(key="a", timeout_ms=50))))
    assert one.news.next_due_ms == 1_050
    clocks.day_ms = 1_049
    look(two)
    assert attempt(two, "a#1").active
    clocks.day_ms = 1_050
    look(two)
    assert not attempt(two, "a#1").active
    before = len(two.entries())
    look(one)
    assert len(one.entries()) == before


def test_people_are_asked_by_who_can(place: Place, clocks: Clocks) -> None:
    """Once; a question that was settled meanwhile is asked no more."""
    one = worker(place, clocks)
    one.start(flow(group("g", StepSpec(key="a", approval=ApprovalSpec()))))
    answer(one, "a#1", ended("a#1", subject="plan 7"))
    assert one.taken() == []
    two = worker(place, clocks, "w2", works="", kinds={ASK: [""]})
    assert look(two) == ["a#1"]
    command = two.news.taken[0].command
    assert isinstance(command, RequestApproval)
    assert command.subject == "plan 7"
    two.do(lambda ledger: ledger.drop(("f", ASK, "a#1"), "w2"))
    assert look(two) == []


def test_a_question_that_was_settled_is_not_asked(place: Place, clocks: Clocks) -> None:
    """Its order goes when somebody looks."""
    one = worker(place, clocks)
    one.start(flow(group("g", StepSpec(key="a", approval=ApprovalSpec())), group("h", "b")))
    answer(one, "a#1")
    one.feed(partial(events.ApprovalResponded, step="a", response="approve", by="ann"))
    assert look(worker(place, clocks, "w2", works="", kinds={ASK: [""]})) == []
    assert one.orders() == ["b#1"]


def test_groups_are_made_by_who_can_and_again_where_that_died(place: Place, clocks: Clocks) -> None:
    """A generator has an order like a step."""
    kinds = {GENERATE: ["flow"]}
    one, two = worker(place, clocks, kinds=kinds), worker(place, clocks, "w2", kinds=kinds)
    one.start(FlowSpec())
    assert one.taken() == ["1"]
    outlive(clocks, two)
    assert look(two) == ["1"]
    assert isinstance(two.news.taken[0].command, GenerateSteps)

    def made(*, at_ms: int) -> Event:
        return events.GroupsGenerated(at_ms=at_ms, groups=(group("g", "a"),))

    assert two.do(lambda ledger: ledger.answer(("f", GENERATE, "1"), "w2", made))
    assert two.taken() == ["a#1"]
    assert two.orders() == ["a#1"]


def test_who_retires_leaves_its_orders_to_others_at_once(place: Place, clocks: Clocks) -> None:
    """Without waiting for the lease, and takes nothing more."""
    one, two = worker(place, clocks), worker(place, clocks, "w2")
    one.start()
    one.do(lambda _: leases(one).retire(at_once=True))
    assert sorted(look(two)) == ["a#1", "b#1"]
    one.start(flow_id="g")
    assert one.taken() == []


def test_leases_of_another_boot_hold_nothing(place: Place, clocks: Clocks) -> None:
    """Whoever held them went down with the machine."""
    one, two = worker(place, clocks), worker(place, clocks, "w2")
    one.start()
    one.sql("UPDATE workers SET boot = 'before', until_ms = 9 WHERE worker_id = 'w1'")
    assert look(two) == ["a#1", "b#1"]


def test_the_time_of_day_has_no_part_in_leases(place: Place, clocks: Clocks) -> None:
    """Set on or back, nobody loses anything."""
    one, two = worker(place, clocks), worker(place, clocks, "w2")
    one.start()
    for day_ms in (10**12, 0):
        clocks.day_ms = day_ms
        assert look(two) == []
    assert answer(one, "a#1")


def test_the_gone_are_forgotten_once_they_hold_nothing(place: Place, clocks: Clocks) -> None:
    """The list of workers does not grow with every process that ever was."""
    hands = [worker(place, clocks, f"w{number}") for number in range(5)]
    hands[0].start()
    outlive(clocks, hands[4])
    look(hands[4])
    rows = hands[4].sql("SELECT worker_id FROM workers")
    assert rows == [("w4",)]


def test_a_flow_that_cannot_be_read_holds_nobody_up(
    place: Place, clocks: Clocks, caplog: pytest.LogCaptureFixture
) -> None:
    """Its orders and timers are put off, and told; those of others are taken."""
    Hand(place, clocks).start(flow(group("g", StepSpec(key="a", timeout_ms=5))))
    Hand(place, clocks).start(flow(group("g", "a")), "sound")
    one = worker(place, clocks)
    one.sql("UPDATE entries SET lines = '?' WHERE flow_id = 'f' AND seq = 1")
    clocks.day_ms += 5
    with caplog.at_level(logging.WARNING):
        assert look(one) == ["a#1"]
    assert one.news.taken[0].order.flow_id == "sound"
    assert "a#1 cannot be carried out: the log of flow 'f' cannot be read" in caplog.text
    assert "timer timeout:a#1 cannot fire" in caplog.text
    assert one.news.next_due_ms == clocks.day_ms + PUT_OFF_MS
    caplog.clear()
    assert look(one) == []
    assert caplog.text == ""


def test_what_is_left_of_no_flow_is_removed(place: Place, clocks: Clocks) -> None:
    """Such as rows that somebody put back by hand."""
    one = worker(place, clocks)
    one.do(lambda ledger: ledger.store.put_timer("gone", "timeout:a#1", 0))
    order = Order(flow_id="gone", kind=STEP, name="a#1", work="a")
    one.do(lambda ledger: ledger.store.put_order(order, None, at_ms=0))
    one.do(lambda ledger: ledger.store.put_order(evolve(order, name="b#1"), "w9", at_ms=0))
    assert look(one) == []
    assert one.orders("gone") == []
    assert one.do(lambda ledger: ledger.store.next_due_ms(at_ms=0)) is None


def test_a_renewal_that_was_rolled_back_is_none(place: Place, clocks: Clocks) -> None:
    """The worker renews again as soon as a transaction holds, and keeps what it has."""
    hand = worker(place, clocks)
    hand.start()
    clocks.boot_ms = LEASE_MS - 10

    def fail(_: object) -> None:
        leases(hand).look_around()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        hand.do(fail)
    assert leases(hand).lease.is_due()
    look(hand)
    assert not leases(hand).lease.is_due()
    clocks.boot_ms = LEASE_MS + 10
    other = worker(place, clocks, "w2")
    assert look(other) == []


def test_what_is_another_worker_s_is_not_given_back(place: Place, clocks: Clocks) -> None:
    """Whoever lost an order leaves it to whom it is now."""
    hand = worker(place, clocks)
    hand.start()
    clocks.boot_ms = LEASE_MS + 1
    other = worker(place, clocks, "w2")
    assert look(other) == ["a#1", "b#1"]
    key = ("f", STEP, "a#1")
    hand.do(lambda _ledger: leases(hand).hand_back(key, begun=False))
    assert owner_of(hand, key) == "w2"
    other.do(lambda _ledger: leases(other).hand_back(key, begun=False))
    assert owner_of(hand, key) is None
    assert look(worker(place, clocks, "w3")) == ["a#1"]


def owner_of(hand: Hand, key: Key) -> str | None:
    """Who has taken an order."""
    found = hand.do(lambda ledger: ledger.store.order(key))
    assert found is not None
    return found[1]
