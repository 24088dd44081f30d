"""A persistent set of positions in a flow, ordered, canonical and cheap to change.

Rule: words of 32 bits, and a summary of the words that hold any. The word of the first position
is kept apart, seen from there, so that taking the first position, as flows do, touches
nothing else however long the flow is; any other change touches one word more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conductor_core.vector import Vector

BITS: Final = 5
MASK: Final = (1 << BITS) - 1
NOWHERE: Final = 1 << 62
"""Beyond the end of every flow."""


class PositionSet:
    """An immutable set of the positions below a size, which knows its first element.

    `first` is its smallest position, or NOWHERE if there is none. Bit n of `ahead` stands
    for the position n + 1 behind it, to the end of its word, which is zero in `words`.
    """

    __slots__ = ("ahead", "first", "summary", "words")

    first: int

    def __init__(self) -> None:
        self.words: Vector[int] = Vector()
        self.summary = self.ahead = 0
        self.first = NOWHERE

    def __bool__(self) -> bool:
        return self.first != NOWHERE

    def __iter__(self) -> Iterator[int]:
        return self.within(range(len(self.words) << BITS))

    def within(self, span: range) -> Iterator[int]:
        """The elements that lie in a span of positions, in order."""
        start, index = max(span.start, self.first), self.first >> BITS
        while start < span.stop:
            here = start >> BITS
            word = self._first_word() if here == index else self.words[here]
            word = word >> (start & MASK) << (start & MASK)
            start = (here + 1) << BITS
            if start > span.stop:
                word &= (1 << (span.stop & MASK)) - 1
            while word:
                low = word & -word
                yield (here << BITS) + low.bit_length() - 1
                word ^= low

    def add(self, position: int) -> PositionSet:
        """The set with one position more."""
        index, bit = position >> BITS, 1 << (position & MASK)
        if index == self.first >> BITS:
            return _beginning(self.words, self.summary, index, self._first_word() | bit)
        if position < self.first:
            return _of(*self._in_place(), position, 0)
        words = self.words.set(index, self.words[index] | bit)
        return _of(words, self.summary | 1 << index, self.first, self.ahead)

    def remove(self, position: int) -> PositionSet:
        """The set without one of its positions."""
        if position == self.first:
            ahead = self.ahead
            if not ahead:
                return _whole(self.words, self.summary)
            skipped = (ahead & -ahead).bit_length()
            return _of(self.words, self.summary, position + skipped, ahead >> skipped)
        index, bit = position >> BITS, 1 << (position & MASK)
        if index == self.first >> BITS:
            return _beginning(self.words, self.summary, index, self._first_word() & ~bit)
        word = self.words[index] & ~bit
        summary = self.summary if word else self.summary & ~(1 << index)
        return _of(self.words.set(index, word), summary, self.first, self.ahead)

    def extend(self, start: int, stop: int) -> PositionSet:
        """The set for a flow that grew from `start` to `stop` positions, with all the new ones."""
        words, summary = self._in_place()
        new: list[int] = []
        while start < stop:
            index, offset = start >> BITS, start & MASK
            end = min(stop, (start | MASK) + 1)
            ones = ((1 << (end - start)) - 1) << offset
            if index < len(words):
                words = words.set(index, words[index] | ones)
            else:
                new.append(ones)
            summary |= 1 << index
            start = end
        return _whole(words.extend(new), summary)

    def _first_word(self) -> int:
        """The word of the first position, as it would stand in its place."""
        return (self.ahead << 1 | 1) << (self.first & MASK)

    def _in_place(self) -> tuple[Vector[int], int]:
        """All words in their places, and which of them hold any."""
        if not self:
            return self.words, 0
        index = self.first >> BITS
        return self.words.set(index, self._first_word()), self.summary | 1 << index

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PositionSet):
            return NotImplemented
        mine, others = (self.first, self.ahead), (other.first, other.ahead)
        return mine == others and self.words == other.words

    def __hash__(self) -> int:
        return hash((self.first, self.ahead, self.words))

    def __repr__(self) -> str:
        return f"PositionSet({list(self)!r})"


_new: Final = object.__new__


def _of(words: Vector[int], summary: int, first: int, ahead: int) -> PositionSet:
    positions = _new(PositionSet)
    positions.words, positions.summary = words, summary
    positions.first, positions.ahead = first, ahead
    return positions


def _beginning(words: Vector[int], summary: int, index: int, word: int) -> PositionSet:
    """The set whose first word is this one, which holds some."""
    offset = (word & -word).bit_length()
    return _of(words, summary, (index << BITS) + offset - 1, word >> offset)


def _whole(words: Vector[int], summary: int) -> PositionSet:
    """The set whose words all stand in their places."""
    if not summary:
        return _of(words, 0, NOWHERE, 0)
    low = summary & -summary
    index = low.bit_length() - 1
    return _beginning(words.set(index, 0), summary ^ low, index, words[index])
