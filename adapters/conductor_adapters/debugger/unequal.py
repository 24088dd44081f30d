"""One place at which two sides differ: what stands there on either side.

Rule: side `a` is what was given first, side `b` what was given second. What is on one side
only has nothing, which is not null, on the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from conductor_core.differences import NOTHING, unequal_places
from conductor_core.payload import canonical_text


@frozen
class Unequal:
    """A place, and the JSON value that either side has there; NOTHING where it has none."""

    place: str
    a: Any
    b: Any

    def as_data(self) -> dict[str, Any]:
        """The place and the values for JSON; the side that has nothing has no key."""
        sides = {"a": self.a, "b": self.b}
        there = {side: value for side, value in sides.items() if value is not NOTHING}
        return {"place": self.place, **there}

    def __str__(self) -> str:
        return f"{self.place}: {told_value(self.a)} -> {told_value(self.b)}"


def unequal(a: Any, b: Any, place: str = "") -> Iterator[Unequal]:
    """Every place at which two JSON values differ, in the order of the first."""
    return (Unequal(where, left, right) for where, left, right in unequal_places(a, b, place))


def told_value(value: Any) -> str:
    """A value as JSON."""
    return "nothing" if value is NOTHING else canonical_text(value)
