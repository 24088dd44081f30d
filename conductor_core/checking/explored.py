"""What a search found: the states by number, and the ways that led to them.

Rule: of a state that was looked at nothing stays but numbers: its predecessor, its successors
and its marks. Whoever wants to know how it was reached sends the events again (`Explored.runs`).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from attrs import frozen

from conductor_core.checking.explorer import Edge, Explorer, is_answer
from conductor_core.checking.question import Place, StoppedBy
from conductor_core.events import Event


@frozen
class Met:
    """Where something was met: in the state of that number, or by an event there.

    `error` is what a reducer raised that did not survive the event.
    """

    number: int
    by_event: bool = False
    error: str | None = None


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
