"""Files that people write, read strictly and with a line for every place.

Rule: nothing in a file is ever evaluated, guessed or corrected; whatever is not plain
data within the limits is one DocumentError that names file, line, path and problem.
A document is decoded data (the codec reads its meaning), and the places to blame.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from conductor_adapters.cli.json_reader import read_json
from conductor_adapters.cli.pieces import (
    Alias,
    Close,
    OpenList,
    OpenMap,
    Piece,
    Scalar,
    Unreadable,
)
from conductor_adapters.cli.yaml_reader import read_yaml
from conductor_core.errors import ConductorError, Problem, shown
from conductor_core.places import join, key_place

MAX_BYTES: Final = 10_000_000
MAX_NODES: Final = 200_000
MAX_DEPTH: Final = 100

SURROGATE: Final = re.compile("[\ud800-\udfff]")
INDEX: Final = re.compile(r"\[(\d+)\]")


class DocumentError(ConductorError):
    """A file that cannot be used, for whoever wrote it; `line` is None for all of it.

    The message tells the problem, and a line each what `more` is wrong.
    """

    def __init__(
        self, file: str, line: int | None, path: str, problem: str, *more: DocumentError
    ) -> None:
        self.file = file
        self.line = line
        self.path = path
        self.problem = problem
        self.more = more
        place = file if line is None else f"{file}:{line}"
        told = ": ".join(part for part in (place, path, problem) if part)
        super().__init__("\n".join([told, *map(str, more)]))


@frozen
class Place:
    """Where a value stands, and the places of what stands in it, by key or by index.

    `height` counts the levels of nesting, itself included.
    """

    line: int
    parts: dict[str, Place] | list[Place]
    height: int

    def inner(self, path: str) -> tuple[Place, str] | None:
        """The part that a path begins with, and the rest of the path."""
        if isinstance(self.parts, list):
            index = INDEX.match(path)
            if index is None or int(index[1]) >= len(self.parts):
                return None
            return self.parts[int(index[1])], path[index.end() :]
        rest = path.removeprefix(".")
        # Keys may hold dots themselves, so the longest that fits is meant.
        fits = ((key, form) for key in self.parts for form in _forms(key) if _begins(rest, form))
        found = max(fits, key=lambda fit: len(fit[1]), default=None)
        return None if found is None else (self.parts[found[0]], rest[len(found[1]) :])


def _forms(key: str) -> tuple[str, str]:
    """How a path may name a key."""
    return key, key_place(key)


def _begins(path: str, form: str) -> bool:
    return path.startswith(form) and (len(path) == len(form) or path[len(form)] in ".[")


@frozen(kw_only=True)
class Document:
    """Decoded data (dict, list, str, int, float, bool, None) and where it stands.

    What an alias repeats is one shared object: read it, do not change it.
    """

    name: str
    data: Any
    place: Place

    def line_of(self, path: str) -> int:
        """The line of a path such as `groups[1].steps[0].key`, or of what encloses it."""
        place = self.place
        while path:
            found = place.inner(path)
            if found is None:
                break
            place, path = found
        return place.line

    def error(self, path: str, problem: str) -> DocumentError:
        """An error at a path of this document."""
        return self.refused([(path, problem)])

    def refused(self, problems: Iterable[Problem]) -> DocumentError:
        """One error for all the problems of this document, of which there is at least one."""
        first, *more = (
            (self.name, self.line_of(path), path, problem) for path, problem in problems
        )
        return DocumentError(*first, *(DocumentError(*place) for place in more))


def read_document(path: Path) -> Document:
    """Read a YAML file, or a JSON file by its suffix; raise DocumentError."""
    return parse_document(read_content(path), str(path))


def read_content(path: Path) -> bytes:
    """The content of a file; of one that is too large, enough to see that it is."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(str(path), None, "", error.strerror or str(error)) from None


def parse_document(content: bytes, name: str) -> Document:
    """Read the content of a file; the name decides between YAML and JSON."""
    if len(content) > MAX_BYTES:
        raise DocumentError(name, None, "", f"larger than {MAX_BYTES:,} bytes")
    read = read_json if name.lower().endswith(".json") else read_yaml
    builder = _Builder()
    try:
        data, place = builder.build(read(_text(content)))
    except Unreadable as error:
        raise DocumentError(name, error.line, builder.path, error.problem) from None
    return Document(name=name, data=data, place=place)


def _text(content: bytes) -> str:
    """Decode the content as UTF-8, with or without a byte order mark."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        wrong = content[error.start : error.start + 1]
        raise Unreadable(line, f"no valid UTF-8: the byte 0x{wrong.hex()}") from None


@frozen
class _Anchored:
    """What an alias repeats, and how much it adds to the size of the document."""

    data: Any
    place: Place
    nodes: int
    characters: int


class _Builder:
    """Builds the tree from its pieces, within the limits.

    `path` says where the builder stands. Repeated nodes and characters count each time:
    what is small as text may be huge when its aliases are followed.
    """

    def __init__(self) -> None:
        self.nodes = 0
        self.characters = 0
        self.steps: list[str | int] = []
        self.anchors: dict[str, _Anchored | None] = {}

    @property
    def path(self) -> str:
        """The path of the value that is being built."""
        path = ""
        for step in self.steps:
            path = join(path, f"[{step}]" if isinstance(step, int) else key_place(step))
        return path

    def build(self, pieces: Iterator[Piece]) -> tuple[Any, Place]:
        """Build the one tree that all the pieces make up."""
        first = next(pieces, None)
        if first is None:
            raise Unreadable(1, "the document is empty")
        tree = self._value(first, pieces)
        # A reader finds what is wrong after the tree only when it is asked for more.
        for piece in pieces:
            raise AssertionError(f"{piece!r} follows the tree")
        return tree

    def _value(self, piece: Piece, pieces: Iterator[Piece]) -> tuple[Any, Place]:
        """Build the value that begins with a piece, and remember it under its anchor."""
        if isinstance(piece, Alias):
            return self._repeated(piece)
        assert not isinstance(piece, Close), "every close belongs to an open piece"
        if piece.anchor is None:
            return self._fresh(piece, pieces)
        self.anchors[piece.anchor] = None
        nodes, characters = self.nodes, self.characters
        data, place = self._fresh(piece, pieces)
        self.anchors[piece.anchor] = _Anchored(
            data, place, self.nodes - nodes, self.characters - characters
        )
        return data, place

    def _fresh(
        self, piece: Scalar | OpenMap | OpenList, pieces: Iterator[Piece]
    ) -> tuple[Any, Place]:
        self._check_depth(piece.line, 1)
        if isinstance(piece, Scalar):
            return self._scalar(piece)
        self._count(piece.line, 1, 0)
        if isinstance(piece, OpenMap):
            return self._map(piece.line, pieces)
        return self._list(piece.line, pieces)

    def _scalar(self, piece: Scalar) -> tuple[Any, Place]:
        value = piece.value
        self._count(piece.line, 1, len(value) if isinstance(value, str) else 1)
        if isinstance(value, str) and SURROGATE.search(value):
            raise Unreadable(piece.line, f"half a surrogate pair in {shown(value)}")
        return value, Place(piece.line, [], 1)

    def _map(self, line: int, pieces: Iterator[Piece]) -> tuple[Any, Place]:
        data: dict[str, Any] = {}
        parts: dict[str, Place] = {}
        height = 0
        while not isinstance(piece := next(pieces), Close):
            key = self._key(piece, pieces)
            if key in data:
                first = parts[key].line
                raise Unreadable(piece.line, f"duplicate key {shown(key)}, first on line {first}")
            self.steps.append(key)
            data[key], place = self._value(next(pieces), pieces)
            self.steps.pop()
            # People look for a key, even when its value begins on a later line.
            parts[key] = Place(piece.line, place.parts, place.height)
            height = max(height, place.height)
        return data, Place(line, parts, height + 1)

    def _key(self, piece: Piece, pieces: Iterator[Piece]) -> str:
        # Not even looked into: keys within keys would nest without a level.
        nested = isinstance(piece, (OpenMap, OpenList))
        key = None if nested else self._value(piece, pieces)[0]
        if nested or isinstance(key, (dict, list)):
            raise Unreadable(piece.line, "the key is no string but a mapping or a list")
        if not isinstance(key, str):
            raise Unreadable(piece.line, f"the key {json.dumps(key)} is no string: quote it")
        return key

    def _list(self, line: int, pieces: Iterator[Piece]) -> tuple[Any, Place]:
        data: list[Any] = []
        parts: list[Place] = []
        self.steps.append(0)
        while not isinstance(piece := next(pieces), Close):
            value, place = self._value(piece, pieces)
            data.append(value)
            parts.append(place)
            self.steps[-1] = len(data)
        self.steps.pop()
        return data, Place(line, parts, max((part.height for part in parts), default=0) + 1)

    def _repeated(self, alias: Alias) -> tuple[Any, Place]:
        """What an alias stands for, counted once more."""
        name = shown(f"*{alias.anchor}")
        if alias.anchor not in self.anchors:
            raise Unreadable(alias.line, f"the alias {name} has no anchor before it")
        anchored = self.anchors[alias.anchor]
        if anchored is None:
            raise Unreadable(alias.line, f"the alias {name} stands inside itself")
        self._check_depth(alias.line, anchored.place.height)
        self._count(alias.line, anchored.nodes, anchored.characters)
        return anchored.data, anchored.place

    def _check_depth(self, line: int, height: int) -> None:
        if len(self.steps) + height > MAX_DEPTH:
            raise Unreadable(line, f"nested deeper than {MAX_DEPTH} levels")

    def _count(self, line: int, nodes: int, characters: int) -> None:
        self.nodes += nodes
        self.characters += characters
        if self.nodes > MAX_NODES:
            raise Unreadable(line, f"more than {MAX_NODES:,} values, aliases followed")
        if self.characters > MAX_BYTES:
            raise Unreadable(line, f"more than {MAX_BYTES:,} characters, aliases followed")
