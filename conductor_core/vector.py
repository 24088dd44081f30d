"""A persistent vector: a trie of tuples, 32 wide (Bagwell's ideal hash trees, by index).

Rule: setting or appending one element copies one path of the trie, so that its cost grows
with the logarithm of the length only. Who changes neighbours together does it in `Edits`, which
copies their path once. Equal contents are equal vectors with equal hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
BITS: Final = 5
WIDTH: Final = 1 << BITS
MASK: Final = WIDTH - 1


class Vector(Generic[T]):
    """An immutable sequence; `set` and `extend` give a new one."""

    __slots__ = ("root", "shift", "size")

    root: tuple[Any, ...]
    shift: int
    size: int

    def __init__(self, items: Iterable[T] = ()) -> None:
        level: list[Any] = list(items)
        size = len(level)
        shift = 0
        while len(level) > WIDTH:
            level = [tuple(level[i : i + WIDTH]) for i in range(0, len(level), WIDTH)]
            shift += BITS
        self.root, self.shift, self.size = tuple(level), shift, size

    @staticmethod
    def repeated(item: T, size: int) -> Vector[T]:
        """One element again and again, in nodes that are shared where they are the same."""
        level: list[Any] = [item] * size
        shift = 0
        while len(level) > WIDTH:
            nodes = [tuple(level[:WIDTH])]
            for start in range(WIDTH, len(level), WIDTH):
                node = tuple(level[start : start + WIDTH])
                nodes.append(nodes[-1] if node == nodes[-1] else node)
            level, shift = nodes, shift + BITS
        return _vector(tuple(level), shift, size)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> T:
        if not 0 <= index < self.size:
            raise IndexError(index)
        node: Any = self.root
        shift = self.shift
        while shift:
            node = node[(index >> shift) & MASK]
            shift -= BITS
        item: T = node[index & MASK]
        return item

    def __iter__(self) -> Iterator[T]:
        return self.slice(0, self.size)

    def slice(self, start: int, stop: int) -> Iterator[T]:
        """Iterate over the elements from `start` up to `stop`, a leaf at a time."""
        while start < stop:
            node: Any = self.root
            shift = self.shift
            while shift:
                node = node[(start >> shift) & MASK]
                shift -= BITS
            end = min(stop, (start | MASK) + 1)
            yield from node[start & MASK : ((end - 1) & MASK) + 1]
            start = end

    def set(self, index: int, item: T) -> Vector[T]:
        """Replace one element."""
        if not 0 <= index < self.size:
            raise IndexError(index)
        shift = self.shift
        return _vector(_replaced(self.root, shift, index, item), shift, self.size)

    def extend(self, items: Iterable[T]) -> Vector[T]:
        """Add elements at the end."""
        if not self.size:
            return Vector(items)
        root, shift, size = self.root, self.shift, self.size
        for item in items:
            if size == WIDTH << shift:
                root, shift = (root,), shift + BITS
            root = _appended(root, shift, size, item)
            size += 1
        return _vector(root, shift, size)

    def vector(self) -> Vector[T]:
        """Itself: the vector as it is now, as of one that is open for change."""
        return self

    def changed_since(self, before: Vector[T]) -> Iterator[int]:
        """Where it holds another object than one that was no longer; cheap, as most is shared."""
        root, shift = before.root, before.shift
        while shift < self.shift:
            root, shift = (root,), shift + BITS
        return _changed(self.root, root, shift, 0)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vector):
            return NotImplemented
        return self.root is other.root or (self.size == other.size and self.root == other.root)

    def __hash__(self) -> int:
        return hash((self.size, self.root))

    def __repr__(self) -> str:
        return f"Vector({list(self)!r})"


class Edits(Generic[T]):
    """A vector open for change, one leaf at a time."""

    __slots__ = ("_changed", "_leaf", "_number", "_vector")

    def __init__(self, vector: Vector[T]) -> None:
        self._vector = vector
        self._number = -1
        self._leaf: list[T] = []
        self._changed = False

    def __len__(self) -> int:
        return len(self._vector)

    def __getitem__(self, index: int) -> T:
        if index >> BITS != self._number:
            self._turn_to(index >> BITS)
        return self._leaf[index & MASK]

    def swap(self, index: int, item: T) -> T:
        """Replace an element, and return what it was."""
        if index >> BITS != self._number:
            self._turn_to(index >> BITS)
        leaf, slot = self._leaf, index & MASK
        before = leaf[slot]
        leaf[slot] = item
        self._changed = True
        return before

    def vector(self) -> Vector[T]:
        """The vector as it is now."""
        vector = self._vector
        if self._changed:
            leaf, shift = tuple(self._leaf), vector.shift
            root = _replaced(vector.root, shift - BITS, self._number, leaf) if shift else leaf
            vector = self._vector = _vector(root, shift, vector.size)
            self._changed = False
        return vector

    def extend(self, items: Iterable[T]) -> None:
        """Add elements at the end."""
        self._vector = self.vector().extend(items)
        self._number = -1

    def _turn_to(self, number: int) -> None:
        """Open another leaf."""
        vector = self.vector() if self._changed else self._vector
        node, shift = vector.root, vector.shift
        while shift:
            shift -= BITS
            node = node[(number >> shift) & MASK]
        self._leaf = list(node)
        self._number = number


_new: Final = object.__new__


def _vector(root: tuple[Any, ...], shift: int, size: int) -> Vector[Any]:
    vector: Vector[Any] = _new(Vector)
    vector.root, vector.shift, vector.size = root, shift, size
    return vector


def _replaced(node: tuple[Any, ...], shift: int, index: int, item: Any) -> tuple[Any, ...]:
    """Copy the path to an element, and replace it; a list takes half the time of two slices."""
    slot = (index >> shift) & MASK
    copy = list(node)
    copy[slot] = _replaced(copy[slot], shift - BITS, index, item) if shift else item
    return tuple(copy)


def _appended(node: tuple[Any, ...], shift: int, index: int, item: Any) -> tuple[Any, ...]:
    """Copy the path to the place behind the last element, and put one there."""
    if not shift:
        return (*node, item)
    slot = (index >> shift) & MASK
    child = node[slot] if slot < len(node) else ()
    return (*node[:slot], _appended(child, shift - BITS, index, item))


def _changed(
    node: tuple[Any, ...], before: tuple[Any, ...], shift: int, start: int
) -> Iterator[int]:
    """Where one trie holds another object than another of the same height."""
    for slot, item in enumerate(node):
        index = start + (slot << shift)
        known = slot < len(before)
        if known and item is before[slot]:
            continue
        if shift:
            yield from _changed(item, before[slot] if known else (), shift - BITS, index)
        else:
            yield index
