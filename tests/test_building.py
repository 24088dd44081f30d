"""What is built at the price of open records is the record that its class builds."""

from __future__ import annotations

import copy
import pickle

import pytest
from attrs import evolve, field
from attrs.exceptions import FrozenInstanceError

from conductor_core.building import builder, copier, opener
from conductor_core.frozen import frozen


@frozen
class Point:
    """A record with a default."""

    x: int
    y: int = 0


def shouted(text: str) -> str:
    """A text in capitals."""
    return text.upper()


@frozen(kw_only=True)
class Named:
    """A record whose fields are given by name, one with a converter."""

    name: str = field(default="", converter=shouted)
    point: Point


class Open:
    """An open object with the fields of a point."""

    __slots__ = ("x", "y")
    x: int
    y: int


build = builder(Point)
moved = copier(Point, "y")


@pytest.mark.parametrize("built", [build(1), build(1, 0), build(x=1), moved(Point(1, 5), 0)])
def test_it_is_the_record_that_its_class_builds(built: Point) -> None:
    """It equals it, hashes, shows, copies and pickles like it, and is as frozen."""
    made = Point(1)
    assert built.__class__ is Point
    assert (built, hash(built), repr(built)) == (made, hash(made), repr(made))
    assert copy.copy(built) == pickle.loads(pickle.dumps(built)) == evolve(built) == made
    with pytest.raises(FrozenInstanceError):
        built.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del built.x  # pyright: ignore[reportAttributeAccessIssue]


def test_nothing_is_converted() -> None:
    """It is for values that are what they should be."""
    assert builder(Named)(point=Point(1), name="here").name == "here"


def test_a_record_can_be_opened() -> None:
    """An open object gets its fields, but for those that are given."""
    opened = opener(Point, Open, "y")(Point(1, 2), 3)
    opened.x += 1
    assert (opened.__class__, opened.x, opened.y) == (Open, 2, 3)


def test_a_missing_field_is_missed() -> None:
    """As of a call of the class itself."""
    with pytest.raises(TypeError, match="x"):
        build()  # type: ignore[call-arg]
