"""The search: every state that a flow can reach under an alphabet, nearest first.

Rule: a state is entered once for each key and from then on stands for all that share it. It
was really reached, and since the search goes breadth first no way to its key is shorter. The
state itself is dropped once its successors are known (`explored`).

A search has two halves. An `Explorer` sends events to one state and asks the claims about what
came of them; a `Ledger` gives numbers to the states that were found, in order. Where the
explorers run, here or in processes of their own, makes no difference to the ledger.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable
from typing import Final, TypeAlias

from conductor_core.checking.explored import Explored, Met
from conductor_core.checking.explorer import Expansion, Explorer, Facts
from conductor_core.checking.question import (
    ClaimFailed,
    Place,
    Progress,
    Question,
    StoppedBy,
)
from conductor_core.state import FlowState

OFTEN: Final = 200
OFTEN_TRANSITIONS: Final = 2_000
"""So many states, or transitions, lie between two words of progress, and whether it is enough."""


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
