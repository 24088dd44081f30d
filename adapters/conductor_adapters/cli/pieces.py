"""What a document is made of before it is a tree: pieces, in the order of the text.

Rule: a reader turns text into pieces, lazily and without looking at more than one place
at a time; limits, duplicate keys and aliases are the business of `documents`, so that
every format obeys the same ones.
"""

from __future__ import annotations

from typing import Final, TypeAlias, Union

from attrs import frozen


class Unreadable(Exception):
    """Text that cannot be read; `documents` adds the name of the file."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(line, problem)


@frozen
class Scalar:
    """A string, a number, a truth value or null."""

    line: int
    value: str | int | float | bool | None
    anchor: str | None = None


@frozen
class OpenMap:
    """A mapping begins: keys and values follow in turn, up to its Close."""

    line: int
    anchor: str | None = None


@frozen
class OpenList:
    """A list begins: its items follow, up to its Close."""

    line: int
    anchor: str | None = None


@frozen
class Close:
    """The innermost open mapping or list ends."""

    line: int


@frozen
class Alias:
    """The piece that was anchored under this name stands here once more."""

    line: int
    anchor: str


Piece: TypeAlias = Union[Scalar, OpenMap, OpenList, Close, Alias]

LONGEST_NUMBER: Final = 1_000


def integer(line: int, digits: str, base: int = 10) -> int:
    """Read an integer that is short enough to be written as text again."""
    _check_length(line, digits)
    return int(digits, base)


def real(line: int, digits: str) -> float:
    """Read a number with a fraction or an exponent that a JSON value can hold."""
    _check_length(line, digits)
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise Unreadable(line, f"{digits} is too large for a number")
    return number


def _check_length(line: int, digits: str) -> None:
    if len(digits) > LONGEST_NUMBER:
        problem = f"a number of {len(digits):,} digits, expected at most {LONGEST_NUMBER:,}"
        raise Unreadable(line, problem)
