"""How two JSON values differ, place by place, as data and in one readable line each.

Rule: values are compared as JSON and not as Python has it, where `1`, `1.0` and `true` are
equal. The first value is what was expected, the second what came instead, unless other words
are given for the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, Final

from conductor_core.errors import shown
from conductor_core.places import join, key_place

EXPECTED: Final = ("expected", "got")
NOTHING: Final = object()
"""Stands for the other side of what is there on one side only."""


def unequal_places(left: Any, right: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every place at which the two values differ, in the order of the first, with what is there."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in left | right:
            inner = join(place, key_place(key))
            yield from unequal_places(left.get(key, NOTHING), right.get(key, NOTHING), inner)
    elif isinstance(left, list) and isinstance(right, list):
        for index, (one, other) in enumerate(zip_longest(left, right, fillvalue=NOTHING)):
            yield from unequal_places(one, other, f"{place}[{index}]")
    elif left.__class__ is not right.__class__ or left != right:
        yield place, left, right


def differences(
    expected: Any, actual: Any, place: str = "", words: tuple[str, str] = EXPECTED
) -> Iterator[str]:
    """Every place at which the two values differ, in a line each."""
    for where, left, right in unequal_places(expected, actual, place):
        what = f"{words[0]} {_named(left)}, {words[1]} {_named(right)}"
        yield f"{where}: {what}" if where else what


def _named(value: object) -> str:
    return "nothing" if value is NOTHING else shown(value)
