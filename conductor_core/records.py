"""Frozen records from decoded JSON and back: closed, nothing coerced, every problem placed.

Rule: this module knows kinds of values, never a record by name. Writing refuses the same
values as reading, so that a wrong type shows up where it was made and not in a log that
nobody can read any more. A field that equals its default is left out of what is written, so
that a new field with a default changes no old bytes.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import attrs

from conductor_core.errors import FormatError, Problem, SpecError
from conductor_core.kinds import (
    SINGLE,
    choice,
    choices_of,
    element_of,
    is_optional,
    is_row,
    present,
)
from conductor_core.payload import Payload
from conductor_core.places import expected, join, key_place, located, unknown

if TYPE_CHECKING:
    from cattrs import ClassValidationError, Converter

T = TypeVar("T")
Reader: TypeAlias = Callable[..., Any]
"""Makes a value from decoded JSON; cattrs calls it with the type as a second argument."""
Writer: TypeAlias = Callable[[Any], Any]
"""Makes decoded JSON from a value."""

PROBLEMS: Final = 20
"""So many problems of one list or mapping are told: enough to mend it, cheap on garbage."""


def new_converter() -> Converter:
    """A converter for records of every kind of value that the core knows."""
    from cattrs import Converter  # noqa: PLC0415 - slow to import

    converter = Converter(detailed_validation=True)
    for kind, check in SINGLE.items():
        converter.register_structure_hook(kind, check)
        converter.register_unstructure_hook(kind, check)
    converter.register_unstructure_hook(Payload, _write_payload)
    for is_of, reader, writer in _FAMILIES:
        converter.register_structure_hook_factory(is_of, partial(reader, converter))
        converter.register_unstructure_hook_factory(is_of, partial(writer, converter))
    return converter


def decoded(read: Callable[[Any], T], data: Any, path: str) -> T:
    """Read a document that stands at `path`; every error names its place from there."""
    try:
        return read(data)
    except FormatError as error:
        raise located(path, error) from None
    except SpecError as error:
        raise SpecError(
            tuple((join(path, place), text) for place, text in error.problems)
        ) from None


def encoded(write: Writer, value: Any) -> Any:
    """Write a whole document."""
    try:
        return write(value)
    except RecursionError:
        raise FormatError("", "nested too deeply") from None


# --- records ---


def record_reader(
    converter: Converter,
    cls: type,
    *,
    also: tuple[str, ...] = (),
    renamed: Mapping[str, str] = types.MappingProxyType({}),
) -> Reader:
    """Read a mapping as a record; `also` are keys that somebody else takes out before."""
    from cattrs import ClassValidationError, override  # noqa: PLC0415 - slow to import
    from cattrs.gen import make_dict_structure_fn  # noqa: PLC0415 - slow to import

    overrides = {name: override(rename=key) for name, key in renamed.items()}
    read: Reader = make_dict_structure_fn(
        cls,
        converter,
        _cattrs_forbid_extra_keys=True,
        **overrides,  # type: ignore[arg-type]  # they stand beside the options of cattrs
    )
    known = tuple(renamed.get(name, name) for name in attrs.fields_dict(cls)) + also

    def read_record(data: Any, _: Any = None) -> Any:
        if not isinstance(data, dict):
            raise expected("a mapping", data)
        try:
            return read(data, cls)
        except ClassValidationError as group:
            problems = list(_record_problems(group, known, renamed))
        raise FormatError.of(problems)

    return read_record


def _record_problems(
    group: ClassValidationError, known: tuple[str, ...], renamed: Mapping[str, str]
) -> Iterator[Problem]:
    """Tell what is wrong with the fields of one record, seen from that record."""
    from cattrs import ForbiddenExtraKeysError  # noqa: PLC0415 - slow to import

    fields, others = group.group_exceptions()
    for error, note in fields:
        key = renamed.get(note.name, note.name)
        match error:
            case FormatError() | SpecError():
                yield from ((join(key, place), text) for place, text in error.problems)
            case KeyError():
                yield "", f"missing key {key!r}"
            case RecursionError():
                yield key, "nested too deeply"
            case _:
                raise error
    for error in others:
        if isinstance(error, FormatError):
            yield from error.problems
            continue
        if not isinstance(error, ForbiddenExtraKeysError):
            raise error
        for extra in islice(sorted(error.extra_fields, key=repr), PROBLEMS):
            yield key_place(extra), unknown("key", extra, known)


def record_writer(converter: Converter, cls: type) -> Writer:
    """Write a record as a dict of those fields that differ from their defaults."""
    from cattrs.gen import make_dict_unstructure_fn  # noqa: PLC0415 - slow to import

    write: Writer = make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True)

    def write_record(record: Any) -> Any:
        if record.__class__ is not cls:
            raise expected(f"a {cls.__name__}", record)
        try:
            return write(record)
        except FormatError:
            problems = list(_field_problems(record, converter))
        raise FormatError.of(problems)

    return write_record


def _field_problems(record: Any, converter: Converter) -> Iterator[Problem]:
    """Write the fields of a record one by one to see which of them are refused."""
    for field in attrs.fields(record.__class__):
        try:
            converter.get_unstructure_hook(field.type)(getattr(record, field.name))
        except FormatError as error:
            yield from located(field.name, error).problems


# --- tuples, which are lists in JSON ---


def _row_reader(converter: Converter, kind: Any) -> Reader:
    element = element_of(kind)
    read = converter.get_structure_hook(element)

    def read_row(data: Any, _: Any = None) -> Any:
        if not isinstance(data, list):
            raise expected("a list", data)
        return _each(lambda item: read(item, element), data)

    return read_row


def _row_writer(converter: Converter, kind: Any) -> Writer:
    write = converter.get_unstructure_hook(element_of(kind))

    def write_row(row: Any) -> Any:
        if row.__class__ is not tuple:
            raise expected("a tuple", row)
        return list(_each(write, row))

    return write_row


def _each(convert: Writer, items: list[Any] | tuple[Any, ...]) -> tuple[Any, ...]:
    """Convert every item, or tell which of them cannot be."""
    converted: list[Any] = []
    problems: list[Problem] = []
    for index, item in enumerate(items):
        try:
            converted.append(convert(item))
        except FormatError as error:
            problems += located(f"[{index}]", error).problems
            if len(problems) >= PROBLEMS:
                break
    if problems:
        raise FormatError.of(problems)
    return tuple(converted)


# --- what may be null ---


def _optional_reader(converter: Converter, kind: Any) -> Reader:
    inner = present(kind)
    read = converter.get_structure_hook(inner)
    return lambda data, _=None: None if data is None else read(data, inner)


def _optional_writer(converter: Converter, kind: Any) -> Writer:
    write = converter.get_unstructure_hook(present(kind))
    return lambda value: None if value is None else write(value)


# --- closed choices ---


def register_enum(converter: Converter, enum: type[Enum]) -> None:
    """Read and write an enum by its values; one that is also a str would pass for text."""
    members = {member.value: member for member in enum}

    def read_member(data: Any, _: Any = None) -> Any:
        if data.__class__ is not str or data not in members:
            raise expected(f"one of {', '.join(members)}", data)
        return members[data]

    def write_member(member: Any) -> Any:
        if member.__class__ is not enum:
            raise expected(f"a {enum.__name__}", member)
        return member.value

    converter.register_structure_hook(enum, read_member)
    converter.register_unstructure_hook(enum, write_member)


def _is_choice(kind: Any) -> bool:
    return bool(choices_of(kind))


def _choice_check(_: Converter, kind: Any) -> Reader:
    return choice(kind)


# --- payloads ---


def _write_payload(payload: Any) -> Any:
    if payload.__class__ is not Payload:
        raise expected("a Payload", payload)
    return payload.value


_FAMILIES: Final[
    tuple[tuple[Callable[[Any], bool], Callable[..., Reader], Callable[..., Writer]], ...]
] = (
    (attrs.has, record_reader, record_writer),
    (is_row, _row_reader, _row_writer),
    (is_optional, _optional_reader, _optional_writer),
    (_is_choice, _choice_check, _choice_check),
)
"""How values of each family of kinds are told, read and written."""
