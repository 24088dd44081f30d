"""The persistent vector behaves as a tuple does, whatever its size."""

from __future__ import annotations

from random import Random

import pytest

from conductor_core.vector import Edits, Vector

SIZES = [0, 1, 31, 32, 33, 1023, 1024, 1025, 32_768, 33_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_vector_holds_what_it_was_built_from(size: int) -> None:
    """Length, iteration and look-up agree with the items."""
    vector = Vector(range(size))
    assert len(vector) == size
    assert list(vector) == list(range(size))
    assert [vector[index] for index in range(0, size, 7)] == list(range(0, size, 7))


@pytest.mark.parametrize("size", SIZES)
def test_growing_leads_to_the_same_vector_as_building(size: int) -> None:
    """Item by item, in two parts or at once: the vectors are equal and hash alike."""
    built, split = Vector(range(size)), size // 3
    grown = Vector(range(split)).extend(range(split, size))
    assert grown == built
    assert hash(grown) == hash(built)
    assert list(grown) == list(built)


def test_every_length_up_to_a_few_leaves_grows_alike() -> None:
    """A vector that grows one by one equals, at every length, the one that is built at once."""
    grown: Vector[int] = Vector()
    for size in range(1, 1100):
        grown = grown.extend((size,))
        assert grown == Vector(range(1, size + 1))


@pytest.mark.parametrize("size", SIZES[1:])
def test_setting_an_item_leaves_the_others_and_the_original_alone(size: int) -> None:
    """`set` gives a vector that differs in one place; the one it came from stays as it was."""
    original = Vector(range(size))
    for index in {0, size // 2, size - 1}:
        changed = original.set(index, -1)
        expected = [*range(index), -1, *range(index + 1, size)]
        assert list(changed) == expected
        assert changed != original
        assert changed.set(index, index) == original
        assert hash(changed.set(index, index)) == hash(original)
    assert list(original) == list(range(size))


@pytest.mark.parametrize("size", SIZES)
def test_a_slice_is_any_stretch_of_it(size: int) -> None:
    """Slices begin and end anywhere, inside a leaf or across many; an empty one has nothing."""
    vector, items = Vector(range(size)), list(range(size))
    cuts = sorted({0, 1, 30, 31, 32, 33, 64, 1023, 1024, 1025, size // 2, size - 1, size})
    within = [cut for cut in cuts if 0 <= cut <= size]
    for start in within:
        for stop in within:
            assert list(vector.slice(start, stop)) == items[start:stop]


@pytest.mark.parametrize("size", [0, 1, 32, 1025])
def test_there_is_nothing_outside(size: int) -> None:
    """Looking up or setting past either end is an IndexError: there are no negative indices."""
    vector = Vector(range(size))
    for index in (-1, size, size + 1):
        with pytest.raises(IndexError):
            vector[index]
        with pytest.raises(IndexError):
            vector.set(index, 0)


def test_extending_by_nothing_changes_nothing() -> None:
    """No items more is the same vector, the empty one included."""
    for size in SIZES:
        assert Vector(range(size)).extend(()) == Vector(range(size))


def test_vectors_are_equal_to_vectors_only() -> None:
    """Equal items in equal order make equal vectors; anything else is something else."""
    vector = Vector("ab")
    assert vector == vector.set(0, "a")
    assert vector != Vector("ba")
    assert vector != Vector("abc")
    assert vector != ("a", "b")
    assert len({vector, Vector("ab"), Vector("ba")}) == 2


def test_a_vector_shows_its_items() -> None:
    """Its representation can be read, and evaluates to it."""
    assert repr(Vector("ab")) == "Vector(['a', 'b'])"


@pytest.mark.parametrize("size", SIZES[1:])
def test_a_vector_knows_what_it_does_not_share_with_one_before(size: int) -> None:
    """Items that were set, in order, and those that were added, however high the trie grew."""
    before = Vector(range(size))
    places = sorted({0, size // 2, size - 1})
    after = before
    for index in places:
        after = after.set(index, -1)
    assert list(before.changed_since(before)) == []
    assert list(after.changed_since(before)) == places
    grown = after.extend(range(2_000))
    assert list(grown.changed_since(before)) == [*places, *range(size, size + 2_000)]
    assert list(before.changed_since(Vector())) == list(range(size))


@pytest.mark.parametrize("size", SIZES)
def test_an_element_can_be_repeated(size: int) -> None:
    """It makes no difference to what a vector is, or to how it changes."""
    repeated, built = Vector.repeated("a", size), Vector(["a"] * size)
    assert (repeated, hash(repeated)) == (built, hash(built))
    for index in range(0, size, 500):
        repeated, built = repeated.set(index, "b"), built.set(index, "b")
    assert list(repeated) == list(built)


# --- changes one leaf at a time ---


@pytest.mark.parametrize("size", [1, 31, 32, 33, 1024, 1025, 33_000])
def test_edits_do_what_a_list_does(size: int) -> None:
    """Swaps here and there, read back in between, lead to the elements that a list has."""
    random, model = Random(size), list(range(size))
    original = Vector(model)
    edits = Edits(original)
    for step in range(300):
        index = random.randrange(size) if step % 3 == 0 else min(step, size - 1)
        assert edits.swap(index, -step) == model[index]
        model[index] = -step
        assert edits[index] == -step
        if step % 50 == 0:
            assert list(edits.vector()) == model
    assert (list(edits.vector()), len(edits)) == (model, size)
    assert list(original) == list(range(size))


def test_edits_that_changed_nothing_give_the_vector_back() -> None:
    """Reading opens a leaf and leaves the vector as it is."""
    vector = Vector(range(100))
    edits = Edits(vector)
    assert (edits[0], edits[99]) == (0, 99)
    assert edits.vector() is vector


def test_edits_can_grow() -> None:
    """What was changed before stays changed, and the new elements can be changed too."""
    edits = Edits(Vector(range(33)))
    edits.swap(32, -32)
    edits.extend([33])
    edits.swap(33, -33)
    assert list(edits.vector()) == [*range(32), -32, -33]
