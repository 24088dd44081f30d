"""A few combinations of choices in which any two values of two choices come together.

Rule: nothing is random: the same choices give the same rows in the same order. They are
few, but not proved to be as few as can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, TypeAlias

Value: TypeAlias = tuple[int, int]
"""A value by the number of its choice, and by its own among the values of that."""
Pair: TypeAlias = tuple[Value, Value]
"""Values of two choices, the one of the earlier choice first."""


def covering(choices: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """Rows with a value for each choice, until every two values have met in one of them."""
    open_pairs = dict.fromkeys(_all_pairs(choices))
    while open_pairs:
        row = _row(choices, next(iter(open_pairs)), open_pairs)
        for pair in combinations(sorted(row.items()), 2):
            open_pairs.pop(pair, None)
        yield tuple(choices[choice][row[choice]] for choice in range(len(choices)))


def _all_pairs(choices: Sequence[Sequence[Any]]) -> Iterator[Pair]:
    """Every two values of two choices."""
    for one, other in combinations(range(len(choices)), 2):
        for value in range(len(choices[one])):
            yield from (((one, value), (other, its)) for its in range(len(choices[other])))


def _row(
    choices: Sequence[Sequence[Any]], first: Pair, open_pairs: dict[Pair, None]
) -> dict[int, int]:
    """A row with these two values, and of the other choices what meets the most that is new."""
    row = dict(first)
    for choice, values in enumerate(choices):
        if choice not in row:
            news = [_news((choice, value), row, open_pairs) for value in range(len(values))]
            row[choice] = news.index(max(news))
    return row


def _news(value: Value, row: dict[int, int], open_pairs: dict[Pair, None]) -> int:
    """How many values of a row have not met this one yet."""
    met = ((min(value, other), max(value, other)) for other in row.items())
    return sum(pair in open_pairs for pair in met)
