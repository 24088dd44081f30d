"""A persistent set of positions in a flow, ordered, canonical and cheap to change.

Rule: two levels of bits, words of 1,024 positions and a summary of the words that hold any,
so that changing it and finding its first position touch one word however long the flow is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conductor_core.vector import Vector

BITS: Final = 10
WORD: Final = 1 << BITS
MASK: Final = WORD - 1


class PositionSet:
    """An immutable set of the positions below a size, which knows its first element."""

    __slots__ = ("_summary", "_words")

    def __init__(self) -> None:
        self._words: Vector[int] = Vector()
        self._summary = 0

    @staticmethod
    def _of(words: Vector[int], summary: int) -> PositionSet:
        positions = PositionSet.__new__(PositionSet)
        positions._words, positions._summary = words, summary
        return positions

    def __bool__(self) -> bool:
        return self._summary != 0

    def __iter__(self) -> Iterator[int]:
        return self.within(range(len(self._words) << BITS))

    def within(self, span: range) -> Iterator[int]:
        """The elements that lie in a span of positions, in order."""
        start = span.start
        while start < span.stop:
            index = start >> BITS
            word = self._words[index] >> (start & MASK) << (start & MASK)
            start = (index + 1) << BITS
            if start > span.stop:
                word &= (1 << (span.stop & MASK)) - 1
            while word:
                low = word & -word
                yield (index << BITS) + low.bit_length() - 1
                word ^= low

    def first(self) -> int:
        """The smallest position of a set that is not empty."""
        assert self._summary, "an empty set has no first position"
        index = (self._summary & -self._summary).bit_length() - 1
        word = self._words[index]
        return (index << BITS) + (word & -word).bit_length() - 1

    def add(self, position: int) -> PositionSet:
        """The set with one position more."""
        index = position >> BITS
        word = self._words[index] | 1 << (position & MASK)
        return self._of(self._words.set(index, word), self._summary | 1 << index)

    def remove(self, position: int) -> PositionSet:
        """The set without one of its positions."""
        index = position >> BITS
        word = self._words[index] & ~(1 << (position & MASK))
        summary = self._summary if word else self._summary & ~(1 << index)
        return self._of(self._words.set(index, word), summary)

    def extend(self, start: int, stop: int) -> PositionSet:
        """The set for a flow that grew from `start` to `stop` positions, with all the new ones."""
        words, summary = self._words, self._summary
        while start < stop:
            index, offset = start >> BITS, start & MASK
            end = min(stop, (start | MASK) + 1)
            ones = ((1 << (end - start)) - 1) << offset
            known = index < len(words)
            words = words.set(index, words[index] | ones) if known else words.extend((ones,))
            summary |= 1 << index
            start = end
        return self._of(words, summary)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PositionSet) and self._words == other._words

    def __hash__(self) -> int:
        return hash(self._words)

    def __repr__(self) -> str:
        return f"PositionSet({list(self)!r})"
