"""Records from decoded JSON in a hurry: what can be read is read right, and nothing is told.

Rule: a record that is read here is the one that `records` would read from the same data.
Whatever `records` might refuse raises one of MISREAD, which need not say why; keys may stand
for nothing else than they do there, but nobody looks for keys that stand twice. So this is for
who writes the record again and holds it against the text that it came from.

The readers are compiled once for each class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias

import attrs

from conductor_core.building import RecordFunctions, compiled
from conductor_core.errors import ConductorError
from conductor_core.frozen import open_class_of
from conductor_core.kinds import (
    LEAST,
    MOST,
    SINGLE,
    choice,
    choices_of,
    element_of,
    is_optional,
    is_row,
    present,
    text,
)

LeanReader: TypeAlias = Callable[..., Any]
_Field: TypeAlias = "attrs.Attribute[Any]"

MISREAD: Final = (
    *(ConductorError, AttributeError, LookupError, TypeError),
    *(ValueError, RecursionError),
)
"""What reading may raise, for whatever reason."""


class LeanReaders(RecordFunctions):
    """The reader of each kind of value, made when it is first asked for."""

    def __init__(self) -> None:
        super().__init__(LEAST=LEAST, MOST=MOST, new=object.__new__, refused=_refused, text=text)

    def _function(self, kind: Any) -> LeanReader:
        source = f"def read(v): return {self._expression(kind)}"
        return compiled("read", source, self._names)

    # --- expressions for a value `v` ---

    def _expression(self, kind: Any) -> str:
        if kind in SINGLE:
            return _QUICK.get(kind) or f"{self._named(SINGLE[kind])}(v)"
        if is_row(kind):
            row = f"tuple([{self._expression(element_of(kind))} for v in v])"
            return f"({row} if v.__class__ is list else refused())"
        if is_optional(kind):
            return f"(None if v is None else {self._expression(present(kind))})"
        if attrs.has(kind):
            return f"{self._record(kind)}(v)"
        choices = choices_of(kind)
        if all(value.__class__ is str for value in choices):
            return f"{self._named({value: value for value in choices})}[v]"
        return f"{self._named(choice(kind))}(v)"

    # --- records ---

    def _record_source(self, name: str, cls: type) -> Iterator[str]:
        """A function that reads each field, quickly where none has more than it must."""
        fields = attrs.fields(attrs.resolve_types(cls))
        must = [field for field in fields if field.default is attrs.NOTHING]
        may = [field for field in fields if field.default is not attrs.NOTHING]
        yield f"def {name}(data):"
        yield "    if data.__class__ is not dict: refused()"
        for field in must:
            yield f"    v = data['{field.name}']"
            yield f"    {field.name}_ = {self._expression(field.type)}"
        yield f"    count = {len(must)}"
        yield "    if len(data) == count:"
        yield from (f"        {line}" for line in self._made(cls, must))
        for field in may:
            yield f"    {field.name}_ = {self._named(field.default)}"
            yield f"    if '{field.name}' in data:"
            yield f"        v = data['{field.name}']"
            yield f"        {field.name}_ = {self._expression(field.type)}"
            yield "        count += 1"
        yield "    if len(data) != count: refused()"
        yield from (f"    {line}" for line in self._made(cls, fields))

    def _made(self, cls: type, given: Sequence[_Field]) -> Iterator[str]:
        """Lines that return a record of the given fields; that of none is always the same."""
        if not given:
            yield f"return {self._named(cls())}"
            return
        if hasattr(cls, "__attrs_post_init__"):
            # A record that looks at itself when it is made is made in its own way.
            arguments = ", ".join(f"{field.name}={field.name}_" for field in given)
            yield f"record = {self._named(cls)}({arguments})"
        else:
            yield f"record = new({self._named(open_class_of(cls))})"
            for field in attrs.fields(cls):
                value = f"{field.name}_" if field in given else self._named(field.default)
                yield f"record.{field.name} = {value}"
            yield f"record.__class__ = {self._named(cls)}"
        for field in given:
            if field.validator is not None:
                check, known = self._named(field.validator), self._named(field)
                yield f"{check}(record, {known}, {field.name}_)"
        yield "return record"


_QUICK: Final[Mapping[Any, str]] = {
    str: "(v if v.__class__ is str and v.isascii() else text(v))",
    int: "(v if v.__class__ is int and LEAST <= v <= MOST else refused())",
}
"""The expressions that read the commonest single values, as `kinds` does."""


def _refused() -> NoReturn:
    """Refuse a value from within an expression."""
    raise TypeError
