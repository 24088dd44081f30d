"""Several connections to one database: who holds a flow, who appends, who claims, who sees it."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from conductor_adapters.store import StoreError
from conductor_adapters.store.protocol import LATEST, STEP, Conflict
from conductor_core import events
from conductor_core.verdicts import Accepted, Ignored
from tests.adapters.databases import (
    PATIENCE_S,
    Meanwhile,
    add_flow,
    added,
    opened,
    put,
    sql,
    until,
)
from tests.adapters.ledgers import Clocks, Hand, ended, worker

if TYPE_CHECKING:
    from conductor_adapters.store.postgres import PostgresStore

# --- holding, appending ---


def test_who_wants_a_flow_waits_for_who_holds_it_and_sees_what_that_did(url: str) -> None:
    """Though its own transaction began before."""
    with opened(url) as one, opened(url) as two:
        place = add_flow(one)

        def wait() -> int | None:
            with two.transaction():
                return two.hold("f")

        with one.transaction():
            assert one.hold("f") == place
            assert one.hold("f") == place
            waiting = Meanwhile(url, wait)
            mine = one.append("f", 1, "line\n", behind=place)
        assert waiting.result() == mine > place


def test_a_flow_that_is_held_holds_up_no_other_and_no_reader(url: str) -> None:
    """Nor one that is not there."""
    with opened(url) as one, opened(url) as two:
        place = add_flow(one)
        other = add_flow(one, "g")
        with one.transaction():
            one.hold("f")
            with two.transaction():
                assert two.hold("g") == other
                assert two.hold("h") is None
            with two.reading():
                assert two.hold("f") == place


def test_of_two_that_append_to_one_flow_one_does(url: str) -> None:
    """Also where nobody held it: the other waits, and is told that it was too late."""
    with opened(url) as one, opened(url) as two:
        place = add_flow(one)

        def late() -> int:
            with two.transaction():
                return two.append("f", 1, "late\n", behind=place)

        with one.transaction():
            mine = one.append("f", 1, "first\n", behind=place)
            waiting = Meanwhile(url, late)
        with pytest.raises(Conflict):
            waiting.result()
        with one.reading():
            assert one.entries("f") == [(0, "header\n"), (1, "first\n")]
            assert one.place("f") == mine


def test_who_waited_appends_where_the_other_gave_up(url: str) -> None:
    """A transaction that failed was none."""
    with opened(url) as one, opened(url) as two:
        place = add_flow(one)

        def second() -> int:
            with two.transaction():
                return two.append("f", 1, "second\n", behind=place)

        waiting: list[Meanwhile] = []
        with suppress(ZeroDivisionError), one.transaction():
            one.append("f", 1, "first\n", behind=place)
            waiting.append(Meanwhile(url, second))
            raise ZeroDivisionError
        assert waiting[0].result() > place
        with one.reading():
            assert one.entries("f", after=0) == [(1, "second\n")]


def test_what_is_appended_must_follow(url: str) -> None:
    """Behind the place of another flow, or of an entry that is not there, nothing is."""
    with opened(url) as store:
        place, other = add_flow(store), add_flow(store, "g")
        for seq, behind in ((1, other), (2, place), (1, 99), (0, place)):
            with pytest.raises(Conflict), store.transaction():
                store.append("f", seq, "line\n", behind=behind)


def test_two_ledgers_go_on_with_one_flow(url: str) -> None:
    """Who waited reduces what the other left: its verdict is that of the newest state."""
    one, two = Hand(url), Hand(url)
    one.start()
    two.state()
    pause = partial(events.PauseRequested, by="ann")
    with one.ledger.transaction():
        assert one.ledger.feed("f", pause) == Accepted()
        waiting = Meanwhile(url, lambda: two.feed(pause))
    assert waiting.result() == Ignored("no-change")
    assert two.ledger.conflicts == 0
    assert one.state() == two.state()


def test_of_two_that_hold_each_other_up_one_is_told(url: str) -> None:
    """The other goes on."""
    both_hold = Barrier(2)

    def hold(store: PostgresStore, flow_id: str, then: str) -> int | None:
        with store.transaction():
            store.hold(flow_id)
            both_hold.wait(PATIENCE_S)
            return store.hold(then)

    with opened(url) as one, opened(url) as two, ThreadPoolExecutor(2) as threads:
        add_flow(one, "f")
        add_flow(one, "g")
        crossed = [threads.submit(hold, one, "f", "g"), threads.submit(hold, two, "g", "f")]
        told, other = sorted((each.exception() for each in crossed), key=lambda it: it is None)
    assert isinstance(told, StoreError)
    assert str(told).endswith("deadlock detected")
    assert other is None


def test_who_answers_waits_for_who_cancels_and_the_other_way_round(url: str) -> None:
    """Neither holds a row of the flow while it waits for the flow."""
    clocks = Clocks()
    one, two = worker(url, clocks), Hand(url, clocks)
    one.start()
    cancel = partial(events.CancelRequested, by="ann")

    def answer() -> bool:
        return one.do(lambda ledger: ledger.answer(("f", STEP, "a#1"), "w1", ended("a#1")))

    with two.ledger.transaction():
        two.ledger.look("f")
        waiting = Meanwhile(url, answer)
        assert two.ledger.feed("f", cancel) == Accepted()
    assert waiting.result()
    with one.ledger.transaction():
        assert one.ledger.answer(("f", STEP, "b#1"), "w1", ended("b#1"))
        waiting = Meanwhile(url, two.state)
    assert waiting.result().status == "cancelled"


# --- claiming ---


def test_two_that_claim_at_once_get_each_order_once(url: str) -> None:
    """Nobody waits; what a claim that failed had is claimed again."""
    with opened(url) as one, opened(url) as two:
        put(one, *(f"s{number}" for number in range(5)))

        def claimed(store: PostgresStore = one, limit: int = 9) -> list[str]:
            found = store.claim(STEP, at_ms=5, until_ms=100, limit=limit)
            return sorted(each.order.name for each in found)

        with suppress(ZeroDivisionError), one.transaction():
            assert claimed(limit=2) == ["s0", "s1"]
            with two.transaction():
                assert claimed(two) == ["s2", "s3", "s4"]
            raise ZeroDivisionError
        with one.transaction():
            assert one.is_due(STEP, at_ms=5)
            assert claimed() == ["s0", "s1"]
            assert not one.is_due(STEP, at_ms=5)
            assert claimed() == []


def test_no_more_is_claimed_than_was_asked_for(url: str) -> None:
    """The oldest, also among many."""
    with opened(url) as store:
        put(store, *(f"s{number:03}" for number in range(300)))
        sql(url, "ANALYZE conductor.outbox")
        claimed: list[str] = []
        for _ in range(3):
            with store.transaction():
                found = store.claim(STEP, at_ms=5, until_ms=100, limit=100)
            assert len(found) == 100
            claimed += sorted(each.order.name for each in found)
        assert claimed == [f"s{number:03}" for number in range(300)]


# --- seeing what others append ---


class Watcher:
    """Looks at what others append, as a desk does."""

    def __init__(self, url: str) -> None:
        self._context = opened(url)
        self.store = self._context.__enter__()
        self.place = 0
        self.look(after=LATEST)

    def look(self, *, after: int | None = None, writes: bool = False) -> list[str]:
        """The flows that grew since it last looked."""
        with self.store.transaction() if writes else self.store.reading():
            grown, place = self.store.grown(after=self.place if after is None else after)
        self.place = place
        return sorted(grown)

    def settles(self) -> None:
        """Wait until nothing is expected any more, also of the server itself."""
        until(lambda: self.look() == [] and not self.store.changed())

    def close(self) -> None:
        """Look no more."""
        self._context.__exit__(None, None, None)


@pytest.fixture
def watcher(url: str) -> Generator[Watcher]:
    """Somebody who watches a store with one flow."""
    with opened(url) as store:
        add_flow(store, "first")
    watcher = Watcher(url)
    yield watcher
    watcher.close()


@pytest.mark.parametrize("writes", [False, True], ids=["reading", "writing"])
def test_what_came_before_and_ended_after_is_seen(url: str, watcher: Watcher, writes: bool) -> None:
    """An entry has its number before its transaction ends."""
    with opened(url) as slow, opened(url) as quick:
        with slow.transaction():
            number = added(slow, "slow")
            assert not watcher.store.changed()
            later = add_flow(quick, "quick")
            assert later > number
            assert watcher.store.changed()
            assert watcher.look(writes=writes) == ["quick"]
            assert watcher.place == later
            assert watcher.store.changed()
            assert watcher.look(writes=writes) == []
        assert watcher.store.changed()
        assert watcher.look(writes=writes) == ["slow"]
        watcher.settles()


def test_what_was_under_way_when_somebody_began_to_watch_is_seen(
    url: str, watcher: Watcher
) -> None:
    """It may have a number from before."""
    watcher.close()
    with opened(url) as slow, opened(url) as quick:
        with slow.transaction():
            added(slow, "slow")
            add_flow(quick, "quick")
            late = Watcher(url)
        assert late.store.changed()
        assert late.look() == ["slow"]
        late.close()


def test_what_never_comes_is_waited_for_no_more(url: str, watcher: Watcher) -> None:
    """Once everything has ended that was under way."""
    with opened(url) as gone, opened(url) as quick:
        with suppress(ZeroDivisionError), gone.transaction():
            added(gone, "gone")
            add_flow(quick, "quick")
            assert watcher.look() == ["quick"]
            raise ZeroDivisionError
        assert watcher.store.changed()
        assert watcher.store.changed()
        watcher.settles()


def test_what_is_missing_is_waited_for_while_others_come(url: str, watcher: Watcher) -> None:
    """Several at once, of which some come and some do not, in whichever order."""
    with opened(url) as one, opened(url) as two, opened(url) as quick:
        with one.transaction():
            added(one, "one")
            with suppress(ZeroDivisionError), two.transaction():
                added(two, "two")
                add_flow(quick, "a")
                added(one, "one, too")
                assert watcher.look() == ["a"]
                add_flow(quick, "b")
                assert watcher.look() == ["b"]
                raise ZeroDivisionError
            add_flow(quick, "c")
            assert watcher.look() == ["c"]
        assert watcher.look() == ["one", "one, too"]
        watcher.settles()


def test_a_look_that_fails_has_seen_nothing(url: str, watcher: Watcher) -> None:
    """The next one sees it all."""
    with opened(url) as slow, opened(url) as quick:
        with slow.transaction():
            added(slow, "slow")
            add_flow(quick, "quick")
            assert watcher.look() == ["quick"]
        add_flow(quick, "more")
        with suppress(ZeroDivisionError), watcher.store.reading():
            assert sorted(watcher.store.grown(after=watcher.place)[0]) == ["more", "slow"]
            raise ZeroDivisionError
        assert watcher.look() == ["more", "slow"]


def test_a_flow_that_is_gone_hides_no_other(url: str, watcher: Watcher) -> None:
    """Its numbers are missing for good, also the last one."""
    with opened(url) as store:
        for flow_id in ("a", "gone", "b", "last"):
            add_flow(store, flow_id)
        with store.transaction():
            store.remove_flow("gone")
            store.remove_flow("last")
        assert watcher.look() == ["a", "b"]
        watcher.settles()
        with store.transaction():
            store.remove_flow("b")
        watcher.settles()
        add_flow(store, "new")
        assert "new" in watcher.look()


def test_many_entries_are_read_page_by_page(url: str, watcher: Watcher) -> None:
    """As where nobody looked for long."""
    sql(
        url,
        "INSERT INTO conductor.entries (flow_id, seq, lines)"
        " SELECT 'f' || n % 7, n, '' FROM generate_series(1, 25000) AS n",
    )
    assert watcher.look() == [f"f{number}" for number in range(7)]
