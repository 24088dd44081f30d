"""How two JSON values differ, one readable line for each place.

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
_NOTHING: Final = object()
"""Stands for the other side of what is there on one side only."""


def differences(
    expected: Any, actual: Any, place: str = "", words: tuple[str, str] = EXPECTED
) -> Iterator[str]:
    """Every place at which the two values differ, in the order of the first."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in expected | actual:
            inner = join(place, key_place(key))
            left, right = expected.get(key, _NOTHING), actual.get(key, _NOTHING)
            yield from differences(left, right, inner, words)
    elif isinstance(expected, list) and isinstance(actual, list):
        for index, (left, right) in enumerate(zip_longest(expected, actual, fillvalue=_NOTHING)):
            yield from differences(left, right, f"{place}[{index}]", words)
    elif expected.__class__ is not actual.__class__ or expected != actual:
        what = f"{words[0]} {_named(expected)}, {words[1]} {_named(actual)}"
        yield f"{place}: {what}" if place else what


def _named(value: object) -> str:
    return "nothing" if value is _NOTHING else shown(value)
