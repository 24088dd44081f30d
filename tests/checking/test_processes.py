"""Several processes find what one finds, and leave nothing behind however they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
from array import array
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from threading import Thread
from typing import Final

import pytest
from attrs import evolve

from conductor_core import FlowSpec, events, initial_state
from conductor_core.checking import (
    THEOREMS,
    Alphabet,
    Checked,
    check,
    eventually,
    never,
    sometimes,
)
from conductor_core.checking import processes as processes_module
from conductor_core.checking.alphabet import FAIL, OK
from conductor_core.checking.canonical import Canonical
from conductor_core.checking.gate import in_order
from conductor_core.checking.processes import Member, Order, Processes, Report, serve
from conductor_core.checking.properties import History, Property
from conductor_core.checking.reductions import ALL, NONE, Reductions
from conductor_core.checking.search import Progress, Question, Search
from conductor_core.errors import ConductorError
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group
from tests.checking.flows import DEPLOY, components, fleet, plan

OBEY: Final = "_obey"
"""A private function: what a process does from its birth."""
THIS: Final = os.getpid()
CANCELS: Final = History(
    0, lambda count, _before, event, _after: count or int(isinstance(event, events.CancelRequested))
)
CLAIMS: Final[tuple[Property, ...]] = (
    *THEOREMS,
    never("paused", lambda state: state.paused, about=()),
    never("denied", transition=lambda _b, event, _a: getattr(event, "response", "") == "deny",
          about=()),
    sometimes("two at rest", lambda state, cancels: state.parked == 2 and not cancels,
              history=CANCELS, about=()),
    sometimes("a lie", lambda _: False, about=()),
    eventually("over", lambda state: state.outcome is not None, about=()),
)  # fmt: skip
BRIEF: Final = Alphabet(endings=(OK, FAIL), answers=("approve", "deny"))


@pytest.fixture(autouse=True)
def early_and_often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Several processes begin while a search is small, and speak often; none outlives a test."""
    monkeypatch.setattr(processes_module, "WIDE", 4)
    monkeypatch.setattr(processes_module, "BATCH", 9)
    yield
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("spec", "alphabet", "reductions"),
    [
        (DEPLOY, Alphabet(suggestions=1), ALL),
        (components(2), Alphabet(), ALL),
        (fleet(3), BRIEF, ALL),
        (flow(group("g", plan("a"), plan("b"), "c", parallel=True)), BRIEF, ALL),
        (DEPLOY, evolve(BRIEF, pauses=False), NONE),
        (flow(), evolve(BRIEF, generated=(group("g", plan("a"), "b"),)), ALL),
    ],
    ids=["deploy", "components", "fleet", "plans", "nothing forgotten", "generated"],
)
def test_several_find_what_one_finds(
    spec: FlowSpec, alphabet: Alphabet, reductions: Reductions
) -> None:
    """Counts, verdicts, stories and certificates are the same for any number of processes."""
    one, two, three = (
        check(spec, *CLAIMS, alphabet=alphabet, theorems=(), reductions=reductions, driver=driver)
        for driver in (None, Processes(2), Processes(3))
    )
    assert one == two == three
    assert one.certificate() == two.certificate()
    assert {finding.verdict for finding in one.findings} >= {"holds", "violated", "never met"}


@pytest.mark.parametrize("most", [1, 30, 100, 101, 102, 103])
def test_several_stop_where_one_stops(most: int) -> None:
    """A bound leaves out the same states, and the same claims undecided."""
    one, two = (
        check(fleet(2), *CLAIMS, theorems=(), max_states=most, driver=driver)
        for driver in (None, Processes(2))
    )
    assert one == two
    assert two.stopped_by == "max-states"


def test_several_are_told_and_asked_as_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress and the question whether it is enough come at the same states."""
    told: dict[bool, list[Progress]] = {True: [], False: []}

    def searched(alone: bool) -> Checked:
        mine = told[alone]
        return check(
            fleet(4),
            driver=None if alone else Processes(2),
            progress=mine.append,
            enough=lambda: len(mine) == 1,
        )

    assert searched(True) == searched(False)
    assert told[True] == told[False]
    assert len(told[True]) == 1


def test_one_process_is_enough_for_a_small_flow() -> None:
    """A flow whose states are few is searched by the process that asks."""
    asked: list[int] = []

    def ask(_state: FlowState) -> bool:
        asked.append(os.getpid())
        return False

    claim = never("asked", ask, about=())
    spec = flow(group("g", "a"))
    checked = check(spec, claim, driver=Processes(40))
    assert checked == check(spec, claim)
    assert set(asked) == {THIS}
    assert check(spec, driver=Processes(1)) == check(spec)


def elsewhere(do: Callable[[FlowState], bool]) -> Property:
    """A claim about which something is done in every process but this one."""
    return never("elsewhere", lambda s: s.paused and os.getpid() != THIS and do(s), about=())


def test_a_predicate_that_raises_gives_the_same_error() -> None:
    """What a predicate raises comes out as it does of one process."""
    claim = never("fragile", lambda state: 1 // (state.current < 2) < 0, about=())
    errors = []
    for driver in (None, Processes(2)):
        with pytest.raises(ZeroDivisionError) as raised:
            check(fleet(3), claim, driver=driver)
        errors.append(str(raised.value))
    assert errors[0] == errors[1]


def test_what_is_raised_elsewhere_alone_is_no_error() -> None:
    """A search that raised in another process is made again in this one."""
    claim = elsewhere(lambda _: bool(1 // 0))
    assert check(fleet(2), claim, driver=Processes(2)) == check(fleet(2), claim)


def test_what_cannot_be_sent_is_remembered_in_one_process() -> None:
    """A history whose values are equal only to themselves is searched by one process."""
    mark = object()
    history = History(mark, lambda value, *_: value)
    claim = never("paused", lambda state, _: state.paused, history=history, about=())
    assert check(fleet(2), claim, driver=Processes(2)) == check(fleet(2), claim)


def test_a_process_that_dies_is_missed() -> None:
    """A process that is killed ends the search with an error that says so, and the others end."""

    def die(_state: FlowState) -> bool:
        os.kill(os.getpid(), signal.SIGKILL)
        return False

    with pytest.raises(ConductorError, match=r"ended on its own \(exit code -9\)"):
        check(fleet(3), elsewhere(die), driver=Processes(2))


def test_a_process_that_died_is_missed_by_whoever_speaks_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An order that nobody takes is an error, too."""
    monkeypatch.setattr(processes_module, OBEY, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(ConductorError, match=r"ended on its own \(exit code -9\)"):
        check(fleet(3), driver=Processes(2))


def test_several_processes_need_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be forked there is one process, or a clear error."""
    monkeypatch.setattr(processes_module, "get_all_start_methods", lambda: ["spawn"])
    assert Processes(1).count == 1
    with pytest.raises(ConductorError, match="several processes need a system that can fork"):
        Processes(2)


# --- one member ---


def search_of(spec: FlowSpec) -> Search:
    """A search after its first step."""
    alphabet = Alphabet()
    canonical = Canonical(spec, alphabet, ALL, memory=in_order)
    search = Search(initial_state(spec, "flow"), Question(alphabet=alphabet, canonical=canonical))
    search.step()
    return search


def member_of(spec: FlowSpec, *, index: int = 0, count: int = 1) -> Member:
    """A member of a team that takes over after the start of a search."""
    return Member(search_of(spec), index, count)


def order(*given: int, stop: int = 0, **more: object) -> Order:
    """An order to a member."""
    return Order(array("q", given), stop=stop, **more)  # type: ignore[arg-type]


def test_a_member_learns_numbers_and_keeps_what_is_its_own() -> None:
    """What another keeps is known, and looked at no more; edges then lead to its number."""
    member = member_of(DEPLOY)
    assert sorted(member.open) == [1, 2]
    first = member.carry_out(order(stop=2))
    assert [number for number, _ in first.expansions] == [1]
    assert any(edge < 0 for edge in first.expansions[0][1].edges)
    numbers = range(3, 3 + len(first.finds))
    second = member.carry_out(order(numbers[0], *(~number for number in numbers[1:]), stop=4))
    assert [number for number, _ in second.expansions] == [2, 3]
    assert not second.failed


def test_a_member_hands_over_what_another_takes() -> None:
    """A state that was handed over is looked at by the other, with the same result."""
    one, other = member_of(DEPLOY), member_of(DEPLOY, index=1, count=3)
    (handed,) = one.carry_out(order(passed_on=((1, array("q", [2])),))).handed
    assert handed[0] == 1
    assert sorted(one.open) == [1]
    (looked_at,) = other.carry_out(order(stop=3, taken_over=(handed[1],))).expansions[1:]
    (alike,) = member_of(DEPLOY).carry_out(order(stop=3)).expansions[1:]
    assert looked_at[0] == alike[0] == 2
    assert looked_at[1].transitions == alike[1].transitions


def test_a_member_that_fails_says_only_that() -> None:
    """Whatever was raised, the report is empty but for the failure."""
    member = member_of(DEPLOY)
    assert member.carry_out(order(passed_on=((0, array("q", [99])),))) == Report(failed=True)


def test_a_member_serves_until_nobody_speaks_to_it() -> None:
    """Orders are answered one by one, and the end of the line is the end of the work."""
    mine, theirs = Pipe()
    thread = Thread(target=serve, args=(member_of(DEPLOY), theirs))
    thread.start()
    with mine:
        mine.send(order(stop=2))
        report = mine.recv()
    thread.join()
    assert [number for number, _ in report.expansions] == [1]
    assert theirs.closed


def test_a_member_holds_no_line_of_another_open() -> None:
    """From its birth a member ignores Ctrl-C, closes what it inherited, and obeys."""
    mine, theirs = Pipe()
    before = signal.getsignal(signal.SIGINT)
    try:
        getattr(processes_module, OBEY)(search_of(DEPLOY), 0, 1, theirs, (mine,))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert mine.closed
    assert theirs.closed
