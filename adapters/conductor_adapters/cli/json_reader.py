"""JSON text into pieces, strictly by the grammar.

Rule: what the grammar does not name is an error, so NaN and Infinity are words that
stand nowhere; the standard library's reader knows no lines and accepts both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from conductor_adapters.cli.pieces import (
    Close,
    OpenList,
    OpenMap,
    Piece,
    Scalar,
    Unreadable,
    integer,
    real,
)
from conductor_core.errors import WIDTH, shown

SPACE: Final = re.compile(r"[ \t\r\n]*+")
TOKEN: Final = re.compile(
    r'"(?:[^"\\\x00-\x1f]|\\.)*+"'
    r"|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?"
    r"|[\[\]{},:]|[A-Za-z]++"
)
INTEGER: Final = re.compile(r"-?[0-9]+")
WORDS: Final = {"true": True, "false": False, "null": None}

Token: TypeAlias = tuple[int, str]


def read_json(text: str) -> Iterator[Piece]:
    """Yield the pieces of the one value in the text; none where there is nothing."""
    tokens = _tokens(text)
    first = next(tokens)
    if not first[1]:
        return
    yield from _value(first, tokens)
    line, token = next(tokens)
    if token:
        raise _unexpected("nothing more", line, token)


def _tokens(text: str) -> Iterator[Token]:
    """Yield each token with its line, and an empty one for the end."""
    place, line = 0, 1
    while True:
        space = SPACE.match(text, place)
        assert space is not None, "the pattern matches the empty string"
        line += text.count("\n", place, space.end())
        place = space.end()
        if place == len(text):
            yield line, ""
            return
        token = TOKEN.match(text, place)
        if token is None:
            rest = text[place : place + WIDTH].partition("\n")[0]
            raise Unreadable(line, f"no valid JSON: no value begins with {shown(rest)}")
        yield line, token.group()
        place = token.end()


def _value(first: Token, tokens: Iterator[Token]) -> Iterator[Piece]:
    """Yield the pieces of the value that begins with a token."""
    line, token = first
    if token == "{":
        yield OpenMap(line)
        yield from _members(tokens)
    elif token == "[":
        yield OpenList(line)
        yield from _items(tokens)
    else:
        yield Scalar(line, _scalar(line, token))


def _members(tokens: Iterator[Token]) -> Iterator[Piece]:
    """Yield what follows a `{`, up to its end."""
    token = next(tokens)
    while token[1] != "}":
        yield Scalar(token[0], _key(*token))
        colon = next(tokens)
        if colon[1] != ":":
            raise _unexpected("a colon", *colon)
        yield from _value(next(tokens), tokens)
        token = _after_item("}", tokens)
    yield Close(token[0])


def _items(tokens: Iterator[Token]) -> Iterator[Piece]:
    """Yield what follows a `[`, up to its end."""
    token = next(tokens)
    while token[1] != "]":
        yield from _value(token, tokens)
        token = _after_item("]", tokens)
    yield Close(token[0])


def _after_item(end: str, tokens: Iterator[Token]) -> Token:
    """The end, or the first token of the next item; a comma must be followed by one."""
    line, token = next(tokens)
    if token == end:
        return line, token
    if token != ",":
        raise _unexpected(f"a comma or {end!r}", line, token)
    following = next(tokens)
    if following[1] == end:
        raise _unexpected("another item after the comma", *following)
    return following


def _key(line: int, token: str) -> str:
    if not token.startswith('"'):
        raise _unexpected("a key in quotes", line, token)
    return _string(line, token)


def _scalar(line: int, token: str) -> str | int | float | bool | None:
    if token.startswith('"'):
        return _string(line, token)
    if token in WORDS:
        return WORDS[token]
    if not token or token[0] not in "-0123456789":
        raise _unexpected("a value", line, token)
    return integer(line, token) if INTEGER.fullmatch(token) else real(line, token)


def _string(line: int, token: str) -> str:
    try:
        return str(json.loads(token))
    except json.JSONDecodeError as error:
        raise Unreadable(line, f"no valid JSON: {error.msg} in {shown(token)}") from None


def _unexpected(expected: str, line: int, token: str) -> Unreadable:
    got = shown(token) if token else "the end"
    return Unreadable(line, f"no valid JSON: expected {expected}, got {got}")
