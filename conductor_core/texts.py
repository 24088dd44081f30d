"""Records as JSON text, by functions that are compiled once for each class.

Rule: what is written here is to the byte what `records` and `json` together write, in two
forms at once: with the keys in the order of the fields, as lines have them, and with sorted
keys, as digests do. The text of a payload is canonical and stands in both as it is.
A value that its field may not hold raises Unwritable, which does not say why: whoever asks
then takes the long way through `records`, which does. Lone surrogates are left to whoever
encodes the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from itertools import islice
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, Final, Literal, NoReturn, TypeAlias

import attrs

from conductor_core.building import RecordFunctions, compiled
from conductor_core.json_text import is_deeper
from conductor_core.kinds import LEAST, MOST, choices_of, element_of, is_optional, is_row, present
from conductor_core.payload import DEEPEST, EMPTY, Payload

Texts: TypeAlias = tuple[str, str]
"""A value written twice: its keys in the order of the fields, and sorted."""
Form: TypeAlias = Literal[0, 1]
DECLARED: Final = 0
SORTED: Final = 1
"""Which of the two texts is meant."""
quoted: Final[Callable[[str], str]] = encode_basestring
"""A string as JSON text."""
SOME: Final = 1000
"""So many records of a row are in one piece."""
TextWriter: TypeAlias = Callable[[Any], Texts]


class Unwritable(Exception):
    """A value that may not be written."""


class TextWriters(RecordFunctions):
    """The writer of each kind of value, made when it is first asked for.

    Records of the classes that have a tag say it under `type`, before their fields. Where
    `shallow` is asked for, payloads are refused that are nested too deeply to fit everywhere.
    """

    def __init__(self, tags: Mapping[type, str] | None = None, *, shallow: bool = False) -> None:
        self._tags = tags or {}
        super().__init__(
            LEAST=LEAST,
            MOST=MOST,
            EMPTY=EMPTY,
            payload=_shallow_payload if shallow else _payload,
            quoted=quoted,
            refused=_refused,
            row=row_of,
        )

    def _function(self, kind: Any) -> TextWriter:
        if kind not in SINGLE and attrs.has(kind):
            writer: TextWriter = self._names[self._record(kind)]
            return writer
        expression, paired = self._expression(kind)
        both = expression if paired else f"({expression},) * 2"
        return compiled("written", f"def written(v): return {both}", self._names)

    def pieces(
        self, kind: Any, value: Any, opened: Collection[type], form: Form = SORTED
    ) -> Iterator[str]:
        """A text in pieces: item by item the rows of records in the `opened` classes.

        Rows in them may be of any kind that can be iterated over.
        """
        if kind in opened:
            yield from self._members(kind, value, opened, form)
        elif is_row(kind) and element_of(kind) in opened:
            yield "["
            for number, item in enumerate(value):
                yield "," if number else ""
                yield from self.pieces(element_of(kind), item, opened, form)
            yield "]"
        elif is_row(kind) and attrs.has(element_of(kind)):
            write, items, bracket = self[element_of(kind)], iter(value), "["
            while texts := [write(item)[form] for item in islice(items, SOME)]:
                yield bracket
                yield ",".join(texts)
                bracket = ","
            yield "[]" if bracket == "[" else "]"
        else:
            yield self[kind](value)[form]

    def _members(
        self, cls: type, record: Any, opened: Collection[type], form: Form
    ) -> Iterator[str]:
        if record.__class__ is not cls:
            raise Unwritable
        fields = attrs.fields(attrs.resolve_types(cls))
        brace = "{"
        for field in sorted(fields, key=attrgetter("name")) if form == SORTED else fields:
            value = getattr(record, field.name)
            if value != field.default:
                yield f'{brace}"{field.name}":'
                yield from self.pieces(field.type, value, opened, form)
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
        item = element_of(kind)
        inner, paired = self._expression(item)
        if paired:
            # By name where it is a record, since that may be under way.
            write = self._record(item) if attrs.has(item) else self._named(self[item])
            row = f"row({write}, v)"
        else:
            row = f"'[' + ','.join([{inner} for v in v]) + ']'"
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

    def _record_source(self, name: str, cls: type) -> Iterator[str]:
        """A function that writes each field, quickly where those that have one are at a default.

        What differs between the two texts of a field is in `a` and `b`, all else in `a` alone.
        """
        least = {"type": _alike(f',"type":"{self._tags[cls]}"')} if cls in self._tags else {}
        most, defaults, optional = dict(least), list[str](), list[str]()
        yield f"def {name}(record):"
        yield f"    if record.__class__ is not {self._named(cls)}: refused()"
        for number, field in enumerate(attrs.fields(attrs.resolve_types(cls))):
            expression, paired = self._expression(field.type)
            names = (f"a{number}", f"b{number}") if paired else (f"a{number}",)
            key = f',"{field.name}":'
            if field.default is attrs.NOTHING:
                yield f"    v = record.{field.name}"
                yield f"    {', '.join(names)} = {expression}"
                most[field.name] = f"{key}{{{names[0]}}}", f"{key}{{{names[-1]}}}"
                least[field.name] = most[field.name]
                continue
            yield f"    v{number} = record.{field.name}"
            default = self._named(field.default)
            defaults.append(f"v{number} is {default}")
            optional.append(f"    if {defaults[-1]} or v{number} == {default}:")
            optional.append(f"        {' = '.join(names)} = ''")
            optional += ["    else:", f"        v = v{number}"]
            optional.append(f"        {', '.join(names)} = {expression}")
            optional += [f"        {name} = f'{key}{{{name}}}'" for name in names]
            most[field.name] = f"{{{names[0]}}}", f"{{{names[-1]}}}"
        if defaults:
            yield f"    if {' and '.join(defaults)}: {_returned(least)}"
        yield from optional
        yield f"    {_returned(most)}"


SINGLE: Final[Mapping[Any, str]] = {
    str: "(quoted(v) if v.__class__ is str else refused())",
    int: "(str(v) if v.__class__ is int and LEAST <= v <= MOST else refused())",
    Payload: "('{}' if v is EMPTY else payload(v))",
}
"""The expressions that write single values."""


def _refused() -> NoReturn:
    """Refuse a value from within an expression."""
    raise Unwritable


def _payload(value: Any) -> str:
    return value.text if value.__class__ is Payload else _refused()


def _shallow_payload(value: Any) -> str:
    """The text of a payload that is nested no deeper than a line can hold it anywhere."""
    text = _payload(value)
    few = len(text) <= DEEPEST or text.count("[") + text.count("{") <= DEEPEST
    return text if few or not is_deeper(text, json.loads(text), DEEPEST) else _refused()


def row_of(write: TextWriter, row: tuple[Any, ...]) -> Texts:
    """The texts of a row, some items at a time: pairs take many times the room of the texts."""
    if not row:
        return "[]", "[]"
    if len(row) == 1:
        a, b = write(row[0])
        return f"[{a}]", f"[{b}]"
    declared: list[str] = []
    in_order: list[str] = []
    for begin in range(0, len(row), SOME):
        texts = [write(item) for item in row[begin : begin + SOME]]
        declared.append(",".join([a for a, _ in texts]))
        in_order.append(",".join([b for _, b in texts]))
    return f"[{','.join(declared)}]", f"[{','.join(in_order)}]"


def _choice_text(choice: Any) -> str:
    return quoted(choice) if isinstance(choice, str) else str(choice).lower()


def _braced(members: str) -> str:
    """The expression for an object of these members, each of which begins with a comma."""
    if members.startswith(","):
        return f"f'{{{{{members[1:]}}}}}'"
    return f"'{{' + f'{members}'[1:] + '}}'"


def _alike(text: str) -> Texts:
    return text, text


def _returned(members: Mapping[str, Texts]) -> str:
    """The statements that return an object of these members in both forms."""
    declared = _braced("".join(text for text, _ in members.values()))
    in_order = _braced("".join(members[key][1] for key in sorted(members)))
    if declared == in_order:
        return f"text = {declared}; return text, text"
    return f"return {declared}, {in_order}"
