"""The set of positions behaves as a set of integers that is kept in order."""

from __future__ import annotations

from bisect import bisect_left
from random import Random

import pytest

from conductor_core.positions import PositionSet

SIZES = [1, 31, 32, 33, 1023, 1024, 1025, 2048, 33_000]


def full(size: int) -> PositionSet:
    """The set of all positions below a size."""
    return PositionSet().extend(0, size)


@pytest.mark.parametrize("size", SIZES)
def test_a_flow_that_grows_adds_all_its_new_positions(size: int) -> None:
    """However a flow came to its size, at once or in parts, all its positions are in the set."""
    parts = full(size // 3).extend(size // 3, size)
    assert list(full(size)) == list(range(size))
    assert parts == full(size)
    assert hash(parts) == hash(full(size))


@pytest.mark.parametrize("size", SIZES)
def test_the_first_position_moves_on_as_positions_leave(size: int) -> None:
    """Removing the first again and again visits all of them in order, then none is left."""
    positions, visited = full(size), []
    while positions:
        visited.append(positions.first)
        positions = positions.remove(visited[-1])
    assert visited == list(range(size))
    assert list(positions) == []


@pytest.mark.parametrize("size", SIZES)
def test_it_does_what_a_set_does(size: int) -> None:
    """Random additions and removals lead to the elements that a set of integers has."""
    random, positions, model = Random(size), full(size), set(range(size))
    for _ in range(200):
        position = random.randrange(size)
        if random.random() < 0.3:
            positions, model = positions.add(position), model | {position}
        else:
            positions, model = positions.remove(position), model - {position}
        assert bool(positions) == bool(model)
        assert not positions or positions.first == min(model)
    assert list(positions) == sorted(model)


@pytest.mark.parametrize("size", SIZES)
def test_a_stretch_of_it_is_read_in_order(size: int) -> None:
    """What lies within a span of positions comes in order, wherever the span begins and ends."""
    random, positions = Random(size), full(size)
    gone = set(random.sample(range(size), size // 2))
    for position in gone:
        positions = positions.remove(position)
    left = [position for position in range(size) if position not in gone]
    cuts = {0, 1, 31, 32, 1023, 1024, 1025, 2047, 2048, size // 2, size - 1, size}
    within = sorted(cut for cut in cuts if 0 <= cut <= size)
    for start in within:
        for stop in within:
            expected = left[bisect_left(left, start) : bisect_left(left, stop)]
            assert list(positions.within(range(start, stop))) == expected


def test_a_change_leaves_the_original_alone() -> None:
    """Adding and removing give another set, and undo each other."""
    original = full(2000)
    assert original.remove(1500) != original
    assert original.remove(1500).add(1500) == original
    assert hash(original.remove(1500).add(1500)) == hash(original)
    assert list(original) == list(range(2000))


def test_adding_twice_and_removing_twice_change_nothing_more() -> None:
    """A position is there or not; how often it was told does not matter."""
    once = full(40).remove(7)
    assert once.remove(7) == once
    assert once.add(7).add(7) == full(40)


def test_how_it_came_about_does_not_matter() -> None:
    """Equal elements of flows of one size make equal sets, in whatever order they left."""
    assert full(1100).remove(3).remove(1050) == full(1100).remove(1050).remove(3)
    assert full(3) != {0, 1, 2}


def test_an_empty_set_has_no_first_position() -> None:
    """It is beyond the end of every flow, so that whoever looks for it within one finds none."""
    assert PositionSet().first > 1 << 53
    assert full(1).remove(0) == full(1).remove(0).add(0).remove(0)


def test_a_set_shows_its_positions() -> None:
    """Its representation names its elements in order."""
    assert repr(full(5).remove(2)) == "PositionSet([0, 1, 3, 4])"
