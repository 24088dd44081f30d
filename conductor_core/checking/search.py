"""The search: every state that a flow can reach under an alphabet, nearest first.

Rule: a state is entered once for each key and from then on stands for all that share it. It
was really reached, and since the search goes breadth first no way to its key is shorter. The
state itself is dropped once its successors are known; what stays of it are numbers: its
predecessor, its successors and its marks. Whoever wants to know how it was reached sends the
events again (`Explored.runs`).

A search has two halves. An `Explorer` sends events to one state and asks the claims about what
came of them; a `Ledger` gives numbers to the states that were found, in order. Where the
explorers run, here or in processes of their own, makes no difference to the ledger.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from attrs import frozen

from conductor_core import events
from conductor_core.checking.alphabet import NOTHING_SPENT, Alphabet, Spent
from conductor_core.checking.arrangements import SKIP_DEPENDENTS
from conductor_core.checking.canonical import Canonical
from conductor_core.checking.encoding import encoded
from conductor_core.checking.moves import ANSWERS, Move, moves
from conductor_core.checking.properties import (
    History,
    Invariant,
    LeadsTo,
    Predicate,
    Property,
    Sometimes,
)
from conductor_core.events import Event
from conductor_core.legality import ACCEPTED
from conductor_core.reducer import Transition, reduce
from conductor_core.state import FlowState

OFTEN: Final = 200
OFTEN_TRANSITIONS: Final = 2_000
"""So many states, or transitions, lie between two words of progress, and whether it is enough."""

StoppedBy: TypeAlias = Literal["max-states", "enough"]
"""Why a search left states out."""
Place: TypeAlias = tuple[FlowState, Spent, tuple[Hashable, ...]]
"""A state, what was spent on the way to it, and what each history of a question observed."""
Edge: TypeAlias = int
"""A transition: twice the number of the state that it leads to, and 1 if the host answered.

An answer moves the flow; to have continued as new is none in this sense.
"""


@frozen(kw_only=True)
class Progress:
    """How far a search is; `depth`: how many events away the states are that are looked at."""

    states: int
    frontier: int
    transitions: int
    depth: int


@frozen
class Met:
    """Where something was met: in the state of that number, or by an event there.

    `error` is what a reducer raised that did not survive the event.
    """

    number: int
    by_event: bool = False
    error: str | None = None


@frozen(kw_only=True)
class Question:
    """What is to be found out, and how far to look for it."""

    alphabet: Alphabet
    canonical: Canonical
    invariants: tuple[Invariant, ...] = ()
    sometimes: tuple[Sometimes, ...] = ()
    leads_to: tuple[LeadsTo, ...] = ()
    max_states: int | None = None
    enough: Callable[[], bool] | None = None
    progress: Callable[[Progress], None] | None = None

    @property
    def claims(self) -> tuple[Property, ...]:
        """Every claim that is asked about."""
        return (*self.invariants, *self.sometimes, *self.leads_to)

    @property
    def histories(self) -> tuple[History, ...]:
        """What claims remember of the past, each history once."""
        return tuple(dict.fromkeys(c.history for c in self.claims if c.history is not None))


class ClaimFailed(Exception):
    """A function of the claim of that name raised `error`; `way` are the events that led there."""

    def __init__(self, claim: str, error: Exception) -> None:
        super().__init__(claim, error)
        self.claim = claim
        self.error = error
        self.way: tuple[Event, ...] = ()


def guarded(claim: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a claim, of which it is told whose it is if it raises."""

    def ask(*seen: object) -> Any:
        try:
            return function(*seen)
        except Exception as error:
            raise ClaimFailed(claim, error) from error

    return ask


# --- what came of it ---


@frozen(kw_only=True)
class Explored:
    """What a search found: states by number, each with the way that led to it first.

    `met` holds the first place at which each property was met or violated; `marks` says for
    each property of the kind `leads to` where it starts and where its goal is; `rests`
    where the host owes nothing. The edges of a state lie between two of `bounds`.
    `stopped_by`: why states were left out, if any were.
    """

    start: Place
    explorer: Explorer
    number_of: Callable[[Place], int | None]
    parents: Sequence[int]
    edges: array[int]
    bounds: array[int]
    rests: bytearray
    transitions: int
    stopped_by: StoppedBy | None
    met: dict[str, Met]
    marks: dict[str, tuple[bytearray, bytearray]]
    outcomes: frozenset[tuple[str, str | None]]

    @property
    def states(self) -> int:
        """How many states were entered."""
        return len(self.parents)

    @property
    def expanded(self) -> int:
        """How many of them were looked at: all, or the first so many."""
        return len(self.rests)

    @property
    def complete(self) -> bool:
        """Whether no state was left out."""
        return self.stopped_by is None

    def edges_of(self, number: int) -> array[int]:
        """The transitions of a state that was looked at."""
        return self.edges[self.bounds[number] : self.bounds[number + 1]]

    def way_along(self, edges: Sequence[Edge]) -> tuple[Event, ...]:
        """The events of a run along some edges from the beginning."""
        return next(self.runs(edges))[0]

    def way_to_met(self, name: str) -> tuple[tuple[Event, ...], Event | None]:
        """The events that lead to where a property was met, and that by which it was, if any."""
        met = self.met[name]
        runs = self.runs(self.edges_to(met.number))
        if not met.by_event:
            return next(runs)[0], None
        event_at = partial(self.explorer.event_that_meets, name=name, raises=met.error is not None)
        told = ((way, event_at(place)) for way, place in runs)
        return next((way, event) for way, event in told if event is not None)

    def edges_to(self, number: int) -> list[Edge]:
        """The edges of the way that led to a state first."""
        numbers = [number]
        while numbers[-1]:
            numbers.append(self.parents[numbers[-1]])
        return [2 * number for number in reversed(numbers[:-1])]

    def runs(self, edges: Sequence[Edge]) -> Iterator[tuple[tuple[Event, ...], Place]]:
        """Runs along some edges from the beginning, and where they end: one run at least.

        A state stands for others, which may have other names for what happens to them;
        therefore a run is made again, by events that lead where the edges lead. Which of
        several twins such an event was about may turn out only later (`arrangements`).
        """
        events: list[Event] = []
        places = [self.start]
        tries = [self._along(self.start, edges[0])] if edges else []
        vain: set[tuple[int, Place]] = set()
        if not edges:
            yield (), self.start
        while True:
            step = next(tries[-1], None)
            if step is None:
                assert len(tries) > 1, "every edge of a search was made by an event"
                vain.add((len(tries), places.pop()))
                del tries[-1], events[-1:]
            elif len(tries) == len(edges):
                yield (*events, step[0]), step[1]
            elif (len(tries) + 1, step[1]) not in vain:
                events.append(step[0])
                places.append(step[1])
                tries.append(self._along(step[1], edges[len(tries)]))

    def _along(self, place: Place, edge: Edge) -> Iterator[tuple[Event, Place]]:
        """The events of a place that go along an edge, and the places behind it."""
        number, answers = edge >> 1, edge & 1
        for event, after in self.explorer.transitions(place):
            if self.number_of(after) == number and (not answers or is_answer(event)):
                yield event, after


def is_answer(event: Event) -> bool:
    """Whether an event is an answer of the host that moves the flow."""
    return isinstance(event, ANSWERS) and not isinstance(event, events.ContinuedAsNew)


def _skips_dependents(event: Event) -> bool:
    return isinstance(event, events.ApprovalResponded) and event.response == SKIP_DEPENDENTS


# --- one state ---


@frozen
class _Watch:
    """A predicate that is asked until it is met for the first time."""

    name: str
    past: slice
    of_state: Predicate | None = None
    of_transition: Predicate | None = None


@frozen
class Facts:
    """What is asked of a new state: its end, the names of what is met in it, its marks.

    Of every claim of the kind `leads to` the marks say whether it starts there, and whether
    the goal is there.
    """

    outcome: tuple[str, str | None] | None
    met: tuple[str, ...]
    marks: bytes


@frozen
class Expansion:
    """What came of the events that were sent to one state; `met`: with what was raised."""

    edges: tuple[Edge, ...]
    transitions: int
    rests: bool
    met: tuple[tuple[str, str | None], ...]


class Explorer:
    """Sends events to a state and asks the claims of a question about what came of them."""

    def __init__(self, question: Question) -> None:
        self.alphabet = question.alphabet
        self.canonical = question.canonical
        self.histories = question.histories
        self.totals = [claim.name for claim in question.invariants if claim.forbids_errors]
        self.observers = [_observer(history, question.claims) for history in self.histories]
        self.asked = [
            (guarded(claim.name, predicate), self._past(claim))
            for claim in question.leads_to
            for predicate in (claim.start, claim.goal)
        ]
        watches = [
            *(
                self._watch(claim, claim.violates, claim.violates_on)
                for claim in question.invariants
            ),
            *(self._watch(claim, claim.met, claim.met_on) for claim in question.sometimes),
        ]
        self.watches = {watch.name: watch for watch in watches}
        self.of_states = [watch for watch in watches if watch.of_state is not None]
        self.of_transitions = [watch for watch in watches if watch.of_transition is not None]

    def _watch(
        self, claim: Property, of_state: Predicate | None, of_transition: Predicate | None
    ) -> _Watch:
        return _Watch(
            claim.name,
            self._past(claim),
            of_state and guarded(claim.name, of_state),
            of_transition and guarded(claim.name, of_transition),
        )

    def _past(self, claim: Property) -> slice:
        """Where a claim finds what its history observed: nowhere if it has none."""
        if claim.history is None:
            return slice(0)
        index = self.histories.index(claim.history)
        return slice(index, index + 1)

    def forget(self, names: Sequence[str]) -> None:
        """Ask no more for what was met."""
        self.of_states = [watch for watch in self.of_states if watch.name not in names]
        self.of_transitions = [watch for watch in self.of_transitions if watch.name not in names]

    def first(self, state: FlowState) -> Place:
        """The place at which a search begins."""
        return state, NOTHING_SPENT, tuple(history.initial for history in self.histories)

    def key(self, place: Place) -> Hashable:
        """The key of a place."""
        state, spent, seen = place
        key = self.canonical.key(state, spent)
        return (key, seen) if seen else key

    def encoding(self, place: Place) -> bytes:
        """The key of a place as bytes, equal for equal keys in every process."""
        state, spent, seen = place
        key = self.canonical.encoding(self.canonical.key(state, spent))
        return key + encoded(seen) if seen else key

    def facts(self, place: Place) -> Facts:
        """Ask of a new state all that is to be asked of states."""
        state, _, seen = place
        met = [
            watch.name
            for watch in self.of_states
            if watch.of_state is not None and watch.of_state(state, *seen[watch.past])
        ]
        if met:
            self.of_states = [watch for watch in self.of_states if watch.name not in met]
        outcome = state.outcome
        return Facts(
            None if outcome is None else (outcome.status, outcome.reason),
            tuple(met),
            bytes(predicate(state, *seen[past]) for predicate, past in self.asked),
        )

    def expand(self, place: Place, enter: Callable[[Place], int]) -> Expansion:
        """Send every event that may come next, and enter what it leads to."""
        sent: list[Event] = []
        try:
            return self._expand(place, enter, sent)
        except ClaimFailed as failure:
            failure.way = (sent[-1],)
            raise

    def _expand(self, place: Place, enter: Callable[[Place], int], sent: list[Event]) -> Expansion:
        seen = place[2]
        edges: dict[Edge, None] = {}
        met: list[tuple[str, str | None]] = []
        transitions, rests = 0, True
        for state, move in self.moves(place):
            event = move.event
            sent.append(event)
            try:
                after = reduce(state, event)
            except Exception as error:
                if not self.totals:
                    raise
                met += [(name, f"{type(error).__name__}: {error}") for name in self.totals]
                continue
            for watch in self.of_transitions:
                asked = watch.of_transition
                if asked is not None and asked(state, event, after, *seen[watch.past]):
                    met.append((watch.name, None))
                    self.of_transitions = [w for w in self.of_transitions if w is not watch]
            if after.verdict is ACCEPTED:
                transitions += 1
                answers = isinstance(event, ANSWERS)
                rests = rests and not answers
                then = self._observed(seen, state, event, after)
                number = enter((after.state, move.spent, then))
                moved = answers and not isinstance(event, events.ContinuedAsNew)
                edges[2 * number + moved] = None
        return Expansion(tuple(edges), transitions, rests, tuple(met))

    def moves(self, place: Place) -> Iterator[tuple[FlowState, Move]]:
        """What may happen next, and in which state: mostly in that of the place.

        Of twins one is tried for all; where their order makes a difference, in each order.
        """
        state, spent, _ = place
        arranges = self.canonical.arranges(state)
        for move in moves(self.alphabet, state, spent, self.canonical.one_of_each(state, spent)):
            if not (arranges and _skips_dependents(move.event)):
                yield state, move
        if arranges:
            for other, position in self.canonical.arrangements(state, spent):
                for move in moves(self.alphabet, other, spent, (position,)):
                    if _skips_dependents(move.event):
                        yield other, move

    def transitions(self, place: Place) -> Iterator[tuple[Event, Place]]:
        """Every event that counts at a place, for each of twins, and where it leads to."""
        state, spent, seen = place
        for move in moves(self.alphabet, state, spent, state.span):
            try:
                after = reduce(state, move.event)
            except Exception:  # noqa: BLE001, S112 - it was told where it was met
                continue
            if after.verdict is ACCEPTED:
                then = self._observed(seen, state, move.event, after)
                yield move.event, (after.state, move.spent, then)

    def event_that_meets(self, place: Place, name: str, *, raises: bool) -> Event | None:
        """The first event at a place by which a property is met, or that makes a reducer raise."""
        state, spent, seen = place
        watch = self.watches[name]
        asked = watch.of_transition
        for move in moves(self.alphabet, state, spent, state.span):
            try:
                after = reduce(state, move.event)
            except Exception:  # noqa: BLE001 - as when it was met
                if raises:
                    return move.event
                continue
            if asked is not None and asked(state, move.event, after, *seen[watch.past]):
                return move.event
        return None

    def _observed(
        self, seen: tuple[Hashable, ...], state: FlowState, event: Event, after: Transition
    ) -> tuple[Hashable, ...]:
        """What the histories have observed once an event was accepted."""
        if not seen:
            return seen
        return tuple(
            observe(value, state, event, after)
            for observe, value in zip(self.observers, seen, strict=True)
        )


def _observer(history: History, claims: Sequence[Property]) -> Callable[..., Hashable]:
    """What a history observes, in the name of the first claim that it belongs to."""
    name = next(claim.name for claim in claims if claim.history == history)
    return guarded(name, history.after)


# --- all of them ---


class Ledger:
    """The states that were found, by number, and what is known of each."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.parents = array("L")
        self.edges = array("L")
        self.bounds = array("L", (0,))
        self.rests = bytearray()
        self.transitions = 0
        self.met: dict[str, Met] = {}
        self.marks = {p.name: (bytearray(), bytearray()) for p in question.leads_to}
        self.columns = [column for pair in self.marks.values() for column in pair]
        self.outcomes: set[tuple[str, str | None]] = set()
        self.stopped_by: StoppedBy | None = None
        self.depth, self.deeper = 0, 1
        self.told_at = (0, 0)

    @property
    def states(self) -> int:
        """How many states were entered."""
        return len(self.parents)

    @property
    def expanded(self) -> int:
        """How many of them were looked at."""
        return len(self.rests)

    def enter(self, parent: int, facts: Facts) -> int:
        """Give a new state the next number."""
        number = self.states
        self.parents.append(parent)
        if facts.outcome is not None:
            self.outcomes.add(facts.outcome)
        for name in facts.met:
            self.met.setdefault(name, Met(number))
        for column, mark in zip(self.columns, facts.marks, strict=True):
            column.append(mark)
        return number

    def close(self, expansion: Expansion) -> None:
        """Write down what came of the next state that was looked at."""
        number = self.expanded
        self.rests.append(expansion.rests)
        self.transitions += expansion.transitions
        for name, error in expansion.met:
            self.met.setdefault(name, Met(number, by_event=True, error=error))
        if self.columns:
            self.edges.extend(expansion.edges)
        self.bounds.append(len(self.edges))

    def goes_on(self) -> bool:
        """Whether more states are to be looked at; now and then the caller is told and asked."""
        states, expanded, question = self.states, self.expanded, self.question
        if expanded == states:
            return False
        if expanded == self.deeper:
            self.depth, self.deeper = self.depth + 1, states
        if question.max_states is not None and states > question.max_states:
            self.stopped_by = "max-states"
        elif self._is_time_for_a_word():
            self.told_at = expanded, self.transitions
            if question.progress is not None:
                question.progress(
                    Progress(
                        states=states,
                        frontier=states - expanded,
                        transitions=self.transitions,
                        depth=self.depth,
                    )
                )
            self.ask_whether_enough()
        return self.stopped_by is None

    def ask_whether_enough(self) -> None:
        """Let the caller give up, if so it wishes."""
        if self.question.enough is not None and self.question.enough():
            self.stopped_by = "enough"

    def _is_time_for_a_word(self) -> bool:
        expanded, transitions = self.told_at
        return (
            self.expanded - expanded >= OFTEN or self.transitions - transitions >= OFTEN_TRANSITIONS
        )

    def explored(
        self, start: Place, explorer: Explorer, number_of: Callable[[Place], int | None]
    ) -> Explored:
        """What was found."""
        return Explored(
            start=start,
            explorer=explorer,
            number_of=number_of,
            parents=self.parents,
            edges=self.edges,
            bounds=self.bounds,
            rests=self.rests,
            transitions=self.transitions,
            stopped_by=self.stopped_by,
            met=self.met,
            marks=self.marks,
            outcomes=frozenset(self.outcomes),
        )


class Search:
    """A search under way in this process; `open` holds what is still to be looked at."""

    def __init__(self, start: FlowState, question: Question) -> None:
        self.explorer = Explorer(question)
        self.ledger = Ledger(question)
        self.numbers: dict[Hashable, int] = {}
        self.open: dict[int, Place] = {}
        self.start = self.explorer.first(start)
        self.looked_at = 0
        self.enter(self.start)

    def enter(self, place: Place) -> int:
        """The number of a place's key, which is new if nothing was ever there."""
        key = self.explorer.key(place)
        new = len(self.numbers)
        number = self.numbers.setdefault(key, new)
        if number == new:
            self.open[number] = place
            self.ledger.enter(self.looked_at, self.explorer.facts(place))
        return number

    def step(self) -> None:
        """Look at the next state."""
        place = self.open.pop(self.looked_at)
        try:
            expansion = self.explorer.expand(place, self.enter)
        except ClaimFailed as failure:
            self._lead_to(failure)
            raise
        self.ledger.close(expansion)
        self.looked_at += 1

    def _lead_to(self, failure: ClaimFailed) -> None:
        """Tell a failure which events led there, as far as it comes again."""
        explored = self.explored()
        failure.way, place = next(explored.runs(explored.edges_to(self.looked_at)))
        try:
            # A state stands for others, in which the event may have another subject.
            self.explorer.expand(place, self._ask)
        except ClaimFailed as again:
            failure.way += again.way

    def _ask(self, place: Place) -> int:
        """Ask all that is asked of states, whether or not one was there before."""
        self.explorer.facts(place)
        return 0

    def explored(self) -> Explored:
        """What was found."""
        return self.ledger.explored(self.start, self.explorer, self.number_of)

    def number_of(self, place: Place) -> int | None:
        """The number of a place's key, if it was entered."""
        return self.numbers.get(self.explorer.key(place))


Driver: TypeAlias = Callable[[FlowState, Question], Explored]
"""What carries a search out; what it finds does not depend on it."""


def explore(start: FlowState, question: Question) -> Explored:
    """Enter every state that can be reached, or as many as may be, in this process."""
    search = Search(start, question)
    while search.ledger.goes_on():
        search.step()
    return search.explored()
