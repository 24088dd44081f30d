"""JSON values, frozen: what travels through a flow without being looked at.

A payload is held as its canonical JSON text (sorted keys, compact, no NaN), so that
it is hashable, compares by that text (`1`, `1.0` and `true` differ) and costs nothing
to copy (S1.5). Nothing here knows what a payload means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from conductor_core.errors import PayloadError, shown
from conductor_core.frozen import frozen
from conductor_core.json_text import is_deeper

__all__ = ["EMPTY", "NULL", "Payload", "freeze"]

DEEPEST: Final = 96
"""How deeply a payload may be nested: what a line of a log can hold, with its wrappings."""

_encoder = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)


def canonical_text(value: object) -> str:
    """Write a JSON value as canonical text; raise PayloadError for any other value."""
    try:
        _check_keys(value)
        text = _encoder.encode(value)
        text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError(f"not a JSON value: {shown(value)} ({error})") from None
    return text


def _check_keys(value: object) -> None:
    """Refuse what `json` would turn into text silently: keys that are no strings."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"key {shown(key)} is no string")
            _check_keys(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_keys(item)


@frozen
class Payload:
    """One frozen JSON value; build it with `freeze`, read it with `value`."""

    text: str

    @staticmethod
    def record(fields: Mapping[str, Payload]) -> Payload:
        """Freeze an object whose values are frozen already."""
        if not fields:
            return EMPTY
        entries = (f"{_encoder.encode(key)}:{fields[key].text}" for key in sorted(fields))
        return Payload("{" + ",".join(entries) + "}")

    @property
    def is_object(self) -> bool:
        """Whether the value maps keys to values."""
        return self.text.startswith("{")

    @property
    def value(self) -> Any:
        """A fresh, mutable copy of the value."""
        return json.loads(self.text)


EMPTY: Final = Payload("{}")
NULL: Final = Payload("null")


def freeze(value: object) -> Payload:
    """Freeze a JSON value (a Payload is returned as it is); raise PayloadError for any other."""
    if isinstance(value, Payload):
        return value
    if value is None:
        return NULL
    if isinstance(value, dict) and not value:
        return EMPTY
    text = canonical_text(value)
    if is_deeper(text, value, DEEPEST):
        raise PayloadError(f"nested more than {DEEPEST} levels deep: {shown(value)}")
    return Payload(text)
