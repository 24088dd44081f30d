"""A record made by `frozen` is one made by attrs in all that can be seen of it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

from conductor_core.frozen import frozen, open_class_of


@frozen
class Point:
    """A record whose label does not count."""

    x: int
    y: int = 0
    label: str = attrs.field(default="", eq=False)


@frozen
class Place:
    """Another record of the same fields."""

    x: int
    y: int = 0
    label: str = attrs.field(default="", eq=False)


@frozen
class Marker:
    """A record of nothing."""


@attrs.frozen(slots=False)
class OfAttrs:
    """What attrs itself makes."""

    x: int
    y: int = 0
    label: str = attrs.field(default="", eq=False)


@pytest.mark.parametrize("make", [Point, OfAttrs])
def test_equal_values_make_equal_records(make: Any) -> None:
    """Of the fields that count, in records of one class; equal records hash alike."""
    assert make(1, 2) == make(1, 2, "here")
    assert hash(make(1, 2)) == hash(make(1, 2, "here"))
    assert make(1, 2) != make(1, 3)
    assert make(1, 2) != Place(1, 2)
    assert make(1, 2) != (1, 2)
    assert make(1, 2).__eq__(object()) is NotImplemented


def test_records_of_nothing_are_equal() -> None:
    """They say only what they are."""
    assert Marker() == Marker()
    assert hash(Marker()) == hash(Marker())


def test_a_record_shows_its_class_and_its_fields() -> None:
    """As attrs shows them."""
    assert repr(Point(1, label="here")) == "Point(x=1, y=0, label='here')"
    assert repr(OfAttrs(1)) == repr(Point(1)).replace("Point", "OfAttrs")
    assert repr(Marker()) == "Marker()"


@pytest.mark.parametrize("record", [Point(1, 2, "here"), Marker()])
def test_a_record_copies_and_pickles(record: object) -> None:
    """To an equal one of the same class, by its own name."""
    for again in (copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
        assert again == record
        assert again.__class__ is record.__class__


def test_a_record_is_frozen_and_has_no_room() -> None:
    """Nothing can be set, deleted or added."""
    point: Any = Point(1)
    with pytest.raises(FrozenInstanceError):
        point.x = 2
    with pytest.raises(FrozenInstanceError):
        del point.x
    with pytest.raises((FrozenInstanceError, AttributeError)):
        point.z = 1
    assert not hasattr(point, "__dict__")
    assert Point.__qualname__ == "Point"
    assert Point.__doc__ == "A record whose label does not count."


def test_an_open_object_becomes_a_record() -> None:
    """It takes any value until it is given the class of the record."""
    opened: Any = object.__new__(open_class_of(Point))
    opened.x, opened.y, opened.label = 1, 2, ""
    opened.x += 4
    opened.__class__ = Point
    assert opened == Point(5, 2)
    with pytest.raises(FrozenInstanceError):
        opened.x = 1


@pytest.mark.parametrize("method", ["__eq__", "__hash__", "__repr__"])
def test_a_record_has_no_other_methods_of_these(method: str) -> None:
    """They would be lost."""
    plain = type("Plain", (), {"__annotations__": {"x": "int"}, method: lambda self, *_: 1})
    with pytest.raises(AssertionError, match=f"may not define {method}"):
        frozen(plain)


def test_a_record_inherits_from_nothing() -> None:
    """Its fields would stand in two places."""
    with pytest.raises(AssertionError, match="may not inherit"):
        frozen(type("Child", (Marker,), {"__annotations__": {"x": "int"}}))


def test_what_is_no_record_has_no_open_class() -> None:
    """Its slots are its own."""
    with pytest.raises(AssertionError, match="slots of its own"):
        open_class_of(attrs.frozen(type("Plain", (), {"__annotations__": {"x": "int"}})))
