"""YAML 1.2 text into pieces: the core schema, read from the parser's events.

Rule: nothing is constructed but strings, numbers, truth values and null; a tag is an
error, and `on`, `no`, `yes`, `<<` and dates are strings. The parser in C and the one in
Python give the same pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from yaml import events

from conductor_adapters.cli.pieces import (
    Alias,
    Close,
    OpenList,
    OpenMap,
    Piece,
    Scalar,
    Unreadable,
    integer,
    real,
)
from conductor_core.errors import shown

UNPRINTABLE: Final = re.compile(
    "[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
BREAKS: Final = re.compile("[\x85\u2028\u2029]")
"""What ends a line for the parser, as in YAML 1.1; for YAML 1.2, and to the eye, it does not."""
NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
TRUTHS: Final = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
INTEGER: Final = re.compile(r"[-+]?[0-9]+")
OTHER_BASE: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
REAL: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_A_NUMBER: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

Loader: type[Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def read_yaml(text: str) -> Iterator[Piece]:
    """Yield the pieces of the one document in the text."""
    _check_characters(text)
    documents = 0
    try:
        for event in yaml.parse(text, Loader=Loader):
            if isinstance(event, events.DocumentStartEvent):
                documents += 1
                _check_document(event, documents)
            elif isinstance(event, events.AliasEvent):
                yield Alias(_line(event), str(event.anchor))
            elif isinstance(event, (events.ScalarEvent, events.CollectionStartEvent)):
                yield _node(event)
            elif isinstance(event, events.CollectionEndEvent):
                yield Close(_line(event))
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error) from None


def _check_characters(text: str) -> None:
    for characters, problem in (
        (UNPRINTABLE, "is not allowed in YAML"),
        (BREAKS, "breaks lines unseen: write it as an escape in double quotes"),
    ):
        found = characters.search(text)
        if found is not None:
            line = text.count("\n", 0, found.start()) + 1
            raise Unreadable(line, f"the character {found.group()!r} {problem}")


def _check_document(start: events.DocumentStartEvent, number: int) -> None:
    if number > 1:
        raise Unreadable(_line(start), "a second document, expected one")
    if start.version not in (None, (1, 2)):
        raise Unreadable(_line(start), f"YAML {'.'.join(map(str, start.version))}, expected 1.2")
    if start.tags:
        raise Unreadable(_line(start), "a %TAG directive, expected none")


def _node(event: events.ScalarEvent | events.CollectionStartEvent) -> Piece:
    """One piece for a node of the document; a tag of any kind is refused."""
    line = _line(event)
    if event.tag is not None:
        raise Unreadable(line, f"the tag {shown(event.tag)}, expected a plain value")
    if isinstance(event, events.MappingStartEvent):
        return OpenMap(line, event.anchor)
    if isinstance(event, events.CollectionStartEvent):
        return OpenList(line, event.anchor)
    plain = event.implicit[0]
    return Scalar(line, _plain(line, event.value) if plain else event.value, event.anchor)


def _plain(line: int, text: str) -> str | int | float | bool | None:
    """Resolve an unquoted scalar by the core schema."""
    if text in NULLS:
        return None
    if text in TRUTHS:
        return TRUTHS[text]
    if text[0] not in "+-.0123456789":
        return text
    if INTEGER.fullmatch(text):
        return integer(line, text)
    if OTHER_BASE.fullmatch(text):
        return integer(line, text[2:], 8 if text[1] == "o" else 16)
    if REAL.fullmatch(text):
        return real(line, text)
    if NOT_A_NUMBER.fullmatch(text):
        raise Unreadable(line, f"{text} is no JSON value (a string needs quotes)")
    return text


def _line(event: events.Event) -> int:
    assert event.start_mark is not None, "the parser says where"
    return event.start_mark.line + 1


def _unreadable(error: yaml.MarkedYAMLError) -> Unreadable:
    mark = error.problem_mark or error.context_mark
    assert mark is not None, "the parser says where"
    context = f" {error.context}" if error.context else ""
    return Unreadable(mark.line + 1, f"no valid YAML: {error.problem}{context}")
