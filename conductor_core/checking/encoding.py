"""Values as bytes, the same in every process: what the keys of states are compared by.

Rule: two values have the same bytes if and only if they are equal in Python, as long as they
are made of what can be told apart by its parts: None, numbers, texts, bytes, enums, tuples
(ranges and vectors among them), frozen sets, and frozen attrs records of such. Every piece
is written with its kind and its length, so that no two rows of pieces read alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from enum import Enum

from attrs import fields, has

from conductor_core.catalog import Catalog
from conductor_core.errors import shown
from conductor_core.positions import PositionSet
from conductor_core.vector import Vector


def encoded(value: Hashable) -> bytes:
    """A value as bytes; raises TypeError for one that cannot be told apart by its parts."""
    match value:
        case None:
            return b"-"
        case str():
            return _piece(b"s", value.encode("utf-8", "surrogatepass"))
        case int():
            return _piece(b"n", b"%d" % value)
        case Enum():
            return _row(b"e", [_name(type(value)), value.name])
        case float():
            return _float(value)
        case bytes():
            return _piece(b"b", value)
        case tuple():
            return _row(b"t", value)
        case frozenset():
            return _piece(b"f", b"".join(sorted(map(encoded, value))))
        case range() | Vector() | PositionSet():
            return _row(type(value).__name__.encode(), value)
        case Catalog():
            return _row(b"c", value.groups)
        case _:
            kind = type(value)
            if has(kind):
                compared = [getattr(value, f.name) for f in fields(kind) if f.eq]
                return _row(b"r", [_name(kind), *compared])
            raise TypeError(f"cannot be told apart by its parts: {shown(value)}")


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _float(value: float) -> bytes:
    """A number that may equal an integer, which then has the same bytes."""
    if value.is_integer():
        return encoded(int(value))
    return _piece(b"n", repr(value).encode())


def _row(kind: bytes, values: Iterable[Hashable]) -> bytes:
    return _piece(kind, b"".join(map(encoded, values)))


def _piece(kind: bytes, content: bytes) -> bytes:
    return b"%s%d:%s" % (kind, len(content), content)
