"""A persistent vector: a trie of tuples, 32 wide (Bagwell's ideal hash trees, by index).

Rule: setting or appending one element copies one path of the trie, so that its cost grows
with the logarithm of the length only. Equal contents are equal vectors with equal hashes.
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

    __slots__ = ("_root", "_shift", "_size")

    _root: tuple[Any, ...]
    _shift: int
    _size: int

    def __init__(self, items: Iterable[T] = ()) -> None:
        level: list[Any] = list(items)
        size = len(level)
        shift = 0
        while len(level) > WIDTH:
            level = [tuple(level[i : i + WIDTH]) for i in range(0, len(level), WIDTH)]
            shift += BITS
        self._root, self._shift, self._size = tuple(level), shift, size

    @staticmethod
    def _of(root: tuple[Any, ...], shift: int, size: int) -> Vector[T]:
        vector: Vector[T] = Vector.__new__(Vector)
        vector._root, vector._shift, vector._size = root, shift, size
        return vector

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> T:
        if not 0 <= index < self._size:
            raise IndexError(index)
        node: Any = self._root
        shift = self._shift
        while shift:
            node = node[(index >> shift) & MASK]
            shift -= BITS
        item: T = node[index & MASK]
        return item

    def __iter__(self) -> Iterator[T]:
        return self.slice(0, self._size)

    def slice(self, start: int, stop: int) -> Iterator[T]:
        """Iterate over the elements from `start` up to `stop`, a leaf at a time."""
        while start < stop:
            node: Any = self._root
            shift = self._shift
            while shift:
                node = node[(start >> shift) & MASK]
                shift -= BITS
            end = min(stop, (start | MASK) + 1)
            yield from node[start & MASK : ((end - 1) & MASK) + 1]
            start = end

    def set(self, index: int, item: T) -> Vector[T]:
        """Replace one element."""
        if not 0 <= index < self._size:
            raise IndexError(index)
        return self._of(_set(self._root, self._shift, index, item), self._shift, self._size)

    def extend(self, items: Iterable[T]) -> Vector[T]:
        """Add elements at the end."""
        if not self._size:
            return Vector(items)
        root, shift, size = self._root, self._shift, self._size
        for item in items:
            if size == WIDTH << shift:
                root, shift = (root,), shift + BITS
            root = _set(root, shift, size, item)
            size += 1
        return self._of(root, shift, size)

    def changed_since(self, before: Vector[T]) -> Iterator[int]:
        """Where it holds another object than one that was no longer; cheap, as most is shared."""
        root, shift = before._root, before._shift
        while shift < self._shift:
            root, shift = (root,), shift + BITS
        return _changed(self._root, root, shift, 0)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vector):
            return NotImplemented
        return self._root is other._root or (
            self._size == other._size and self._root == other._root
        )

    def __hash__(self) -> int:
        return hash((self._size, self._root))

    def __repr__(self) -> str:
        return f"Vector({list(self)!r})"


def _set(node: tuple[Any, ...], shift: int, index: int, item: Any) -> tuple[Any, ...]:
    """Copy the path to `index`, which may lie one past the end of what is there."""
    slot = (index >> shift) & MASK
    if shift:
        child = node[slot] if slot < len(node) else ()
        item = _set(child, shift - BITS, index, item)
    # A list takes half the time of two slices.
    copy = list(node)
    copy[slot : slot + 1] = (item,)
    return tuple(copy)


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
