"""The theorems, some laws and claims of one's own, held against a flow while it is played.

Rule: a law is asked after each event, with what led there; that something comes in the end
is asked by letting the host answer, and nobody else act, until the flow rests. Nothing here
changes the flow: states are values.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Final, TypeAlias

from conductor_core.checking.alphabet import NOTHING_SPENT, Alphabet
from conductor_core.checking.moves import ANSWERS, moves
from conductor_core.checking.properties import Invariant, LeadsTo, Property
from conductor_core.commands import DispatchStep
from conductor_core.events import ContinueAsNewSuggested, Event, StepStarted
from conductor_core.legality import ACCEPTED
from conductor_core.lines import described
from conductor_core.reducer import Transition, reduce
from conductor_core.state import FlowState

FACTS: Final = (*ANSWERS, StepStarted, ContinueAsNewSuggested)
PATIENCE: Final = 10_000
"""So many answers lead every flow that is worth a test to where it rests."""

Seen: TypeAlias = tuple[Hashable, ...]
"""What the history of a claim observed, if it has one."""


class FlowLaws:
    """What must hold of a flow, and what it has seen of it so far.

    `facts` are those that counted.
    """

    def __init__(self, claims: tuple[Property, ...], *, alphabet: Alphabet) -> None:
        self.facts: dict[Event, None] = {}
        self._dispatched: set[str] = set()
        self._alphabet = alphabet
        self._claims = claims
        self._seen: list[Seen] = [_nothing(claim) for claim in claims]
        self._owed = [False for _ in claims]

    def begin(self, state: FlowState) -> None:
        """Hold everything against the flow to which nothing has happened yet."""
        self._look_at(state)

    def after(self, before: FlowState, event: Event, after: Transition) -> None:
        """Hold everything against what an event led to; one that did not count led nowhere."""
        self._hold_laws(before, event, after)
        if after.verdict is not ACCEPTED:
            return
        for claim, seen in zip(self._claims, self._seen, strict=True):
            if isinstance(claim, Invariant) and claim.violates_on is not None:
                broken = claim.violates_on(before, event, after, *seen)
                assert not broken, claim.statement
        self._seen = [
            _observe(claim, seen, before, event, after)
            for claim, seen in zip(self._claims, self._seen, strict=True)
        ]
        self._look_at(after.state)

    def _hold_laws(self, before: FlowState, event: Event, after: Transition) -> None:
        """What needs no search: laws 2, 4 and 7."""
        state = after.state
        if after.verdict is not ACCEPTED:
            assert state is before, f"it did not count and changed something: {described(event)}"
            assert not after.commands, f"it did not count and commanded: {described(event)}"
        elif isinstance(event, FACTS):
            assert event not in self.facts, f"a fact counted twice: {described(event)}"
            self.facts[event] = None
        for command in after.commands:
            if isinstance(command, DispatchStep):
                attempt = command.attempt
                assert attempt not in self._dispatched, f"{attempt} was dispatched twice"
                self._dispatched.add(attempt)
                free = state.is_live and not (state.paused or state.continuing)
                assert free, f"{attempt} was dispatched while the flow is held"

    def _look_at(self, state: FlowState) -> None:
        """Ask what is asked of states, and whether what is owed will come."""
        for number, (claim, seen) in enumerate(zip(self._claims, self._seen, strict=True)):
            if isinstance(claim, Invariant) and claim.violates is not None:
                assert not claim.violates(state, *seen), claim.statement
            elif isinstance(claim, LeadsTo):
                owed = self._owed[number] or claim.start(state, *seen)
                self._owed[number] = owed and not claim.goal(state, *seen)
                if self._owed[number]:
                    self._wait_for(claim, state, seen)

    def _wait_for(self, claim: LeadsTo, state: FlowState, seen: Seen) -> None:
        """Let the host answer, and see the flow come to the goal."""
        for event, after in _answers(self._alphabet, state):
            seen = _observe(claim, seen, state, event, after)
            state = after.state
            if claim.goal(state, *seen):
                return
        raise AssertionError(f"{claim.statement}; the host answers, and it never comes")


def _nothing(claim: Property) -> Seen:
    return () if claim.history is None else (claim.history.initial,)


def _observe(
    claim: Property, seen: Seen, before: FlowState, event: Event, after: Transition
) -> Seen:
    if claim.history is None:
        return ()
    (value,) = seen
    return (claim.history.after(value, before, event, after),)


def _answers(alphabet: Alphabet, state: FlowState) -> Iterator[tuple[Event, Transition]]:
    """What the host answers, one thing after another, until it owes nothing more."""
    for _ in range(PATIENCE):
        possible = moves(alphabet, state, NOTHING_SPENT, state.span)
        sent = (m.event for m in possible if isinstance(m.event, ANSWERS))
        taken = ((event, reduce(state, event)) for event in sent)
        step = next(((event, after) for event, after in taken if after.verdict is ACCEPTED), None)
        if step is None:
            return
        yield step
        state = step[1].state
