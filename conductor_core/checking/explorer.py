"""One state of a search: what may happen to it, and what the claims say of what came of it.

Rule: an explorer knows no other state than the one it is given; what it finds is numbered
elsewhere (`search`), be it in this process or in another one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeAlias

from attrs import frozen

from conductor_core import events
from conductor_core.checking.alphabet import NOTHING_SPENT
from conductor_core.checking.arrangements import SKIP_DEPENDENTS
from conductor_core.checking.encoding import encoded
from conductor_core.checking.moves import ANSWERS, Move, moves
from conductor_core.checking.properties import History, Predicate, Property, Survey
from conductor_core.checking.question import ClaimFailed, Place, Question, guarded
from conductor_core.events import Event
from conductor_core.legality import ACCEPTED
from conductor_core.reducer import Transition, reduce
from conductor_core.state import FlowState

Edge: TypeAlias = int
"""A transition: twice the number of the state that it leads to, and 1 if the host answered.

An answer moves the flow; to have continued as new is none in this sense.
"""


def is_answer(event: Event) -> bool:
    """Whether an event is an answer of the host that moves the flow."""
    return isinstance(event, ANSWERS) and not isinstance(event, events.ContinuedAsNew)


def _skips_dependents(event: Event) -> bool:
    return isinstance(event, events.ApprovalResponded) and event.response == SKIP_DEPENDENTS


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
        self.observers = [_observer(history, question.asking) for history in self.histories]
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
        self.survey = question.survey
        self.unseen = set[str]()
        if self.survey is not None:
            self.unseen |= self.survey.names
            self.surveyed = guarded(self.survey.name, self.survey.shows)
            self.surveyed_past = self._past(self.survey)
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

    def _past(self, claim: Property | Survey) -> slice:
        """Where a claim finds what its history observed: nowhere if it has none."""
        if claim.history is None:
            return slice(0)
        index = self.histories.index(claim.history)
        return slice(index, index + 1)

    def forget(self, names: Sequence[str]) -> None:
        """Ask no more for what was met."""
        self.of_states = [watch for watch in self.of_states if watch.name not in names]
        self.of_transitions = [watch for watch in self.of_transitions if watch.name not in names]
        self.unseen.difference_update(names)

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
            if self.unseen:
                shown = self.surveyed(state, event, after, *seen[self.surveyed_past]) & self.unseen
                met += [(name, None) for name in sorted(shown)]
                self.unseen -= shown
            if after.verdict is ACCEPTED:
                transitions += 1
                rests = rests and not isinstance(event, ANSWERS)
                then = self._observed(seen, state, event, after)
                number = enter((after.state, move.spent, then))
                edges[2 * number + is_answer(event)] = None
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
        watch = self.watches.get(name) or self._surveying(name)
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

    def _surveying(self, name: str) -> _Watch:
        """A watch over one of the names of a survey."""
        return _Watch(
            name, self.surveyed_past, of_transition=lambda *seen: name in self.surveyed(*seen)
        )

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


def _observer(history: History, claims: Sequence[Property | Survey]) -> Callable[..., Hashable]:
    """What a history observes, in the name of the first claim that it belongs to."""
    name = next(claim.name for claim in claims if claim.history == history)
    return guarded(name, history.after)
