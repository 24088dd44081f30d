"""Building frozen records at the price of open ones.

Rule: a frozen record guards every assignment, those of its own `__init__` too, so that building
it costs three times what an open one does. What is made here builds a record open and then
lets it become one of its own class (`frozen`).

Nothing is converted or validated: it is for values that the reducer made or checked itself.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ParamSpec, TypeVar

import attrs

from conductor_core.frozen import open_class_of

P = ParamSpec("P")
T = TypeVar("T")


def builder(cls: Callable[P, T]) -> Callable[P, T]:
    """A function that builds a frozen record of its fields, called as the class itself is."""
    fields = _fields(cls)
    by_name = any(field.kw_only for field in fields)
    parameters = ["*"] if by_name else []
    parameters += [_parameter(field) for field in fields]
    defaults = {f"default_{field.name}": field.default for field in fields}
    values = {field.name: field.name for field in fields}
    return _sealing(cls, parameters, values, defaults)


def copier(cls: Callable[..., T], *given: str) -> Callable[..., T]:
    """A function that builds a frozen record of what has its attributes.

    The values of those that are `given` follow as further arguments: a fast `evolve`.
    """
    return _sealing(cls, ["source", *given], _copied(cls, given), {})


def opener(cls: type, target: Callable[..., T], *given: str) -> Callable[..., T]:
    """A function as that of `copier`, which builds an open object of the same slots."""
    assignments = _assigned(_copied(cls, given))
    return _defined(["source", *given], assignments, {"opened": target})


def _parameter(field: attrs.Attribute[Any]) -> str:
    assert field.init, f"{field.name} is no parameter"
    assert field.default.__class__ is not attrs.Factory, f"{field.name} has no one default"
    return field.name if field.default is attrs.NOTHING else f"{field.name}=default_{field.name}"


def _fields(cls: Any) -> tuple[attrs.Attribute[Any], ...]:
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)
    return fields


def _copied(cls: Any, given: tuple[str, ...]) -> dict[str, str]:
    """The expression for the value of each field: its argument, or that of the source."""
    names = [field.name for field in _fields(cls)]
    return {name: name if name in given else f"source.{name}" for name in names}


def _assigned(values: dict[str, str]) -> list[str]:
    return [f"record.{name} = {value}" for name, value in values.items()]


def _sealing(
    cls: Any, parameters: Iterable[str], values: dict[str, str], names: dict[str, Any]
) -> Callable[..., Any]:
    """A function that builds a record of some expressions and seals it."""
    opened = open_class_of(cls)
    lines = [*_assigned(values), "record.__class__ = sealed"]
    return _defined(parameters, lines, {**names, "opened": opened, "sealed": cls})


def _defined(
    parameters: Iterable[str], lines: list[str], namespace: dict[str, Any]
) -> Callable[..., Any]:
    """A function of a source text, as attrs itself makes them."""
    head = f"def made({', '.join(parameters)}):"
    source = "\n    ".join([head, "record = new(opened)", *lines, "return record"])
    return compiled("made", source, {**namespace, "new": object.__new__})


class RecordFunctions(ABC, dict[Any, Callable[..., Any]]):
    """Functions of values, by the kind of the value, which are compiled when they are asked for.

    Those of records know each other by name, so that a record may hold others of its class. One
    thread compiles at a time: another would find the name of a function that is not there yet.
    """

    def __init__(self, **names: Any) -> None:
        self._names = names
        self._records: dict[type, str] = {}
        self._compiling = threading.RLock()

    def __missing__(self, kind: Any) -> Callable[..., Any]:
        with self._compiling:
            if kind not in self:
                self[kind] = self._function(kind)
            return self[kind]

    @abstractmethod
    def _function(self, kind: Any) -> Callable[..., Any]:
        """The function of a kind of values."""

    def _named(self, value: object) -> str:
        """A name under which compiled functions find a value."""
        name = f"known_{len(self._names)}"
        self._names[name] = value
        return name

    def _record(self, cls: type) -> str:
        """The name of the function of a record, perhaps one under way."""
        if cls not in self._records:
            self._records[cls] = name = f"record_{len(self._records)}"
            compiled(name, "\n".join(self._record_source(name, cls)), self._names)
        return self._records[cls]

    @abstractmethod
    def _record_source(self, name: str, cls: type) -> Iterator[str]:
        """The lines of the function of a record."""


def compiled(name: str, source: str, namespace: dict[str, Any]) -> Callable[..., Any]:
    """The function that a source text defines, which is made of the names of fields only."""
    exec(source, namespace)  # noqa: S102 - as attrs itself makes its methods
    made: Callable[..., Any] = namespace[name]
    return made
