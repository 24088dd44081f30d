"""Readers of plain data that accept one shape and nothing else.

Rule: a reader takes data and its path and returns what it read, or raises FormatError
with the path and what it found; a reader of several parts tells what is wrong with each of
them. Nothing is converted: `"1"` is no number, `true` neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

from conductor_core.errors import FormatError, PayloadError, Problem, shown
from conductor_core.payload import Payload, freeze
from conductor_core.places import join, key_place, unknown
from conductor_core.records import PROBLEMS

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


def keyed(
    data: object, path: str, allowed: Collection[str], required: Collection[str] = ()
) -> dict[str, object]:
    """Read a mapping with no key but the allowed ones, and with all the required ones."""
    given = mapping(data, path)
    tell(list(_key_problems(given, path, allowed, required)))
    return given


def fields(
    data: object, path: str, readers: Mapping[str, Reader[Any]], required: Collection[str] = ()
) -> dict[str, Any]:
    """Read a mapping with no key but those that have a reader, in the order of the readers."""
    values, problems = sift(data, path, readers, required)
    tell(problems)
    return values


def sift(
    data: object, path: str, readers: Mapping[str, Reader[Any]], required: Collection[str] = ()
) -> tuple[dict[str, Any], list[Problem]]:
    """Read what can be read of such a mapping; the values, and what is wrong with the others."""
    given = mapping(data, path)
    values: dict[str, Any] = {}
    problems = list(_key_problems(given, path, readers, required))
    for key, reader in readers.items():
        if key in given:
            try:
                values[key] = reader(given[key], child(path, key))
            except FormatError as error:
                problems += error.problems
    return values, problems


def tell(problems: list[Problem]) -> None:
    """Raise one error for all the problems, if there are any."""
    if problems:
        raise FormatError.of(problems)


def _key_problems(
    given: dict[str, object], path: str, allowed: Collection[str], required: Collection[str]
) -> Iterator[Problem]:
    """Say which keys are unknown and which are missing."""
    extra = (key for key in given if key not in allowed)
    for key in islice(extra, PROBLEMS):
        yield child(path, key), unknown("key", key, tuple(allowed))
    for key in required:
        if key not in given:
            yield path, f"missing key {key!r}"


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
    return lambda data, path: _each((reader, item, place) for place, item in items(data, path))


def values_of(reader_of: Callable[[str], Reader[T]]) -> Reader[list[T]]:
    """A reader of a mapping with any keys: its values, each by the reader for its key."""
    return lambda data, path: _each(
        (reader_of(key), value, child(path, key)) for key, value in mapping(data, path).items()
    )


def _each(parts: Iterable[tuple[Reader[T], object, str]]) -> list[T]:
    """Read every part, or tell which of them cannot be read."""
    values: list[T] = []
    problems: list[Problem] = []
    for reader, data, path in parts:
        try:
            values.append(reader(data, path))
        except FormatError as error:
            problems += error.problems
            if len(problems) >= PROBLEMS:
                break
    tell(problems)
    return values


def optional(reader: Reader[T]) -> Reader[T | None]:
    """A reader that also accepts null."""

    def read(data: object, path: str) -> T | None:
        return None if data is None else reader(data, path)

    return read
