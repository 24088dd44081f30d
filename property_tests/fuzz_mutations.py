"""Changes of bytes that are most likely to be read: by the values of JSON, not by the byte.

Rule: all that is chosen comes from the random numbers that are given, so that the same seed
makes the same change. A log is changed in one of its lines, and then perhaps linked anew,
or played anew, so that its digests hide nothing of what comes behind them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final, TypeAlias

from conductor_core import codec, initial_state
from conductor_core.digest import chain, digest_of
from conductor_core.errors import ConductorError
from conductor_core.json_text import dumps
from conductor_core.log import Header
from conductor_core.loglines import Entry, Line, pinned_text
from conductor_core.payload import canonical_text
from conductor_core.verdicts import Accepted
from property_tests.fuzz_targets import written

ODDITIES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 2, 1.5, 1e300, -0.0, 10**18, 2**63, -(2**63), 10**30),
    *("", "a", "a#1", "a#01", "a#1#2", "timeout:a#1", "\0", "\ud800", "é", "\u2028", "a" * 300),
    *([], {}, [[]], [{}], {"": None}, {"a": "a"}, [None, None], {"type": "step-finished"}),
)
"""Values that belong hardly anywhere."""

Place: TypeAlias = tuple[Any, Any]
"""A mapping or a list, and the key or index of what stands in it."""


def mutated(data: bytes, chance: Random, other: bytes = b"{}") -> bytes:
    """The bytes with some change; `other` is what parts may be taken from."""
    lines = data.split(b"\n")
    number = chance.randrange(len(lines)) if _is_log(lines) else 0
    value = _read(lines[number] if _is_log(lines) else data)
    if value is None or chance.random() < 0.1:
        return _bytes_changed(data, chance, other)
    pool = [value, _read(other.split(b"\n", 1)[0])]
    for _ in range(1 + chance.randrange(3)):
        value = _changed(value, chance, pool)
    if not _is_log(lines):
        return _written(value, chance)
    return _log_changed([*lines[:number], _written(value, chance), *lines[number + 1 :]], chance)


def _read(data: bytes) -> Any:
    """The JSON value of bytes, None if they are none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _written(value: Any, chance: Random) -> bytes:
    """A value as text: mostly as we write it, else with spaces and escapes."""
    if chance.random() < 0.9:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
            errors="surrogatepass"
        )
    return json.dumps(value).encode()


# --- values ---


def _changed(value: Any, chance: Random, pool: list[Any]) -> Any:
    """A value with one part changed."""
    places = list(_places(value))
    if not places:
        return copy.deepcopy(chance.choice(ODDITIES))
    holder, at = chance.choice(places)
    chance.choice(CHANGES)(holder, at, chance, pool)
    return value


def _places(value: Any) -> Iterator[Place]:
    """Every place in a value."""
    todo = [value]
    for holder in todo:  # grows while it is read
        if isinstance(holder, dict):
            yield from ((holder, key) for key in holder)
            todo.extend(holder.values())
        elif isinstance(holder, list):
            yield from ((holder, index) for index in range(len(holder)))
            todo.extend(holder)


def _drop(holder: Any, at: Any, _chance: Random, _pool: list[Any]) -> None:
    del holder[at]


def _make_odd(holder: Any, at: Any, chance: Random, _pool: list[Any]) -> None:
    holder[at] = copy.deepcopy(chance.choice(ODDITIES))


def _nudge(holder: Any, at: Any, chance: Random, pool: list[Any]) -> None:
    """Change a number or a text a little, and anything else a lot."""
    value = holder[at]
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        _make_odd(holder, at, chance, pool)
    elif isinstance(value, int):
        holder[at] = value + chance.choice((-1, 1, 1000))
    else:
        cut = chance.randrange(len(value) + 1)
        holder[at] = value[:cut] + chance.choice(("", "#1", "x", "\0", " ")) + value[cut + 1 :]


def _transplant(holder: Any, at: Any, chance: Random, pool: list[Any]) -> None:
    """Put something from elsewhere in its place; among its like, if there is a like one."""
    places = [place for value in pool for place in _places(value)]
    like = [place for place in places if place[1] == at]
    source, key = chance.choice(like if like and chance.random() < 0.7 else places)
    holder[at] = copy.deepcopy(source[key])


def _add(holder: Any, at: Any, chance: Random, pool: list[Any]) -> None:
    """Put something from elsewhere beside it."""
    source, key = chance.choice([place for value in pool for place in _places(value)])
    if isinstance(holder, list):
        holder.insert(at, copy.deepcopy(source[key]))
    else:
        holder[key if isinstance(key, str) else "a"] = copy.deepcopy(source[key])


def _repeat(holder: Any, at: Any, chance: Random, pool: list[Any]) -> None:
    """Let an item stand twice, or a value under another key too."""
    if isinstance(holder, list):
        holder.insert(at, copy.deepcopy(holder[at]))
    else:
        other = chance.choice([*holder])
        holder[other] = copy.deepcopy(holder[at])


CHANGES: Final[tuple[Callable[[Any, Any, Random, list[Any]], None], ...]] = (
    _drop,
    _make_odd,
    _nudge,
    _nudge,
    _transplant,
    _transplant,
    _add,
    _repeat,
)


# --- logs ---


def _is_log(lines: list[bytes]) -> bool:
    return lines[0].startswith(b'{"log":')


def _log_changed(lines: list[bytes], chance: Random) -> bytes:
    """A log with a changed line: as it is, linked anew, or with all its events played anew."""
    data = b"\n".join(lines)
    return chance.choice((lambda: data, lambda: _linked(lines), lambda: _played(lines, data)))()


def _linked(lines: list[bytes]) -> bytes:
    """The lines with digests that fit."""
    values = [_read(line) for line in lines]
    digest = digest_of(canonical_text(values[0])) if _is_writable(values[0]) else ""
    linked = [lines[0]]
    for line, value in zip(lines[1:], values[1:], strict=True):
        if isinstance(value, dict) and _is_writable(value):
            digest = chain(digest, pinned_text(value))
            linked.append(dumps({**value, "digest": digest}).encode())
        else:
            linked.append(line)
    return b"\n".join(linked)


def _is_writable(value: Any) -> bool:
    try:
        canonical_text(value)
    except ConductorError:
        return False
    return True


def _played(lines: list[bytes], data: bytes) -> bytes:
    """The log of those events that can be read; the lines as they are if there is no header."""
    values = [_read(line) for line in lines]
    try:
        header = codec.reader(Header)(values[0], Header)
        initial_state(header.spec, header.flow_id)
    except ConductorError:
        return data
    found: list[Line] = [header]
    for value in values[1:]:
        try:
            event = codec.decode_event(value["event"])
        except (ConductorError, KeyError, TypeError):
            continue
        found.append(Entry(seq=0, event=event, verdict=Accepted(), commands=(), digest=""))
    return written(found)


# --- bytes ---


def _bytes_changed(data: bytes, chance: Random, other: bytes) -> bytes:
    """The bytes with some of them left out, replaced or put in from elsewhere."""
    first, last = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    last = min(last, first + chance.choice((0, 1, 4, 1000)))
    start = chance.randrange(len(other) + 1)
    news = chance.choice(
        (b"", chance.randbytes(1), b'"', b"\n", b"{", b"- ", other[start : start + 20])
    )
    return data[:first] + news + data[last:]
