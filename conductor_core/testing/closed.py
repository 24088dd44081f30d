"""Readers of plain data that accept one shape and nothing else.

Rule: a reader takes data and its path and returns what it read, or raises FormatError
with the path and what it found. Nothing is converted: `"1"` is no number, `true` neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Final, TypeAlias, TypeVar

from attrs import frozen

from conductor_core.errors import FormatError, PayloadError, shown
from conductor_core.payload import Payload, freeze
from conductor_core.places import join, key_place, unknown

T = TypeVar("T")
Reader: TypeAlias = Callable[[object, str], T]

SURROGATE: Final = re.compile("[\ud800-\udfff]")


def child(path: str, key: object) -> str:
    """The path of a value in a mapping."""
    return join(path, key_place(key))


def wrong(path: str, expected: str, data: object) -> FormatError:
    """The error of data that is something else than expected."""
    return FormatError(path, f"expected {expected}, got {shown(data)}")


def mapping(data: object, path: str) -> dict[str, object]:
    """Read a mapping, whatever its keys."""
    if not isinstance(data, dict):
        raise wrong(path, "a mapping", data)
    for key in data:
        text(key, path)
    return data


@frozen
class Record:
    """A mapping whose keys are known, and its path."""

    given: dict[str, object]
    path: str

    def __contains__(self, key: str) -> bool:
        return key in self.given

    def read(self, key: str, reader: Reader[T], default: object = None) -> T:
        """Read one value, or the default as if it had been given."""
        return reader(self.given.get(key, default), child(self.path, key))


def record(
    data: object, path: str, allowed: Collection[str], required: Collection[str] = ()
) -> Record:
    """Read a mapping with no key but the allowed ones, and with all the required ones."""
    given = mapping(data, path)
    for key in given:
        if key not in allowed:
            raise FormatError(child(path, key), unknown("key", key, tuple(allowed)))
    for key in required:
        if key not in given:
            raise FormatError(path, f"missing key {key!r}")
    return Record(given, path)


def items(data: object, path: str) -> Iterator[tuple[str, object]]:
    """Read a list: the path and the value of each item."""
    if not isinstance(data, list):
        raise wrong(path, "a list", data)
    for index, item in enumerate(data):
        yield f"{path}[{index}]", item


def text(data: object, path: str) -> str:
    """Read a text; half of a surrogate pair is none."""
    if not isinstance(data, str) or SURROGATE.search(data):
        raise wrong(path, "a text", data)
    return data


def name(data: object, path: str) -> str:
    """Read a text that is not empty."""
    if not text(data, path):
        raise FormatError(path, "expected a name, got ''")
    return text(data, path)


def flag(data: object, path: str) -> bool:
    """Read true or false."""
    if not isinstance(data, bool):
        raise wrong(path, "true or false", data)
    return data


def count(data: object, path: str) -> int:
    """Read an integer that is not negative."""
    if not isinstance(data, int) or isinstance(data, bool) or data < 0:
        raise wrong(path, "an integer of at least 0", data)
    return data


def payload(data: object, path: str) -> Payload:
    """Read any JSON value."""
    try:
        return freeze(data)
    except PayloadError as error:
        raise FormatError(path, str(error)) from None


def choice(*choices: str) -> Reader[str]:
    """A reader of one of a few texts."""

    def read(data: object, path: str) -> str:
        if data not in choices or not isinstance(data, str):
            raise wrong(path, f"one of {', '.join(choices)}", data)
        return data

    return read


def matching(pattern: re.Pattern[str], what: str) -> Reader[str]:
    """A reader of a text that has a form of its own."""

    def read(data: object, path: str) -> str:
        if not isinstance(data, str) or not pattern.fullmatch(data):
            raise wrong(path, what, data)
        return data

    return read


def list_of(reader: Reader[T]) -> Reader[list[T]]:
    """A reader of a list."""

    def read(data: object, path: str) -> list[T]:
        return [reader(item, place) for place, item in items(data, path)]

    return read


def optional(reader: Reader[T]) -> Reader[T | None]:
    """A reader that also accepts null."""

    def read(data: object, path: str) -> T | None:
        return None if data is None else reader(data, path)

    return read
