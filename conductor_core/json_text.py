"""JSON text: strict to read, compact to write.

Rule: what `json` lets pass is refused when it would not survive being written again:
duplicate keys, NaN and infinities (also `1e999`), lone surrogates, bytes that are no UTF-8.
Nesting is bounded by a number and not by how much stack happens to be left, so that a text
is readable everywhere or nowhere.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, NoReturn

from conductor_core.errors import FormatError, shown
from conductor_core.places import join, key_place

DEPTH: Final = 128
"""How deeply lists and mappings may be nested."""


def loads(text: str | bytes) -> Any:
    """Read one JSON value; raise FormatError for anything else."""
    if isinstance(text, bytes):
        text = _decoded(text)
    if text.startswith("\ufeff"):
        raise FormatError("", "not JSON: it begins with a byte order mark")
    try:
        value = _decoder.decode(text)
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
        raise FormatError("", f"not JSON: {what} at character {error.pos + 1}") from None
    except ValueError:
        raise FormatError("", "an integer has too many digits") from None
    except RecursionError:
        raise _too_deep() from None
    check_depth(text, value)
    _check_surrogates(text, value)
    return value


def dumps(value: Any) -> str:
    """Write a value in one line, its keys in the order that they have."""
    return _encoder.encode(value)


def check_depth(text: str, value: Any) -> None:
    """Refuse a value, given with its text, that is nested more deeply than DEPTH."""
    if is_deeper(text, value, DEPTH):
        raise _too_deep()


def is_deeper(text: str, value: Any, bound: int) -> bool:
    """Whether a value, given with its text, is nested in more levels than `bound`."""
    if text.count("[") + text.count("{") <= bound:
        return False
    level, depth = [value], 0
    while nodes := [node for node in level if isinstance(node, (dict, list, tuple))]:
        depth += 1
        if depth > bound:
            return True
        level = [item for node in nodes for item in _items(node)]
    return False


def _items(node: dict[str, Any] | list[Any] | tuple[Any, ...]) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node


def _too_deep() -> FormatError:
    return FormatError("", f"nested more than {DEPTH} levels deep")


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("", f"invalid UTF-8 at byte {error.start + 1}") from None


def _check_surrogates(text: str, value: Any) -> None:
    """Refuse lone surrogates, which enter by an escape or stand in the text itself."""
    if "\\ud" not in text and "\\uD" not in text and _encodable(text):
        return
    for place, string in _strings(value, ""):
        if not _encodable(string):
            raise FormatError(place, f"{shown(string)} holds a lone surrogate")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _strings(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every string in a value with its place; a key stands at the place of its value."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, f"{place}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            inner = join(place, key_place(key))
            yield inner, key
            yield from _strings(item, inner)


# --- hooks of the decoder ---


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of pairs whose keys differ."""
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    uses = Counter(key for key, _ in pairs)
    (twice, _), *_ = uses.most_common(1)
    raise FormatError("", f"duplicate key {shown(twice)}")


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise FormatError("", f"{shown(text)} is too large a number")
    return value


def _no_number(text: str) -> NoReturn:
    raise FormatError("", f"{text} is no JSON value")


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_constant=_no_number
)
_encoder: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
