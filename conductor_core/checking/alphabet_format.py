"""An alphabet as it is written in a checks file: what is left out is the default of the flow.

Rule: the keys are the fields of `Alphabet`, and the form is closed. What could never happen, such
as groups for a flow that asks for none, is refused: it would look like a wider search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from attrs import evolve

from conductor_core import closed, codec
from conductor_core.catalog import Catalog
from conductor_core.checking.alphabet import (
    ALL_OPERATIONS,
    BY_NAME,
    OPTIONS,
    RESPONSES,
    Alphabet,
    Ending,
)
from conductor_core.checking.defaults import default_alphabet
from conductor_core.errors import WIDTH, FormatError, Problem, shown
from conductor_core.generation import clash
from conductor_core.places import unknown
from conductor_core.records import decoded
from conductor_core.spec import FlowSpec, GroupSpec, group_problems


def alphabet_of(spec: FlowSpec) -> closed.Reader[Alphabet]:
    """A reader of the alphabet for a flow."""

    def read(data: object, path: str) -> Alphabet:
        values, problems = closed.sift(data, path, READERS)
        for key in ("generated", "appended"):
            if values.get(key):
                problems += _group_problems(spec, key, values[key], closed.child(path, key))
        closed.tell(problems)
        return evolve(default_alphabet(spec), **values)

    return read


def word_of(what: str, known: Iterable[str]) -> closed.Reader[str]:
    """A reader of one of a few words, which says which one was perhaps meant."""
    words = tuple(known)

    def read(data: object, path: str) -> str:
        if not isinstance(data, str) or data not in words:
            raise FormatError(path, unknown(what, data, words))
        return data

    return read


def each_once(
    reader: closed.Reader[Any], name_of: Callable[[Any], str] = str
) -> closed.Reader[tuple[Any, ...]]:
    """A reader of a list in which nothing stands twice."""

    def read(data: object, path: str) -> tuple[Any, ...]:
        items = closed.list_of(reader)(data, path)
        first: dict[str, int] = {}
        for index, item in enumerate(items):
            if first.setdefault(name_of(item), index) != index:
                raise FormatError(f"{path}[{index}]", f"{shown(name_of(item))} is given twice")
        return tuple(items)

    return read


def _ending(data: object, path: str) -> Ending:
    """Read an ending by its name, or by its particulars under a name of its own."""
    if isinstance(data, str) and data in BY_NAME:
        return BY_NAME[data]
    if not isinstance(data, dict):
        raise FormatError(path, _unknown_ending(data))
    ending: Ending = decoded(codec.reader(Ending), data, path)
    if BY_NAME.get(ending.name, ending) != ending:
        raise FormatError(
            closed.child(path, "name"), f"{shown(ending.name)} is the name of another ending"
        )
    return ending


def _unknown_ending(data: object) -> str:
    """Say which endings there are; their names hold commas."""
    word = data[:WIDTH] if isinstance(data, str) else ""
    close = get_close_matches(word, BY_NAME, n=1)
    meant = f" (perhaps {close[0]!r}?)" if close else ""
    return f"unknown ending {shown(data)}{meant}, expected a mapping or one of {'; '.join(BY_NAME)}"


def _endings(data: object, path: str) -> tuple[Ending, ...]:
    endings = each_once(_ending, lambda ending: ending.name)(data, path)
    if not endings:
        raise FormatError(path, "expected at least one way in which work ends")
    return endings


_groups: Final = codec.decode_flow_groups
READERS: Final[Mapping[str, closed.Reader[Any]]] = {
    "endings": _endings,
    "judges_all": closed.flag,
    "starts": closed.flag,
    "timers": closed.flag,
    "answers": each_once(word_of("answer", RESPONSES)),
    "stale": closed.flag,
    "impostors": closed.flag,
    "silent": closed.flag,
    "options": each_once(word_of("option", OPTIONS)),
    "cancels": closed.flag,
    "cancels_parts": closed.flag,
    "pauses": closed.flag,
    "retry_now": closed.flag,
    "operations": each_once(word_of("operation", ALL_OPERATIONS)),
    "reruns": closed.count,
    "replans": closed.count,
    "suggestions": closed.count,
    "generated": _groups,
    "generation_fails": closed.flag,
    "appended": _groups,
    "strays": closed.flag,
}


def _group_problems(
    spec: FlowSpec, key: str, groups: tuple[GroupSpec, ...], path: str
) -> Iterator[Problem]:
    """Say why groups could never be delivered or added."""
    if key == "generated" and spec.groups:
        yield path, "the flow declares its groups, so that none are generated"
        return
    catalog = Catalog().extend(spec.groups)
    taken = clash(catalog, groups)
    if taken is not None:
        yield path, f"{shown(taken)} is a key of the flow already"
    yield from group_problems(groups, catalog, path=path)
