"""The kinds of values that a field of a record may have, and what single values may be.

Rule: a kind is told from its type alone: a single value, a closed choice, a row (a tuple of
one kind, a list in JSON), what may be null, or a record. Integers have at most 64 bits, signed;
strings hold no lone surrogates. Nothing is coerced: a check gives back what it was given.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Union, get_args, get_origin

from conductor_core.errors import FormatError, PayloadError
from conductor_core.payload import Payload, freeze
from conductor_core.places import expected

LEAST: Final = -(1 << 63)
MOST: Final = (1 << 63) - 1


# --- families of kinds ---


def is_row(kind: Any) -> bool:
    """Whether values are tuples, which are lists in JSON."""
    return get_origin(kind) is tuple


def element_of(kind: Any) -> Any:
    """The kind of the items of a row."""
    return get_args(kind)[0]


def is_optional(kind: Any) -> bool:
    """Whether a value may be null."""
    return get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)


def present(kind: Any) -> Any:
    """The kind of a value that is not null."""
    (part,) = (part for part in get_args(kind) if part is not type(None))
    return part


def choices_of(kind: Any) -> tuple[Any, ...]:
    """The values of a Literal, of bool, or of a union of those; none for any other kind."""
    if kind is bool:
        return (True, False)
    if get_origin(kind) is Literal:
        return get_args(kind)
    if get_origin(kind) not in (Union, types.UnionType):
        return ()
    parts = [choices_of(part) for part in get_args(kind)]
    return tuple(value for part in parts for value in part) if all(parts) else ()


# --- single values, read and written alike ---


def text(value: Any, _: Any = None) -> Any:
    """A string that can be written."""
    if value.__class__ is not str:
        raise expected("a string", value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise expected("a string without lone surrogates", value) from None
    return value


def integer(value: Any, _: Any = None) -> Any:
    """An integer that every reader can hold."""
    if value.__class__ is not int:
        raise expected("an integer", value)
    if not LEAST <= value <= MOST:
        raise expected("an integer of at most 64 bits", value)
    return value


def truth(value: Any, _: Any = None) -> Any:
    """True or false, and not a number that equals it."""
    if value.__class__ is not bool:
        raise expected("true or false", value)
    return value


def choice(kind: Any) -> Callable[..., Any]:
    """The check of a closed choice."""
    choices = choices_of(kind)
    classes, known = {choice.__class__ for choice in choices}, frozenset(choices)
    what = "one of " + ", ".join(str(choice).lower() for choice in choices)

    def check(value: Any, _: Any = None) -> Any:
        # Classes come first: `1` equals `True`, and a list cannot be looked up.
        if value.__class__ not in classes or value not in known:
            raise expected(what, value)
        return value

    return check


def payload(value: Any, _: Any = None) -> Payload:
    """Any JSON value, frozen."""
    try:
        return freeze(value)
    except PayloadError as error:
        raise FormatError("", str(error)) from None


SINGLE: Final[Mapping[Any, Callable[..., Any]]] = {
    str: text,
    int: integer,
    bool: truth,
    Payload: payload,
}
"""How single values are read."""
