"""Whether something happens in the end: `eventually` and `leads to` on an explored graph.

Rule: a state is *lost* to a goal if a fair run may stay away from it for ever: it rests
there or goes round with answers of the host, always outside the goal (`properties` defines
it). A claim is broken where a run comes from one of its starts to a lost state; the shortest
such way, with the way on to where it rests or goes round, is the counterexample.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from conductor_core.checking.search import Edge, Explored
from conductor_core.events import Event


def broken(explored: Explored, name: str) -> tuple[Event, ...] | None:
    """The shortest way into a fair run that never comes to the goal of a claim, if there is one."""
    starts, goals = explored.marks[name]
    ends = _never_arriving(explored, goals)
    if not ends:
        return None
    lost = _all_that_lead_to(explored, goals, ends)
    for number in range(explored.expanded):
        if starts[number] and number in lost:
            way = explored.way_to(number)
            return (*way, *_way_on(explored, number, goals, ends))
    return None


def _never_arriving(explored: Explored, goals: bytearray) -> set[int]:
    """The states outside the goal in which a fair run may rest or go round for ever."""
    outside = [n for n in range(explored.expanded) if not goals[n]]
    rest = {number for number in outside if explored.rests[number]}
    return rest | _rounds(explored, outside, goals)


def _rounds(explored: Explored, outside: Sequence[int], goals: bytearray) -> set[int]:
    """The states outside the goal that lie on a circle on which the host answers."""
    place = dict[int, int]()
    for members in _components(outside, lambda n: _inside(explored, n, goals)):
        for number in members:
            place[number] = members[0]
    return {
        number
        for number in outside
        for edge in _inside(explored, number, goals)
        if edge.answers and place[edge.target] == place[number]
    }


def _inside(explored: Explored, number: int, goals: bytearray) -> list[Edge]:
    """The edges of a state that stay outside the goal, among the states looked at."""
    edges = explored.edges[number]
    return [e for e in edges if e.target < explored.expanded and not goals[e.target]]


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
                target = edge.target
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
                    cut = stack.index(number)
                    members = stack[cut:]
                    del stack[cut:]
                    on_stack.difference_update(members)
                    yield members


def _all_that_lead_to(explored: Explored, goals: bytearray, ends: set[int]) -> set[int]:
    """The states from which a run may come to one of these ends without meeting the goal."""
    back: dict[int, list[int]] = {}
    for number in range(explored.expanded):
        if not goals[number]:
            for edge in _inside(explored, number, goals):
                back.setdefault(edge.target, []).append(number)
    lost, todo = set(ends), deque(ends)
    while todo:
        for number in back.get(todo.popleft(), ()):
            if number not in lost:
                lost.add(number)
                todo.append(number)
    return lost


def _way_on(explored: Explored, number: int, goals: bytearray, ends: set[int]) -> tuple[Event, ...]:
    """The shortest way from a lost state to an end, without meeting the goal."""
    came: dict[int, tuple[int, Event] | None] = {number: None}
    todo = deque([number])
    while todo[0] not in ends:
        here = todo.popleft()
        for edge in _inside(explored, here, goals):
            if edge.target not in came:
                came[edge.target] = (here, edge.event)
                todo.append(edge.target)
    way: list[Event] = []
    step = came[todo[0]]
    while step is not None:
        way.append(step[1])
        step = came[step[0]]
    return tuple(reversed(way))
