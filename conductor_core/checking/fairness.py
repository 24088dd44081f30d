"""Whether something happens in the end: `eventually` and `leads to` on an explored graph.

Rule: a state is *lost* to a goal if a fair run may stay away from it for ever: it rests
there or goes round with answers of the host, always outside the goal (`properties` defines
it). A claim is broken where a run comes from one of its starts to a lost state; the shortest
such way, with the way on to where it rests or goes round, is the counterexample, and where
it goes round, once round is told apart from the way in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import frozen

from conductor_core.checking.explored import Explored
from conductor_core.checking.explorer import Edge
from conductor_core.events import Event


@frozen
class Escape:
    """A fair run that never comes to a goal: the way in, and what then comes again and again.

    A run that rests at the end of its way goes round nothing.
    """

    way: tuple[Event, ...]
    circle: tuple[Event, ...]


def broken(explored: Explored, name: str) -> Escape | None:
    """The shortest way into a fair run that never comes to the goal of a claim, if there is one."""
    starts, goals = explored.marks[name]
    rests, rounds = _never_arriving(explored, goals)
    ends = rests | rounds
    far = _how_far(explored, goals, ends)
    begun = [number for number in far if starts[number]]
    if not begun:
        return None
    number = min(begun, key=lambda n: (len(explored.edges_to(n)) + far[n], n))
    way_on = _way(explored, goals, number, ends)
    end = way_on[-1] >> 1 if way_on else number
    return _told(explored, number, way_on, _once_round(explored, goals, end, rests))


def _told(explored: Explored, number: int, way_on: list[Edge], circle: list[Edge]) -> Escape:
    """The events of a way to a state, on from there, and once round."""
    way = [*explored.edges_to(number), *way_on]
    told = explored.way_along([*way, *circle])
    return Escape(told[: len(way)], told[len(way) :])


def _never_arriving(explored: Explored, goals: bytearray) -> tuple[set[int], set[int]]:
    """The states outside the goal in which a fair run may rest, or go round for ever."""
    outside = [n for n in range(explored.expanded) if not goals[n]]
    rests = {number for number in outside if explored.rests[number]}
    return rests, _rounds(explored, outside, goals)


def _rounds(explored: Explored, outside: Sequence[int], goals: bytearray) -> set[int]:
    """The states outside the goal that lie on a circle on which the host answers, next."""
    component = dict[int, int]()
    for members in _components(outside, lambda n: _inside(explored, n, goals)):
        for number in members:
            component[number] = members[0]
    return {
        number
        for number in outside
        for edge in _inside(explored, number, goals)
        if edge & 1 and component[edge >> 1] == component[number]
    }


def _inside(explored: Explored, number: int, goals: bytearray) -> list[Edge]:
    """The edges of a state that stay outside the goal, among the states looked at."""
    expanded = explored.expanded
    return [e for e in explored.edges_of(number) if e >> 1 < expanded and not goals[e >> 1]]


def _once_round(explored: Explored, goals: bytearray, end: int, rests: set[int]) -> list[Edge]:
    """The shortest circle of answers and other events through an end that does not rest."""
    if end in rests:
        return []
    rounds = [
        [edge, *way]
        for edge in _inside(explored, end, goals)
        if edge & 1
        for way in _ways(explored, goals, edge >> 1, {end})
    ]
    return min(rounds, key=len)


def _components(
    numbers: Iterable[int], edges_of: Callable[[int], list[Edge]]
) -> Iterable[list[int]]:
    """The strongly connected components (Tarjan's algorithm, without recursion)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    for root in numbers:
        if root in index:
            continue
        work = [(root, iter(edges_of(root)))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            number, edges = work[-1]
            for edge in edges:
                target = edge >> 1
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(edges_of(target))))
                    break
                if target in on_stack:
                    low[number] = min(low[number], index[target])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[number])
                if low[number] == index[number]:
                    members = [stack.pop()]
                    while members[-1] != number:
                        members.append(stack.pop())
                    on_stack.difference_update(members)
                    yield members


def _how_far(explored: Explored, goals: bytearray, ends: set[int]) -> dict[int, int]:
    """How many events the lost states are away from one of these ends, outside the goal."""
    back: dict[int, list[int]] = {}
    for number in range(explored.expanded):
        if not goals[number]:
            for edge in _inside(explored, number, goals):
                back.setdefault(edge >> 1, []).append(number)
    far, todo = dict.fromkeys(ends, 0), deque(ends)
    while todo:
        here = todo.popleft()
        for number in back.get(here, ()):
            if number not in far:
                far[number] = far[here] + 1
                todo.append(number)
    return far


def _way(explored: Explored, goals: bytearray, number: int, ends: set[int]) -> list[Edge]:
    """The shortest way from a lost state to an end, without meeting the goal."""
    return next(_ways(explored, goals, number, ends))


def _ways(
    explored: Explored, goals: bytearray, number: int, ends: set[int]
) -> Iterator[list[Edge]]:
    """The shortest way from a state to one of these ends outside the goal, if there is any."""
    came: dict[int, tuple[int, Edge] | None] = {number: None}
    todo = deque([number])
    while todo:
        here = todo.popleft()
        if here in ends:
            yield _back(came, here)
            return
        for edge in _inside(explored, here, goals):
            if edge >> 1 not in came:
                came[edge >> 1] = (here, edge)
                todo.append(edge >> 1)


def _back(came: dict[int, tuple[int, Edge] | None], number: int) -> list[Edge]:
    """The edges by which a breadth-first search came to a state."""
    way: list[Edge] = []
    while (step := came[number]) is not None:
        number, edge = step
        way.append(edge)
    return way[::-1]
