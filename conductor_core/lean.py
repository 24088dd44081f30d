"""Records from decoded JSON in a hurry: what can be read is read right, and nothing is told.

Rule: a record that is read here is the one that `records` would read from the same data.
Whatever `records` might refuse raises one of MISREAD, which need not say why; keys may stand
for nothing else than they do there, but nobody looks for keys that stand twice. So this is for
who writes the record again and holds it against the text that it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs

from conductor_core.building import builder
from conductor_core.errors import ConductorError
from conductor_core.kinds import SINGLE, choice, element_of, is_optional, is_row, present

LeanReader: TypeAlias = Callable[[Any], Any]

MISREAD: Final = (
    *(ConductorError, AttributeError, KeyError, TypeError),
    *(ValueError, RecursionError),
)
"""What reading may raise, for whatever reason."""


class LeanReaders(dict[Any, LeanReader]):
    """The reader of each kind of value, made when it is first asked for."""

    def __missing__(self, kind: Any) -> LeanReader:
        reader = self[kind] = self._reader(kind)
        return reader

    def _reader(self, kind: Any) -> LeanReader:
        if kind in SINGLE:
            return SINGLE[kind]
        if is_row(kind):
            return _row_reader(self[element_of(kind)])
        if is_optional(kind):
            return _optional_reader(self[present(kind)])
        if attrs.has(kind):
            return self._record_reader(kind)
        return choice(kind)

    def _record_reader(self, cls: type) -> LeanReader:
        fields = attrs.fields(attrs.resolve_types(cls))
        checks = {field.name: field for field in fields if field.validator is not None}
        # A record that looks at itself when it is made is made in its own way.
        make = cls if hasattr(cls, "__attrs_post_init__") else builder(cls)
        readers: dict[str, LeanReader] = {}

        def read(data: Any) -> Any:
            record = make(**{key: readers[key](value) for key, value in data.items()})
            for key, field in checks.items():
                if key in data:
                    field.validator(record, field, getattr(record, key))
            return record

        # Only now, since a record may hold others of its own class.
        self[cls] = read
        readers.update({field.name: self[field.type] for field in fields})
        return read


def _row_reader(read: LeanReader) -> LeanReader:
    def read_row(data: Any) -> Any:
        if data.__class__ is not list:
            raise TypeError
        return tuple([read(item) for item in data])

    return read_row


def _optional_reader(read: LeanReader) -> LeanReader:
    return lambda data: None if data is None else read(data)
