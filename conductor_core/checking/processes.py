"""A search by several processes: each looks at a part of the states, one gives the numbers.

Rule: what is found does not depend on how many there are. States are looked at in batches of
consecutive numbers, and what came of each is written into the ledger in the order of these
numbers, move by move: which is the order in which one process would have met it. If several
processes found a state in one batch, the one keeps it whose find comes first in that order, so
that the state which stands for a key is the same, too.

The processes are forked once the search is wide enough. They inherit the states that are open,
each takes every n-th of them and later on keeps what it found, but for what is handed over to
those that found less. Through the pipes go numbers, what the claims said, digests, and the
states that are handed over; no predicate is ever sent.

Keys are compared by 128 bits of BLAKE2b over their encodings, which are equal if and only if
the keys are (`encoding`). By the birthday bound two of a billion keys collide with a
probability below 2**-68, which is less than what memory and disks err by.
"""

from __future__ import annotations

import pickle
import signal
import time
from array import array
from collections import Counter
from collections.abc import Generator, Hashable, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from multiprocessing import Pipe, get_all_start_methods
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Final, Self, TypeAlias

from attrs import evolve, frozen

from conductor_core.checking.explored import Explored
from conductor_core.checking.explorer import Edge, Expansion, Facts
from conductor_core.checking.question import Place, Question
from conductor_core.checking.search import Search, explore
from conductor_core.errors import ConductorError
from conductor_core.state import FlowState

WIDE: Final = 200
"""So many states for each process must be open before it is worth to begin several."""
BATCH: Final = 500
"""So many states for each process are looked at between two words with the others, at most."""
FIRST_BATCH: Final = 25
BATCH_S: Final = 0.25
"""So long a batch is to take, since until then nobody hears that it is enough."""
PATIENCE_S: Final = 5.0
"""How long a process may take to end that was told to."""

Given: TypeAlias = "array[int]"
"""The numbers that the finds of a process were given, in order.

Where another process keeps a state, the number is complemented.
"""


class Processes:
    """A driver: searches with so many processes at once, besides this one, which numbers.

    A search that raises in one of them is made again in this process alone, so that it ends
    as it would have there: with the first error, or with none.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ConductorError(f"a search needs one process at least, got {count!r}")
        if count > 1 and "fork" not in get_all_start_methods():
            raise ConductorError("several processes need a system that can fork: use one")
        self.count = count

    def __call__(self, start: FlowState, question: Question) -> Explored:
        """Enter every state that can be reached, or as many as may be."""
        search = Search(start, question)
        while self.count == 1 or len(search.open) < WIDE * self.count:
            if not search.ledger.goes_on():
                return search.explored()
            search.step()
        with _Team(search, self.count) as team:
            found = team.explore()
        return explore(start, question) if found is None else found


# --- what is said ---


@frozen
class Find:
    """A state that a process had not met before, by the digest of its key."""

    digest: bytes
    facts: Facts


@frozen
class Report:
    """What a process found in a batch: of each state that it looked at, and all that is new.

    An edge to a state that is new leads to the complement of its place among the finds.
    `handed` are states for others, for each of these its index and the states as bytes.
    `failed`: something was raised, so that all the rest is missing.
    """

    expansions: tuple[tuple[int, Expansion], ...] = ()
    finds: tuple[Find, ...] = ()
    handed: tuple[tuple[int, bytes], ...] = ()
    failed: bool = False


@frozen
class Order:
    """What a process is told: the numbers of its last finds, what was met, how far to go.

    `passed_on` are the numbers of states to be handed over, and to whom; `taken_over` are
    states that others handed over.
    """

    given: Given
    met: tuple[str, ...] = ()
    stop: int = 0
    passed_on: tuple[tuple[int, Given], ...] = ()
    taken_over: tuple[bytes, ...] = ()


def digest_of(encoding: bytes) -> bytes:
    """The digest of a key by its encoding."""
    return blake2b(encoding, digest_size=16).digest()


# --- a process that looks ---


class Member:
    """What a process of a team knows: its own states, and the keys that it has met."""

    def __init__(self, search: Search, index: int, count: int) -> None:
        self.explorer = search.explorer
        self.known = search.numbers
        self.open = {n: place for n, place in search.open.items() if n % count == index}
        self.keys: list[Hashable] = []
        self.places: list[Place] = []
        self.finds: list[Find] = []

    def carry_out(self, order: Order) -> Report:
        """Take note of what the others found, and look at the next states of one's own."""
        self._learn(order.given)
        self.explorer.forget(order.met)
        for states in order.taken_over:
            self.open.update(pickle.loads(states))  # noqa: S301 - a sibling wrote it
        try:
            handed = tuple((to, self._hand_over(numbers)) for to, numbers in order.passed_on)
            expansions = tuple(
                (number, self.explorer.expand(self.open.pop(number), self._enter))
                for number in sorted(number for number in self.open if number < order.stop)
            )
        except Exception:  # noqa: BLE001 - whatever it is, the search is made again
            return Report(failed=True)
        return Report(expansions, tuple(self.finds), handed)

    def _hand_over(self, numbers: Given) -> bytes:
        """States as bytes, which are one's own no more."""
        return pickle.dumps({number: self.open.pop(number) for number in numbers})

    def _learn(self, given: Given) -> None:
        """Give the finds of the last batch their numbers, and keep those that came first."""
        for key, place, number in zip(self.keys, self.places, given, strict=True):
            self.known[key] = number if number >= 0 else ~number
            if number >= 0:
                self.open[number] = place
        self.keys, self.places, self.finds = [], [], []

    def _enter(self, place: Place) -> int:
        """The number of a place's key, or the complement of its place among the finds."""
        key = self.explorer.key(place)
        new = ~len(self.keys)
        number = self.known.setdefault(key, new)
        if number == new:
            self.keys.append(key)
            self.places.append(place)
            digest = digest_of(self.explorer.encoding(place))
            self.finds.append(Find(digest, self.explorer.facts(place)))
        return number


def serve(member: Member, orders: Connection) -> None:
    """Carry out orders until there are no more; nothing is left to do once nobody listens."""
    with orders, suppress(EOFError, OSError):
        while True:
            orders.send(member.carry_out(orders.recv()))


# --- the one that gives the numbers ---


class _Team:
    """Processes that were forked in the midst of a search, and the ledger that they fill."""

    def __init__(self, search: Search, count: int) -> None:
        self.search = search
        self.count = count
        self.ledger = search.ledger
        self.numbers: dict[bytes, int] = {}
        self.members: list[ForkProcess] = []
        self.lines: list[Connection] = []
        self.batch = FIRST_BATCH * count
        self.reports: list[Report] = []
        self.given = [array("q") for _ in range(count)]
        self.keepers: dict[int, int] = {}
        self.expansions: dict[int, tuple[int, Expansion]] = {}
        self.stop = self.ledger.expanded

    def _begin(self, index: int) -> None:
        """Fork one more, which shares its line with nobody."""
        mine, theirs = Pipe()
        lines = (*self.lines, mine)
        member = ForkProcess(
            target=_obey, args=(self.search, index, self.count, theirs, lines), daemon=True
        )
        self.lines.append(mine)
        member.start()
        self.members.append(member)
        theirs.close()

    def explore(self) -> Explored | None:
        """Search to the end, batch by batch; None if something was raised in a process."""
        while self.ledger.goes_on():
            number = self.ledger.expanded
            if number == self.stop:
                # A batch takes a while, so that it is asked before each whether to go on.
                self.ledger.ask_whether_enough()
                if self.ledger.stopped_by:
                    break
                self._next_batch()
            if any(report.failed for report in self.reports):
                return None
            self._write_down(number)
        return self.ledger.explored(self.search.start, self.search.explorer, self.number_of)

    def _next_batch(self) -> None:
        """Let every process look at its part of the next states.

        At most half of those that are open, so that there is time to hand over the others.
        """
        begun_s = time.monotonic()
        states, count = self.ledger.states, self.count
        half = (states - self.stop + 1) // 2
        size = min(half, self.batch)
        self.stop += size
        passed_on = self._shared_out()
        taken_over = [
            tuple(states for report in self.reports for to, states in report.handed if to == member)
            for member in range(count)
        ]
        met = tuple(self.ledger.met)
        for member, given in enumerate(self.given):
            order = Order(given, met, self.stop, passed_on[member], taken_over[member])
            with self._speaking_to(member) as line:
                line.send(order)
        self.reports = [self._heard(member) for member in range(count)]
        self.given = [array("q", bytes(8 * len(report.finds))) for report in self.reports]
        self.expansions = {
            number: (member, expansion)
            for member, report in enumerate(self.reports)
            for number, expansion in report.expansions
        }
        self.batch = next_batch(size, time.monotonic() - begun_s, most=BATCH * count)

    def _shared_out(self) -> list[tuple[tuple[int, Given], ...]]:
        """What each process is to hand over, so that all have their share of what was found."""
        count = self.count
        loads = Counter(self.keepers.values())
        passed_on = [[array("q") for _ in range(count)] for _ in range(count)]
        for number, keeper in self.keepers.items():
            idle = min(range(count), key=lambda member: loads[member])
            if number >= self.stop and loads[keeper] > loads[idle] + 1:
                passed_on[keeper][idle].append(number)
                loads[keeper] -= 1
                loads[idle] += 1
        self.keepers = {}
        return [tuple((to, n) for to, n in enumerate(row) if n) for row in passed_on]

    def _write_down(self, number: int) -> None:
        """Write into the ledger what came of a state, and number what was found first there."""
        member, expansion = self.expansions[number]
        edges = tuple(self._numbered(member, number, edge) for edge in expansion.edges)
        self.ledger.close(evolve(expansion, edges=edges))

    def _numbered(self, member: int, parent: int, edge: Edge) -> Edge:
        """An edge that leads to the number of a state."""
        if edge >= 0:
            return edge
        place, answers = ~(edge >> 1), edge & 1
        find, given = self.reports[member].finds[place], self.given[member]
        number = self.numbers.get(find.digest)
        if number is None:
            number = self.numbers[find.digest] = self.ledger.enter(parent, find.facts)
            self.keepers[number] = member
            given[place] = number
        elif given[place] != number:
            given[place] = ~number
        return 2 * number + answers

    def number_of(self, place: Place) -> int | None:
        """The number of a place's key, if it was entered."""
        number = self.search.number_of(place)
        if number is not None:
            return number
        return self.numbers.get(digest_of(self.search.explorer.encoding(place)))

    # --- words with a process ---

    def _heard(self, member: int) -> Report:
        with self._speaking_to(member) as line:
            report: Report = line.recv()
        return report

    @contextmanager
    def _speaking_to(self, member: int) -> Generator[Connection, None, None]:
        """The line to a process, which had better be there."""
        try:
            yield self.lines[member]
        except (EOFError, OSError):
            raise self._lost(member) from None

    def _lost(self, index: int) -> ConductorError:
        """What is raised when a process has ended that nobody told to."""
        member = self.members[index]
        member.join(PATIENCE_S)
        return ConductorError(
            f"a process of the search ended on its own (exit code {member.exitcode}); if it was"
            " killed for its memory, allow fewer states or fewer processes"
        )

    def __enter__(self) -> Self:
        try:
            # A Ctrl-C comes before a process is born or once it knows what to make of it.
            with _ctrl_c_held_back():
                for index in range(self.count):
                    self._begin(index)
        except BaseException:
            self.__exit__()
            raise
        self.search.open.clear()
        return self

    def __exit__(self, *_: object) -> None:
        """Let every process end, the one way or the other."""
        with _ctrl_c_held_back():
            for line in self.lines:
                line.close()
            for member in self.members:
                # One that is still at work has nobody left to tell.
                member.kill()
                member.join()
                member.close()


def next_batch(size: int, took_s: float, *, most: int) -> int:
    """How many states to look at next, after so many took so long: at most twice as many."""
    in_time = 2 * size if 2 * took_s <= BATCH_S else int(size * BATCH_S / took_s)
    return max(1, min(in_time, 2 * size, most))


@contextmanager
def _ctrl_c_held_back() -> Generator[None, None, None]:
    """Let a Ctrl-C wait for the end of what must not be left half done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _obey(
    search: Search, index: int, count: int, orders: Connection, lines: Sequence[Connection]
) -> None:
    """What a member does from its birth, in its own process."""
    # Held open by a sibling, a line would not end with the one who gives orders.
    for line in lines:
        line.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(Member(search, index, count), orders)
