"""The search: every state that a flow can reach under an alphabet, nearest first.

Rule: a state is entered once for each key and from then on stands for all that share it. It
was really reached: the events that led to it are kept as links to predecessors, and since
the search goes breadth first no way to its key is shorter. The state itself is dropped
once its successors are known; what stays of it is a link, an event, and its marks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Final, TypeAlias

from attrs import frozen

from conductor_core import events
from conductor_core.checking.alphabet import NOTHING_SPENT, Alphabet, Spent
from conductor_core.checking.canonical import Canonical
from conductor_core.checking.moves import ANSWERS, moves
from conductor_core.checking.properties import Invariant, LeadsTo, OfState, OfTransition, Sometimes
from conductor_core.events import Event
from conductor_core.legality import ACCEPTED
from conductor_core.reducer import reduce
from conductor_core.state import FlowState

Progress: TypeAlias = Callable[[int, int, int], None]
"""Told now and then: the states entered, those still to be looked at, the transitions."""

OFTEN: Final = 1_000
"""So many states are looked at between two words of progress."""


@frozen
class Edge:
    """A transition between two states by their numbers; `answers`: the host answered.

    An answer moves the flow; to have continued as new is none in this sense.
    """

    target: int
    event: Event
    answers: bool


@frozen
class Met:
    """Where something was met: in the state of that number, or by an event in it."""

    number: int
    event: Event | None = None


@frozen(kw_only=True)
class Explored:
    """What a search found: states by number, each with the way that led to it first.

    `met` holds the first place at which each property was met or violated; `marks` says for
    each property of the kind `leads to` where it starts and where its goal is; `rests`
    where the host owes nothing. `complete`: no state was left out.
    """

    parents: Sequence[int]
    arrivals: Sequence[Event | None]
    edges: Sequence[Sequence[Edge]]
    rests: Sequence[bool]
    expanded: int
    transitions: int
    sent: int
    complete: bool
    met: dict[str, Met]
    marks: dict[str, tuple[bytearray, bytearray]]
    outcomes: frozenset[tuple[str, str | None]]

    @property
    def states(self) -> int:
        """How many states were entered."""
        return len(self.parents)

    def way_to(self, number: int) -> tuple[Event, ...]:
        """The events that lead to a state, as few as can be."""
        way: list[Event] = []
        while (event := self.arrivals[number]) is not None:
            way.append(event)
            number = self.parents[number]
        return tuple(reversed(way))

    def way_to_met(self, name: str) -> tuple[Event, ...] | None:
        """The events that lead to where a property was met, if it was."""
        met = self.met.get(name)
        if met is None:
            return None
        return (*self.way_to(met.number), *(() if met.event is None else (met.event,)))


@frozen(kw_only=True)
class Question:
    """What is to be found out, and how far to look for it."""

    alphabet: Alphabet
    canonical: Canonical
    invariants: tuple[Invariant, ...] = ()
    sometimes: tuple[Sometimes, ...] = ()
    leads_to: tuple[LeadsTo, ...] = ()
    max_states: int | None = None
    progress: Progress | None = None


def explore(start: FlowState, question: Question) -> Explored:
    """Enter every state that can be reached, or as many as may be."""
    search = _Search(question)
    search.enter(start, NOTHING_SPENT, 0, None)
    search.run()
    return search.result()


@frozen
class _Watch:
    """A predicate that is asked until it is met for the first time."""

    name: str
    of_state: OfState | None = None
    of_transition: OfTransition | None = None


def _watches(question: Question) -> list[_Watch]:
    return [
        *(_Watch(p.name, p.violates, p.violates_on) for p in question.invariants),
        *(_Watch(p.name, p.met, p.met_on) for p in question.sometimes),
    ]


class _Search:
    """A search under way."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.numbers: dict[Hashable, int] = {}
        self.open: list[tuple[FlowState, Spent] | None] = []
        self.parents: list[int] = []
        self.arrivals: list[Event | None] = []
        self.edges: list[list[Edge]] = []
        self.rests: list[bool] = []
        self.expanded = self.transitions = self.sent = 0
        self.met: dict[str, Met] = {}
        self.marks = {p.name: (bytearray(), bytearray()) for p in question.leads_to}
        self.outcomes: set[tuple[str, str | None]] = set()
        watches = _watches(question)
        self.of_states = [watch for watch in watches if watch.of_state is not None]
        self.of_transitions = [watch for watch in watches if watch.of_transition is not None]

    def run(self) -> None:
        """Look at the states in the order in which they were entered."""
        most, progress = self.question.max_states, self.question.progress
        while self.expanded < len(self.open):
            if most is not None and len(self.open) > most:
                return
            self.expand(self.expanded)
            self.expanded += 1
            if progress is not None and self.expanded % OFTEN == 0:
                progress(len(self.open), len(self.open) - self.expanded, self.transitions)

    def result(self) -> Explored:
        """What was found."""
        return Explored(
            parents=self.parents,
            arrivals=self.arrivals,
            edges=self.edges,
            rests=self.rests,
            expanded=self.expanded,
            transitions=self.transitions,
            sent=self.sent,
            complete=self.expanded == len(self.open),
            met=self.met,
            marks=self.marks,
            outcomes=frozenset(self.outcomes),
        )

    def enter(self, state: FlowState, spent: Spent, parent: int, event: Event | None) -> int:
        """The number of a state's key, which is new if nothing was ever there."""
        key = self.question.canonical.key(state, spent)
        number = self.numbers.setdefault(key, len(self.open))
        if number == len(self.open):
            self.open.append((state, spent))
            self.parents.append(parent)
            self.arrivals.append(event)
            self.look_at(state, number)
        return number

    def look_at(self, state: FlowState, number: int) -> None:
        """Ask of a new state all that is to be asked of states."""
        if state.outcome is not None:
            self.outcomes.add((state.outcome.status, state.outcome.reason))
        for watch in tuple(self.of_states):
            if watch.of_state is not None and watch.of_state(state):
                self.met.setdefault(watch.name, Met(number))
                self.of_states.remove(watch)
        for claim in self.question.leads_to:
            starts, goals = self.marks[claim.name]
            starts.append(claim.start(state))
            goals.append(claim.goal(state))

    def expand(self, number: int) -> None:
        """Send every event that may come next, and enter what it leads to."""
        place = self.open[number]
        assert place is not None, "a state is looked at once"
        state, spent = place
        self.open[number] = None
        positions = self.question.canonical.one_of_each(state, spent)
        edges: dict[tuple[int, bool], Edge] = {}
        rests = True
        for move in moves(self.question.alphabet, state, spent, positions):
            event = move.event
            after = reduce(state, event)
            self.sent += 1
            for watch in tuple(self.of_transitions):
                asked = watch.of_transition
                if asked is not None and asked(state, event, after):
                    self.met.setdefault(watch.name, Met(number, event))
                    self.of_transitions.remove(watch)
            if after.verdict is not ACCEPTED:
                continue
            self.transitions += 1
            rests = rests and not isinstance(event, ANSWERS)
            target = self.enter(after.state, move.spent, number, event)
            answers = isinstance(event, ANSWERS) and not isinstance(event, events.ContinuedAsNew)
            edges.setdefault((target, answers), Edge(target, event, answers))
        self.edges.append(list(edges.values()) if self.question.leads_to else [])
        self.rests.append(rests)
