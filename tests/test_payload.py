"""Payloads: JSON values that are frozen, compared and hashed by their canonical text."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_core.errors import PayloadError
from conductor_core.payload import DEEPEST, EMPTY, NULL, Payload, canonical_text, freeze


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (1.0, "1.0"),
        (1e22, "1e+22"),
        (-0.0, "-0.0"),
        ("ä\n\x00\u2028😀", '"ä\\n\\u0000\u2028😀"'),
        ([], "[]"),
        ((1, 2), "[1,2]"),
        ({"b": 1, "a": {"d": [], "c": None}}, '{"a":{"c":null,"d":[]},"b":1}'),
        ({"é": 1, "z": 2, "Z": 3}, '{"Z":3,"z":2,"é":1}'),
    ],
)
def test_canonical_text_is_sorted_and_compact(value: Any, text: str) -> None:
    """Keys are sorted by code point, nothing is padded, characters stand as themselves (S1.6)."""
    assert canonical_text(value) == text
    assert freeze(value).text == text


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        [float("-inf")],
        "\ud800",
        {"\udfff": 1},
        {1: "a"},
        [{"a": {None: 1}}],
        object(),
        {1, 2},
        b"bytes",
        [10**5000],
    ],
)
def test_what_is_no_json_value_is_refused(value: Any) -> None:
    """NaN, infinities, lone surrogates, other keys and other types are errors (S1.5)."""
    with pytest.raises(PayloadError, match="not a JSON value"):
        freeze(value)


def test_an_enormous_value_is_refused_with_a_short_message() -> None:
    """What is refused is shown, but not at length."""
    with pytest.raises(PayloadError) as caught:
        freeze(["x" * 10_000, float("nan")])
    assert len(str(caught.value)) < 200


def test_a_value_that_is_nested_without_end_is_refused() -> None:
    """A value that holds itself, or is nested too deeply for `json`, is an error."""
    endless: list[Any] = []
    endless.append(endless)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for value in (endless, deep):
        with pytest.raises(PayloadError, match="not a JSON value"):
            freeze(value)


def test_a_value_that_is_nested_too_deeply_for_a_log_is_refused() -> None:
    """As many levels as a log holds are fine, and one more is an error (S1.5)."""
    deep: Any = 1
    for _ in range(DEEPEST):
        deep = [deep]
    assert freeze(deep).value == deep
    with pytest.raises(PayloadError, match=f"nested more than {DEEPEST} levels deep"):
        freeze([deep])


def test_payloads_compare_by_their_text() -> None:
    """`1`, `1.0` and `true` differ; the order of keys does not matter (S1.5)."""
    assert len({freeze(1), freeze(1.0), freeze(True), freeze("1")}) == 4
    assert freeze({"a": 1, "b": 2}) == freeze({"b": 2, "a": 1})
    assert hash(freeze({"a": 1, "b": 2})) == hash(freeze({"b": 2, "a": 1}))


def test_a_payload_gives_fresh_copies() -> None:
    """What is done to a value that was taken out does not reach the payload."""
    payload = freeze({"a": [1]})
    payload.value["a"].append(2)
    assert payload.value == {"a": [1]}


def test_freezing_twice_is_freezing_once() -> None:
    """A payload is returned as it is, and the two commonest ones are always the same."""
    payload = freeze([1])
    assert freeze(payload) is payload
    assert freeze({}) is EMPTY
    assert freeze(None) is NULL


def test_a_record_is_put_together_from_payloads() -> None:
    """An object of frozen values is the one that freezing all at once would give."""
    fields = {"b": freeze([1.0]), 'a"\n': freeze({"x": None})}
    assert Payload.record(fields) == freeze({"b": [1.0], 'a"\n': {"x": None}})
    assert Payload.record({}) is EMPTY
