"""Records from decoded JSON and back: closed, nothing coerced, every problem with its place."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import pytest
from attrs import field, frozen

from conductor_core.errors import FormatError, SpecError
from conductor_core.payload import NULL, Payload, freeze
from conductor_core.records import (
    PROBLEMS,
    decoded,
    encoded,
    new_converter,
    record_reader,
    register_enum,
)


class Colour(StrEnum):
    """An enum that is a string as well."""

    RED = "red"
    BLUE = "blue"


@frozen(kw_only=True)
class Leaf:
    """A record of every kind of value."""

    text: str
    number: int = 0
    sure: bool = False
    maybe: int | None = None
    row: tuple[str, ...] = ()
    answer: bool | Literal["unknown"] = "unknown"
    size: Literal["small", "large"] = "small"
    colour: Colour = Colour.RED
    payload: Payload = field(default=NULL, converter=freeze)


@frozen(kw_only=True)
class Tree:
    """A record of records, of its own kind too."""

    leaves: tuple[Leaf, ...] = ()
    best: Leaf | None = None
    inner: Tree | None = None


@frozen(kw_only=True)
class Picky:
    """A record that refuses some of its values."""

    number: int = 0

    def __attrs_post_init__(self) -> None:
        if self.number < 0:
            raise SpecError((("number", "is negative"),))


@frozen(kw_only=True)
class Holder:
    """A record that holds a picky one."""

    picky: Picky = Picky()


CONVERTER = new_converter()
register_enum(CONVERTER, Colour)


def read(kind: Any, data: Any) -> Any:
    """Read a record."""
    return CONVERTER.get_structure_hook(kind)(data, kind)


def write(kind: Any, value: Any) -> Any:
    """Write a record."""
    return CONVERTER.get_unstructure_hook(kind)(value)


FULL = Leaf(
    text="ä",
    number=-(2**63),
    sure=True,
    maybe=2**63 - 1,
    row=("a", "b"),
    answer=False,
    size="large",
    colour=Colour.BLUE,
    payload=freeze({"a": [1.0]}),
)
FULL_DATA = {
    "text": "ä",
    "number": -9223372036854775808,
    "sure": True,
    "maybe": 9223372036854775807,
    "row": ["a", "b"],
    "answer": False,
    "size": "large",
    "colour": "blue",
    "payload": {"a": [1.0]},
}


def test_a_record_is_a_mapping_of_its_fields() -> None:
    """Every kind of value has one form, the same both ways."""
    assert write(Leaf, FULL) == FULL_DATA
    assert read(Leaf, FULL_DATA) == FULL


def test_defaults_are_left_out() -> None:
    """What equals its default is not written and need not be there."""
    assert write(Leaf, Leaf(text="a")) == {"text": "a"}
    assert read(Leaf, {"text": "a"}) == Leaf(text="a")
    assert write(Tree, Tree()) == {}


def test_a_default_may_be_written_out() -> None:
    """What is left out may as well be there; null is none."""
    assert read(Tree, {"leaves": [], "best": None}) == Tree()


def test_records_nest() -> None:
    """A record may hold records of other kinds and of its own."""
    tree = Tree(leaves=(FULL,), best=Leaf(text="b"), inner=Tree(best=Leaf(text="c")))
    data = {
        "leaves": [FULL_DATA],
        "best": {"text": "b"},
        "inner": {"best": {"text": "c"}},
    }
    assert write(Tree, tree) == data
    assert read(Tree, data) == tree


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("text", 1, "expected a string, got 1"),
        ("text", None, "expected a string, got None"),
        ("text", "\ud800", r"expected a string without lone surrogates, got '\ud800'"),
        ("number", "1", "expected an integer, got '1'"),
        ("number", True, "expected an integer, got True"),
        ("number", 1.0, "expected an integer, got 1.0"),
        ("number", 2**63, "expected an integer of at most 64 bits, got 9223372036854775808"),
        (
            "number",
            -(2**63) - 1,
            "expected an integer of at most 64 bits, got -9223372036854775809",
        ),
        ("sure", 1, "expected true or false, got 1"),
        ("sure", "true", "expected true or false, got 'true'"),
        ("maybe", "x", "expected an integer, got 'x'"),
        ("row", "ab", "expected a list, got 'ab'"),
        ("row", {"a": 1}, "expected a list, got {'a': 1}"),
        ("row", None, "expected a list, got None"),
        ("answer", 1, "expected one of true, false, unknown, got 1"),
        ("answer", "known", "expected one of true, false, unknown, got 'known'"),
        ("answer", [], "expected one of true, false, unknown, got []"),
        ("size", "tiny", "expected one of small, large, got 'tiny'"),
        ("colour", "green", "expected one of red, blue, got 'green'"),
        ("colour", ["red"], "expected one of red, blue, got ['red']"),
        ("payload", float("nan"), "not a JSON value: nan"),
    ],
)
def test_nothing_is_coerced(key: str, value: Any, problem: str) -> None:
    """A value of another kind is an error that shows it and says what was expected."""
    with pytest.raises(FormatError) as caught:
        read(Leaf, {"text": "a", key: value})
    assert caught.value.path == key
    assert caught.value.problem.startswith(problem)


@pytest.mark.parametrize("data", [None, [], "text", 1, [("text", "a")]])
def test_a_record_is_read_from_a_mapping_only(data: Any) -> None:
    """What only looks like pairs of keys and values is no mapping."""
    with pytest.raises(FormatError, match="expected a mapping, got "):
        read(Leaf, data)


def test_every_problem_is_told_with_its_place() -> None:
    """Problems of all fields, of all items and of unknown keys come together."""
    data = {
        "leaves": [{"text": "a"}, {"row": [1, "b", None]}, 7],
        "best": {"text": "c", "numbers": 1, "a.b": 2},
        "inner": {"inner": {"inner": 0}},
    }
    known = "text, number, sure, maybe, row, answer, size, colour, payload"
    with pytest.raises(FormatError) as caught:
        read(Tree, data)
    assert caught.value.problems == (
        ("leaves[1]", "missing key 'text'"),
        ("leaves[1].row[0]", "expected a string, got 1"),
        ("leaves[1].row[2]", "expected a string, got None"),
        ("leaves[2]", "expected a mapping, got 7"),
        ("best['a.b']", f"unknown key 'a.b', expected one of {known}"),
        ("best.numbers", f"unknown key 'numbers' (perhaps 'number'?), expected one of {known}"),
        ("inner.inner.inner", "expected a mapping, got 0"),
    )


def test_garbage_is_cheap() -> None:
    """Of a long list, or of many unknown keys, only the first problems are told."""
    with pytest.raises(FormatError) as caught:
        read(Leaf, {"text": "a", "row": [0] * 100_000})
    assert len(caught.value.problems) == PROBLEMS
    with pytest.raises(FormatError) as caught:
        read(Leaf, {"text": "a"} | {f"key{number}": 0 for number in range(10_000)})
    assert len(caught.value.problems) == PROBLEMS


def test_keys_that_are_no_strings_are_unknown() -> None:
    """Data that does not come from JSON may hold them."""
    with pytest.raises(FormatError, match=r"^\[1\]: unknown key 1, expected one of text"):
        read(Leaf, {"text": "a", 1: 2})


def nested(levels: int) -> dict[str, Any]:
    """A tree in a tree in a tree."""
    data: dict[str, Any] = {}
    for _ in range(levels):
        data = {"inner": data}
    return data


def test_bottomless_nesting_is_an_error_both_ways() -> None:
    """A record of its own kind without end is refused instead of exhausting the stack."""
    assert read(Tree, nested(100)) == read(Tree, nested(100))
    with pytest.raises(FormatError, match="nested too deeply"):
        read(Tree, nested(5_000))
    tree = Tree()
    for _ in range(5_000):
        tree = Tree(inner=tree)
    with pytest.raises(FormatError, match="nested too deeply"):
        encoded(CONVERTER.get_unstructure_hook(Tree), tree)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"number": 1.5}, "number: expected an integer, got 1.5"),
        ({"text": "\ud800"}, "text: expected a string without lone surrogates"),
        ({"row": (1,)}, r"row\[0\]: expected a string, got 1"),
        ({"row": ["a"]}, r"row: expected a tuple, got \['a'\]"),
        ({"maybe": "1"}, "maybe: expected an integer, got '1'"),
        ({"sure": 1.0 + 1}, "sure: expected true or false, got 2.0"),
        ({"answer": 1}, "answer: expected one of true, false, unknown, got 1"),
        ({"colour": "blue"}, "colour: expected a Colour, got 'blue'"),
        ({"size": "tiny"}, "size: expected one of small, large, got 'tiny'"),
        ({"number": "1", "sure": None}, "number: expected .* got '1'; sure: expected .* got None"),
    ],
)
def test_what_cannot_be_read_is_not_written(value: dict[str, Any], problem: str) -> None:
    """A record that was built with a wrong type is refused with the place of the value."""
    fields: dict[str, Any] = {"text": "a", **value}
    leaf = Leaf(**fields)
    with pytest.raises(FormatError, match=f"^{problem}"):
        write(Leaf, leaf)
    with pytest.raises(FormatError, match=rf"^leaves\[1\]\.{problem.partition(';')[0]}"):
        write(Tree, Tree(leaves=(FULL, leaf)))


def test_another_kind_of_record_is_not_written() -> None:
    """A record stands only where its own kind is due, and so does a payload."""
    with pytest.raises(FormatError, match=r"^best: expected a Leaf, got Tree"):
        write(Tree, Tree(best=Tree()))  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(FormatError, match=r"expected a Payload, got \{\}"):
        write(Payload, {})


def test_what_a_record_itself_refuses_comes_out() -> None:
    """The validator of a record speaks for itself, or as a part of what holds the record."""
    with pytest.raises(SpecError, match=r"number: is negative"):
        read(Picky, {"number": -1})
    with pytest.raises(FormatError, match=r"^picky\.number: is negative"):
        read(Holder, {"picky": {"number": -1}})


def test_a_bug_in_a_hook_is_no_problem_of_the_data() -> None:
    """An error that nobody foresaw is not disguised as one of the data."""
    converter = new_converter()

    def stumble(_data: Any, _kind: Any) -> Any:
        raise ZeroDivisionError

    converter.register_structure_hook(Leaf, stumble)
    with pytest.raises(ZeroDivisionError):
        converter.get_structure_hook(Tree)({"best": {}}, Tree)


def test_a_document_has_a_place_of_its_own() -> None:
    """Every error of a document that stands somewhere is seen from where that is counted."""

    def stumble(_data: Any) -> Any:
        raise SpecError((("groups", "bad"), ("", "worse")))

    with pytest.raises(FormatError, match=r"^flows\[2\]\.text: expected a string"):
        decoded(CONVERTER.get_structure_hook(Leaf), {"text": 1}, "flows[2]")  # type: ignore[arg-type]
    with pytest.raises(SpecError) as caught:
        decoded(stumble, {}, "flows[2]")
    assert caught.value.problems == (("flows[2].groups", "bad"), ("flows[2]", "worse"))


def test_a_key_may_have_another_name_than_its_field() -> None:
    """A renamed key is the only name of its field, in errors as well."""
    reader = record_reader(CONVERTER, Leaf, also=("extra",), renamed={"text": "word"})
    assert reader({"word": "a"}) == Leaf(text="a")
    with pytest.raises(FormatError) as caught:
        reader({"text": "a", "number": "1"})
    assert caught.value.problems[0] == ("", "missing key 'word'")
    assert caught.value.problems[1] == ("number", "expected an integer, got '1'")
    assert caught.value.problems[2][1].endswith("colour, payload, extra")
    with pytest.raises(FormatError, match=r"^word: expected a string"):
        reader({"word": 1})
