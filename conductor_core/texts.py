"""Records as JSON text, by functions that are compiled once for each class.

Rule: what is written here is to the byte what `records` and `json` together write, in two
forms at once: with the keys in the order of the fields, as lines have them, and with sorted
keys, as digests do. The text of a payload is canonical and stands in both as it is.
A value that its field may not hold raises Unwritable, which does not say why: whoever asks
then takes the long way through `records`, which does. Lone surrogates are left to whoever
encodes the text, and its depth to whoever has the whole of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, Final, NoReturn, TypeAlias

import attrs

from conductor_core.building import compiled
from conductor_core.kinds import LEAST, MOST, choices_of, element_of, is_optional, is_row, present
from conductor_core.payload import Payload

Texts: TypeAlias = tuple[str, str]
"""A value written twice: its keys in the order of the fields, and sorted."""
quoted: Final[Callable[[str], str]] = encode_basestring
"""A string as JSON text."""
SOME: Final = 1000
"""So many records of a row are in one piece."""
TextWriter: TypeAlias = Callable[[Any], Texts]


class Unwritable(Exception):
    """A value that may not be written."""


class TextWriters(dict[Any, TextWriter]):
    """The writer of each kind of value, made when it is first asked for.

    Records of the classes that have a tag say it under `type`, before their fields.
    """

    def __init__(self, tags: Mapping[type, str] | None = None) -> None:
        self._tags = tags or {}
        self._records: dict[type, str] = {}
        self._names: dict[str, Any] = {
            "LEAST": LEAST,
            "MOST": MOST,
            "Payload": Payload,
            "quoted": quoted,
            "refused": _refused,
            "row": _row,
        }

    def __missing__(self, kind: Any) -> TextWriter:
        expression, paired = self._expression(kind)
        both = expression if paired else f"({expression},) * 2"
        writer = compiled("written", f"def written(v): return {both}", self._names)
        self[kind] = writer
        return writer

    def _named(self, value: object) -> str:
        """A name under which compiled functions find a value."""
        name = f"known_{len(self._names)}"
        self._names[name] = value
        return name

    def pieces(self, kind: Any, value: Any, opened: Collection[type]) -> Iterator[str]:
        """The sorted text in pieces: item by item the rows of records in the `opened` classes."""
        if kind in opened:
            yield from self._members(kind, value, opened)
        elif is_row(kind) and element_of(kind) in opened:
            yield "["
            for number, item in enumerate(value):
                yield "," if number else ""
                yield from self.pieces(element_of(kind), item, opened)
            yield "]"
        elif is_row(kind) and attrs.has(element_of(kind)):
            write = self[element_of(kind)]
            yield "["
            for begin in range(0, len(value), SOME):
                yield "," if begin else ""
                yield ",".join([write(item)[1] for item in value[begin : begin + SOME]])
            yield "]"
        else:
            yield self[kind](value)[1]

    def _members(self, cls: type, record: Any, opened: Collection[type]) -> Iterator[str]:
        if record.__class__ is not cls:
            raise Unwritable
        brace = "{"
        for field in sorted(attrs.fields(attrs.resolve_types(cls)), key=attrgetter("name")):
            value = getattr(record, field.name)
            if value != field.default:
                yield f'{brace}"{field.name}":'
                yield from self.pieces(field.type, value, opened)
                brace = ","
        yield "{}" if brace == "{" else "}"

    # --- expressions for a value `v` ---

    def _expression(self, kind: Any) -> tuple[str, bool]:
        """The expression that writes a value of a kind, and whether it gives two texts or one."""
        if kind in SINGLE:
            return SINGLE[kind], False
        if is_row(kind):
            return self._row_expression(kind)
        if is_optional(kind):
            inner, paired = self._expression(present(kind))
            null = ("null", "null") if paired else "null"
            return f"({null!r} if v is None else {inner})", paired
        if attrs.has(kind):
            return f"{self._record(kind)}(v)", True
        return self._choice_expression(kind), False

    def _row_expression(self, kind: Any) -> tuple[str, bool]:
        inner, paired = self._expression(element_of(kind))
        items = f"[{inner} for v in v]"
        row = f"row({items})" if paired else f"'[' + ','.join({items}) + ']'"
        return f"({row} if v.__class__ is tuple else refused())", paired

    def _choice_expression(self, kind: Any) -> str:
        """One of a few words or a truth value, by a table of texts; or a member of an enum."""
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return f"(quoted(v) if v.__class__ is {self._named(kind)} else refused())"
        texts = {choice: _choice_text(choice) for choice in choices_of(kind)}
        if not texts:
            raise TypeError(f"no text is known for {kind}")
        classes = frozenset(choice.__class__ for choice in texts)
        # Classes come first: `1` equals `True`, and not everything can be looked up.
        known = f"v.__class__ in {self._named(classes)} and {self._named(texts)}.get(v)"
        return f"({known} or refused())"

    # --- records ---

    def _record(self, cls: type) -> str:
        """The name of the function that writes a record, perhaps one under way."""
        if cls not in self._records:
            self._records[cls] = name = f"record_{len(self._records)}"
            compiled(name, "\n".join(self._record_source(name, cls)), self._names)
        return self._records[cls]

    def _record_source(self, name: str, cls: type) -> Iterator[str]:
        """A function that writes each field twice, `a` and `b`, and joins what is not left out."""
        yield f"def {name}(record):"
        yield f"    if record.__class__ is not {self._named(cls)}: refused()"
        members = {"type": f',"type":"{self._tags[cls]}"'} if cls in self._tags else {}
        for number, field in enumerate(attrs.fields(attrs.resolve_types(cls))):
            a, b, key = f"a{number}", f"b{number}", f',"{field.name}":'
            expression, paired = self._expression(field.type)
            yield f"    v = record.{field.name}"
            if field.default is attrs.NOTHING:
                yield f"    {a}{',' if paired else ' ='} {b} = {expression}"
                members[field.name] = f"{key}{{{a}}}"
                continue
            yield f"    if {self._is_default(field.default)}: {a} = {b} = ''"
            yield "    else:"
            yield f"        {a}{',' if paired else ' ='} {b} = {expression}"
            yield f"        {a} = f'{key}{{{a}}}'"
            yield f"        {b} = f'{key}{{{b}}}'"
            members[field.name] = f"{{{a}}}"
        declared = "".join(members.values())
        in_order = "".join(members[key] for key in sorted(members)).replace("{a", "{b")
        yield f"    return {_braced(declared)}, {_braced(in_order)}"

    def _is_default(self, default: object) -> str:
        """The expression for whether a value equals a default."""
        if default is None:
            return "v is None"
        name = self._named(default)
        return f"v is {name} or v == {name}"


SINGLE: Final[Mapping[Any, str]] = {
    str: "(quoted(v) if v.__class__ is str else refused())",
    int: "(str(v) if v.__class__ is int and LEAST <= v <= MOST else refused())",
    Payload: "(v.text if v.__class__ is Payload else refused())",
}
"""The expressions that write single values."""


def _refused() -> NoReturn:
    """Refuse a value from within an expression."""
    raise Unwritable


def _row(items: list[Texts]) -> Texts:
    declared = ",".join([a for a, _ in items])
    in_order = ",".join([b for _, b in items])
    return f"[{declared}]", f"[{in_order}]"


def _choice_text(choice: Any) -> str:
    return quoted(choice) if isinstance(choice, str) else str(choice).lower()


def _braced(members: str) -> str:
    """The expression for an object of these members, each of which begins with a comma."""
    if members.startswith(","):
        return f"f'{{{{{members[1:]}}}}}'"
    return f"'{{' + f'{members}'[1:] + '}}'"
