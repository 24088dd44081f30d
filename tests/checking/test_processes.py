"""Several processes find what one finds, and leave nothing behind however they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from array import array
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.context import ForkProcess
from threading import Thread
from typing import Final, TypeAlias

import pytest
from attrs import evolve

from conductor_core import FlowSpec, StepSpec, events, initial_state
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
from conductor_core.checking.check import PredicateError
from conductor_core.checking.gate import in_order
from conductor_core.checking.processes import (
    Member,
    Order,
    Processes,
    Report,
    next_batch,
    serve,
)
from conductor_core.checking.properties import History, Property
from conductor_core.checking.question import Progress, Question
from conductor_core.checking.reductions import ALL, NONE, Reductions
from conductor_core.checking.search import Search
from conductor_core.errors import ConductorError
from conductor_core.state import FlowState
from conductor_core.testing.brief import flow, group
from tests.checking.flows import DEPLOY, ONCE, components, fleet, plan

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


Forked: TypeAlias = list[ForkProcess]
"""The processes that a test has forked so far."""


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forked]:
    """Several processes begin while a search is small, and speak often; none outlives a test."""
    begun: Forked = []

    class Counted(ForkProcess):
        """A process that is counted once it has begun."""

        def start(self) -> None:
            super().start()
            begun.append(self)

    monkeypatch.setattr(processes_module, "WIDE", 4)
    monkeypatch.setattr(processes_module, "BATCH", 9)
    monkeypatch.setattr(processes_module, "ForkProcess", Counted)
    yield begun
    assert not multiprocessing.active_children()


def pairs(count: int) -> FlowSpec:
    """So many plans at once, then as many applies at once, each of which relies on its own plan."""
    keys = range(count)
    applies = [StepSpec(key=f"apply-{n}", needs=[f"plan-{n}"], retry=ONCE) for n in keys]
    return flow(
        group("plans", *(plan(f"plan-{n}") for n in keys), parallel=True),
        group("applies", *applies, parallel=True),
    )


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("spec", "alphabet", "reductions"),
    [
        (DEPLOY, Alphabet(suggestions=1), ALL),
        (components(2), Alphabet(), ALL),
        (fleet(3), BRIEF, ALL),
        (flow(group("g", plan("a"), plan("b"), "c", parallel=True)), BRIEF, ALL),
        (DEPLOY, evolve(BRIEF, pauses=False), NONE),
        (flow(), evolve(BRIEF, generated=(group("g", plan("a"), "b"),)), ALL),
        (pairs(2), Alphabet(), ALL),
        (pairs(3), BRIEF, ALL),
        (pairs(2), BRIEF, evolve(ALL, finished=False)),
        (pairs(2), BRIEF, evolve(ALL, superseded=False)),
    ],
    ids=["deploy", "components", "fleet", "plans", "nothing forgotten", "generated", "two pairs",
         "three pairs", "finished", "superseded"],
)  # fmt: skip
def test_several_find_what_one_finds(
    spec: FlowSpec, alphabet: Alphabet, reductions: Reductions, forked: Forked
) -> None:
    """Counts, verdicts, stories and certificates are the same for any number of processes."""
    one, two, three = (
        check(spec, *CLAIMS, alphabet=alphabet, theorems=(), reductions=reductions, driver=driver)
        for driver in (None, Processes(2), Processes(3))
    )
    assert len(forked) == 2 + 3
    assert one == two == three
    assert one.certificate() == two.certificate() == three.certificate()
    assert {finding.found for finding in one.findings} >= {"holds", "violated", "never met"}


@pytest.mark.parametrize("most", [60, 100, 101, 102, 103])
def test_several_stop_where_one_stops(most: int, forked: Forked) -> None:
    """A bound leaves out the same states, and the same claims undecided."""
    one, two = (
        check(fleet(2), *CLAIMS, theorems=(), max_states=most, driver=driver)
        for driver in (None, Processes(2))
    )
    assert len(forked) == 2
    assert one == two
    assert two.stopped_by == "max-states"


def test_several_are_told_and_asked_as_one_is(forked: Forked) -> None:
    """Progress and the question whether it is enough come at the same states."""
    told: dict[bool, list[Progress]] = {True: [], False: []}

    def searched(alone: bool) -> Checked:
        mine = told[alone]
        return check(
            fleet(4),
            driver=None if alone else Processes(2),
            progress=mine.append,
            enough=lambda: len(mine) == 9,
        )

    assert searched(True) == searched(False)
    assert len(forked) == 2
    assert told[True] == told[False]
    assert len(told[True]) == 9


def test_one_process_is_enough_for_a_small_flow(forked: Forked) -> None:
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
    assert not forked


def elsewhere(do: Callable[[FlowState], bool]) -> Property:
    """A claim about which something is done in every process but this one."""
    return never("elsewhere", lambda s: s.paused and os.getpid() != THIS and do(s), about=())


def test_a_predicate_that_raises_gives_the_same_error(forked: Forked) -> None:
    """What a predicate raises comes out as it does of one process."""
    claim = never("fragile", lambda state: 1 // (state.current < 2) < 0, about=())
    errors = []
    for driver in (None, Processes(2)):
        with pytest.raises(PredicateError) as raised:
            check(fleet(3), claim, driver=driver)
        errors.append((str(raised.value), raised.value.claim, raised.value.story))
    assert len(forked) == 2
    assert errors[0] == errors[1]
    assert errors[0][2].state.current == 2


def test_what_is_raised_elsewhere_alone_is_no_error(forked: Forked) -> None:
    """A search that raised in another process is made again in this one."""
    claim = elsewhere(lambda _: bool(1 // 0))
    assert check(fleet(2), claim, driver=Processes(2)) == check(fleet(2), claim)
    assert len(forked) == 2


def test_what_cannot_be_sent_is_remembered_in_one_process(forked: Forked) -> None:
    """A history whose values are equal only to themselves is searched by one process."""
    mark = object()
    history = History(mark, lambda value, *_: value)
    claim = never("paused", lambda state, _: state.paused, history=history, about=())
    assert check(fleet(2), claim, driver=Processes(2)) == check(fleet(2), claim)
    assert len(forked) == 2


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


def test_a_batch_is_as_large_as_there_is_time_for() -> None:
    """At most twice as many as before, so that nobody waits long for a word, and one at least."""
    assert next_batch(100, 0.0, most=1_000) == 200
    assert next_batch(100, 0.2, most=1_000) == 125
    assert next_batch(100, 1.0, most=1_000) == 25
    assert next_batch(600, 0.0, most=1_000) == 1_000
    assert next_batch(3, 60.0, most=1_000) == 1


def test_whoever_has_enough_is_asked_before_each_batch(forked: Forked) -> None:
    """Several processes may be told to end before it is time for another word of progress."""
    found = check(fleet(2), driver=Processes(2), enough=lambda: len(forked) == 2)
    assert found.stopped_by == "enough"
    assert found.states < 200


def interrupt(_far: Progress) -> None:
    """Press Ctrl-C."""
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_ends_every_process(forked: Forked) -> None:
    """A Ctrl-C in the midst of a search comes out of it, and no process is left."""
    with pytest.raises(KeyboardInterrupt):
        check(fleet(4), driver=Processes(2), progress=interrupt)
    assert len(forked) == 2


def test_ctrl_c_waits_until_every_process_has_begun(
    monkeypatch: pytest.MonkeyPatch, forked: Forked
) -> None:
    """A Ctrl-C while processes are forked finds all of them, and ends them."""

    class Interrupted(ForkProcess):
        """A process that begins just as somebody presses Ctrl-C."""

        def start(self) -> None:
            signal.raise_signal(signal.SIGINT)
            super().start()
            forked.append(self)

    monkeypatch.setattr(processes_module, "ForkProcess", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        check(fleet(4), driver=Processes(3))
    assert len(forked) == 3


SEARCHED: Final = """
import multiprocessing
from conductor_core.checking import check, full_alphabet
from conductor_core.checking.processes import Processes
from tests.checking.flows import fleet

def tell(_far):
    if multiprocessing.active_children():
        print("forked", flush=True)

check(fleet(6), alphabet=full_alphabet(fleet(6)), driver=Processes(2), progress=tell)
"""


def test_ctrl_c_at_a_terminal_is_told_once() -> None:
    """A terminal sends it to every process: those that were forked end without a word."""
    searching = subprocess.Popen(
        [sys.executable, "-c", SEARCHED],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    with searching:
        assert searching.stdout is not None
        assert searching.stdout.readline() == "forked\n"
        os.killpg(searching.pid, signal.SIGINT)
        # Whoever lives on holds the pipes open.
        _, complaint = searching.communicate()
    assert searching.returncode == -signal.SIGINT
    assert complaint.count("Traceback") == 1
    assert complaint.rstrip().endswith("KeyboardInterrupt")


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


def test_a_search_needs_a_process() -> None:
    """None at all cannot search."""
    with pytest.raises(ConductorError, match="a search needs one process at least, got 0"):
        Processes(0)
