"""How what is arbitrary gets chosen: one number at a time, by whoever is asked.

Rule: nothing in this package knows where the numbers come from, so that a seeded
`random.Random(7).randrange` and a Hypothesis draw choose the same flows and events. Number 0
is the plainest choice: a shrinking search ends there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Choose: TypeAlias = Callable[[int], int]
"""Gives a number from 0 to one below the one it is given."""


def one_of(choose: Choose, items: Sequence[T]) -> T:
    """One of the items, the first being the plainest."""
    return items[choose(len(items))]


def chance(choose: Choose, percent: int) -> bool:
    """True in so many of a hundred cases."""
    return choose(100) >= 100 - percent


def weighted(choose: Choose, items: Sequence[tuple[int, T]]) -> T:
    """One of the items, each as often as its weight says."""
    ends = tuple(accumulate(weight for weight, _ in items))
    return items[bisect_right(ends, choose(ends[-1]))][1]


def some(choose: Choose, items: Sequence[T], most: int) -> tuple[T, ...]:
    """Up to so many different items, in their order."""
    taken = {choose(len(items)) for _ in range(choose(most + 1))} if items else set[int]()
    return tuple(items[index] for index in sorted(taken))
