"""JSON text: what is read can be written again, and nothing else is read."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_core.errors import FormatError
from conductor_core.json_text import DEPTH, check_depth, dumps, loads


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        (
            ' {"a": [1, 1.5, -2e3, true], "b": "\\ud83d\\ude00"}\n',
            {"a": [1, 1.5, -2e3, True], "b": "😀"},
        ),
        (b'["\xc3\xa4"]', ["ä"]),
        ('"\\u00e4 \\uffff"', "ä \uffff"),
        ("9" * 100, int("9" * 100)),
    ],
)
def test_json_is_read(text: str | bytes, value: Any) -> None:
    """Text and UTF-8 bytes are read alike."""
    assert loads(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON: expecting value at character 1"),
        ("{'a': 1}", "not JSON: expecting property name"),
        ('{"a": 1,}', "not JSON: "),
        ('{"a": "b', "not JSON: unterminated string starting at character 7"),
        ("1 2", "not JSON: extra data at character 3"),
        ('"\t"', "not JSON: invalid control character at character 2"),
        ("\ufeff{}", "not JSON: it begins with a byte order mark"),
        (b"\xef\xbb\xbf{}", "not JSON: it begins with a byte order mark"),
        (b'"\xc3', "invalid UTF-8 at byte 2"),
        (b'"\xed\xa0\x80"', "invalid UTF-8 at byte 2"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "duplicate key 'b'"),
        ("[NaN]", "NaN is no JSON value"),
        ("-Infinity", "-Infinity is no JSON value"),
        ("1e999", "'1e999' is too large a number"),
        ("-1e999", "'-1e999' is too large a number"),
        ("1" * 5000, "an integer has too many digits"),
        ('"\\ud800"', r"'\\ud800' holds a lone surrogate"),
        ('["a", {"b": ["\\uDFFF"]}]', r"^\[1\]\.b\[0\]: '\\udfff' holds a lone surrogate"),
        ('{"a": {"\\ud800": 1}}', r"^a\['\\ud800'\]: '\\ud800' holds a lone surrogate"),
        ('"\ud800"', "holds a lone surrogate"),
    ],
)
def test_what_would_not_survive_is_refused(text: str | bytes, message: str) -> None:
    """Whatever Python's own reader lets pass is an error with its place."""
    with pytest.raises(FormatError, match=message):
        loads(text)


def test_escapes_that_only_look_like_surrogates_are_read() -> None:
    """A pair of surrogates, or a backslash that is escaped, is no lone surrogate."""
    assert loads('["\\uD83D\\uDE00", "\\\\ud800", 1]') == ["😀", "\\ud800", 1]


def test_nesting_is_bounded_by_a_number() -> None:
    """So many levels are read everywhere, and one more nowhere."""
    assert loads("[" * DEPTH + "]" * DEPTH)
    assert loads("[" + '{"a":[]},' * 1000 + "1]")
    for text in ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), '{"a":' * 200 + "1" + "}" * 200):
        with pytest.raises(FormatError, match="nested more than 128 levels deep"):
            loads(text)


@pytest.mark.parametrize("text", ["[" * 1_000_000, '{"a":' * 1_000_000])
def test_bottomless_nesting_is_an_error_like_any_other(text: str) -> None:
    """Text that would exhaust the stack is refused."""
    with pytest.raises(FormatError, match="nested more than"):
        loads(text)


def test_brackets_in_strings_are_no_nesting() -> None:
    """Only lists and mappings count."""
    assert loads('["' + "[" * 1000 + '"]') == ["[" * 1000]


def test_what_is_written_can_be_checked_before() -> None:
    """A value that could not be read again is found out together with its text."""
    deep: Any = 1
    for _ in range(DEPTH + 1):
        deep = {"a": deep}
    with pytest.raises(FormatError, match="nested more than"):
        check_depth(dumps(deep), deep)


def test_writing_keeps_the_order_of_keys() -> None:
    """Written text is one compact line whose keys stand as they were given."""
    assert dumps({"b": [1, None], "a": "ä\n"}) == '{"b":[1,null],"a":"ä\\n"}'
