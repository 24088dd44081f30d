"""Decoded data as YAML, for whoever pastes a scenario into a file.

Rule: what is written is read back as the same data by every YAML parser: a string stands
plain only if nothing else could be meant, and what is not printable is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:[#/.][A-Za-z0-9_-]+)*")
OTHER_MEANINGS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""What YAML 1.1 or 1.2 reads as something else than a string."""


def yaml_of(data: Mapping[str, Any]) -> str:
    """A mapping of JSON values as a YAML document."""
    return "".join(f"{line}\n" for line in _lines_of(data))


def _lines_of(value: object) -> Iterator[str]:
    """A mapping or a sequence that is not empty, line by line."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{_scalar(key)}:", item, indented=isinstance(item, Mapping))
    else:
        assert isinstance(value, list), f"{value!r} is on one line"
        for item in value:
            first, *rest = list(_lines_of(item)) if _is_block(item) else [_scalar(item)]
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)


def _entry(head: str, item: object, *, indented: bool) -> Iterator[str]:
    """A key with its value, on the same line or below."""
    if not _is_block(item):
        yield f"{head} {_scalar(item)}"
        return
    yield head
    for line in _lines_of(item):
        yield f"  {line}" if indented else line


def _is_block(value: object) -> bool:
    """Whether a value takes lines of its own."""
    return isinstance(value, Mapping | list) and bool(value)


def _scalar(value: object) -> str:
    """A value on one line."""
    if isinstance(value, str):
        if PLAIN.fullmatch(value) and value.lower() not in OTHER_MEANINGS:
            return value
        return "".join(map(_printable, json.dumps(value, ensure_ascii=False)))
    return json.dumps(value)


def _printable(character: str) -> str:
    return character if character.isprintable() else f"\\U{ord(character):08x}"
