"""How the reader of a format and its JSON Schema are held against each other.

Rule: a schema never refuses what the reader accepts; what the reader refuses it refuses in
the same place, unless the problem is one of those that no schema tells.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from conductor_adapters.cli.documents import parse_document, read_document
from conductor_core.errors import FormatError, Problem, SpecError
from conductor_core.places import join, key_place

ROOT: Final = Path(__file__).parents[1]

Read: TypeAlias = Callable[[Any], object]

ODDITIES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 7, -1, 1.0, 1.5, 2**53, 2**63),
    *("", " ", "text", "no key!", "plan#1", "x" * 200),
    *([], {}, [7], ["text", "text"], [[]], [{}], {"text": 7}, {"from_env": "HOME"}),
)
"""Values of every type, at the edges of what anything takes."""


def problems_of(read: Read, data: Any) -> tuple[Problem, ...]:
    """What a reader says is wrong with a document."""
    try:
        read(data)
    except (FormatError, SpecError) as error:
        return error.problems
    return ()


class Checker:
    """Checks documents by a schema."""

    def __init__(self, schema: Any) -> None:
        Draft202012Validator.check_schema(schema)
        self._validator = Draft202012Validator(_placed(schema))

    def accepts(self, data: Any) -> bool:
        """Whether the schema accepts a document."""
        return self._validator.is_valid(data)

    def places(self, data: Any) -> set[str]:
        """Where the schema refuses a document, and where each of its alternatives does."""
        return set(_places(self._validator.iter_errors(data)))


def _placed(schema: Any, key: str = "") -> Any:
    """The same schema, its false properties spelled so that the library knows their place."""
    if isinstance(schema, dict) and key == "properties":
        return {name: {"not": {}} if it is False else _placed(it) for name, it in schema.items()}
    if isinstance(schema, dict):
        return {name: _placed(it, name) for name, it in schema.items()}
    return [_placed(item) for item in schema] if isinstance(schema, list) else schema


def _places(errors: Iterable[ValidationError]) -> Iterator[str]:
    for error in errors:
        path = _path(error)
        if error.validator == "additionalProperties" and isinstance(error.instance, dict):
            # The place of a key that is unknown is that key.
            yield from (join(path, key_place(key)) for key in error.instance)
        elif "propertyNames" in error.absolute_schema_path:
            yield join(path, key_place(error.instance))
        else:
            yield path
        if error.validator == "required":
            missing: Any = error.validator_value
            yield from (join(path, key_place(key)) for key in missing)
        yield from _places(error.context)


def _path(error: ValidationError) -> str:
    path = ""
    for part in error.absolute_path:
        path = join(path, f"[{part}]" if isinstance(part, int) else key_place(part))
    return path


def disagreements(read: Read, checker: Checker, data: Any, untold: re.Pattern[str]) -> list[str]:
    """What is wrong by the reader or the schema alone, and may not be."""
    problems = problems_of(read, data)
    if not problems:
        return [f"{place}: refused by the schema alone" for place in checker.places(data)]
    places = checker.places(data)
    told = {path: text for path, text in problems if not untold.search(text)}
    # The schema may stop at a place of its own where the reader has more to tell than it.
    if places & told.keys() or (places and len(told) < len(problems)):
        return []
    return [f"{path}: {text}" for path, text in told.items()]


# --- documents ---


@cache
def documents(folder: str, pattern: str) -> tuple[Any, ...]:
    """The data of every file of a folder whose name matches a pattern."""
    return tuple(read_document(path).data for path in sorted((ROOT / folder).rglob(pattern)))


@cache
def shown_documents() -> tuple[Any, ...]:
    """The data of every YAML block of the documentation."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    blocks = [
        block
        for file in files
        for block in re.findall(
            r"^```yaml\n(.*?)^```$", file.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
    ]
    return tuple(parse_document(block.encode(), "block.yaml").data for block in blocks)


def is_scenario_file(data: Any) -> bool:
    """Whether data is that of a scenario file."""
    return isinstance(data, dict) and "scenarios" in data


def is_flow_file(data: Any) -> bool:
    """Whether data is that of a flow file."""
    return isinstance(data, dict) and "groups" in data


# --- mutations ---


def _places_in(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a document, as a row of keys and indexes."""
    yield path
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _places_in(value, (*path, key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from _places_in(item, (*path, index))


def oddities() -> st.SearchStrategy[Any]:
    """Any odd value, in a copy of its own."""
    return st.sampled_from(ODDITIES).map(copy.deepcopy)


@st.composite
def mutated(draw: st.DrawFn, originals: tuple[Any, ...]) -> Any:
    """A document with one to three changes: a part dropped, a key added, a value replaced."""
    data = copy.deepcopy(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(_places_in(data))))
        if not place:
            data[draw(st.sampled_from(KEYS))] = draw(oddities())
            continue
        *way, last = place
        parent = data
        for part in way:
            parent = parent[part]
        change = draw(st.sampled_from(("drop", "add", "replace")))
        if change == "drop":
            del parent[last]
        elif change == "add" and isinstance(parent, dict):
            parent[draw(st.sampled_from(KEYS))] = draw(oddities())
        else:
            parent[last] = draw(oddities())
    return data


KEYS: Final = (
    *("unknown", "key", "type", "flow", "name", "metadata", "max_parallel", "steps"),
    *("run", "cwd", "env", "work", "input", "approval", "needs", "timeout_ms"),
    *("required", "expect", "check", "start", "cancel", "group", "step", "by", "fail"),
)
"""Keys that belong somewhere, and one that belongs nowhere."""
