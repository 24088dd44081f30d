"""Values as bytes: equal if and only if the values are."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum, IntEnum

import pytest
from attrs import field, frozen

from conductor_core import initial_state, reduce
from conductor_core.attempt import AttemptStatus
from conductor_core.catalog import Catalog
from conductor_core.checking.encoding import encoded
from conductor_core.positions import PositionSet
from conductor_core.testing.brief import START, succeeded
from conductor_core.vector import Vector
from tests.checking.flows import DEPLOY, components


class Colour(Enum):
    """Some colours."""

    RED = 1


class Size(IntEnum):
    """Some sizes, which are numbers."""

    SMALL = 1


@frozen
class Point:
    """A place, with a remark that is no part of it."""

    x: int
    remark: str = field(default="", eq=False)


STATE = initial_state(DEPLOY, "flow")
DIFFERENT: tuple[Hashable, ...] = (
    *(None, 0, 1, 12, -1, 0.5, 2**70, "", "1", "12", b"1", (), (1,), (12,), (1, 2), ((1,), 2)),
    *((1, (2,)), ("a", "b"), ("ab",), frozenset(), frozenset({1, "1"}), frozenset({(1, "1")})),
    *(Colour.RED, Point(1), Point(2), AttemptStatus.SUCCESS, range(3), Vector((0, 1, 2))),
    *(Vector((1,)), PositionSet().extend(0, 3), Catalog(), Catalog().extend(DEPLOY.groups)),
    *(STATE, reduce(STATE, START).state, DEPLOY, components(1), "\ud800"),
)


def test_different_values_have_different_bytes() -> None:
    """No two kinds of values, and no two rows of pieces, read alike."""
    assert len({encoded(value) for value in DIFFERENT}) == len(DIFFERENT)
    assert len(set(DIFFERENT)) == len(DIFFERENT)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (1, Size.SMALL),
        ("success", AttemptStatus.SUCCESS),
        (frozenset({"a", "b", "c"}), frozenset({"c", "b", "a"})),
        (Point(1, "here"), Point(1, "there")),
        (range(0, 4, 2), range(0, 3, 2)),
        (
            reduce(reduce(STATE, START).state, succeeded("plan#1")).state,
            reduce(reduce(STATE, START).state, succeeded("plan#1")).state,
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_equal_values_have_equal_bytes(one: Hashable, other: Hashable) -> None:
    """What is equal in Python has the same bytes, whatever its class."""
    assert one == other
    assert encoded(one) == encoded(other)


def test_a_value_without_parts_cannot_be_told_apart() -> None:
    """An object that is equal only to itself has no bytes."""
    with pytest.raises(TypeError, match="<object object at"):
        encoded(object())
