"""Places and problems: paths that can be found again, words that help to mend."""

from __future__ import annotations

import pytest

from conductor_core.errors import FormatError
from conductor_core.places import expected, join, key_place, located, unknown


@pytest.mark.parametrize(
    ("path", "rest", "joined"),
    [
        ("", "", ""),
        ("groups", "", "groups"),
        ("", "key", "key"),
        ("groups", "[1]", "groups[1]"),
        ("groups[1]", "key", "groups[1].key"),
        ("groups[1]", "steps[0].key", "groups[1].steps[0].key"),
    ],
)
def test_paths_are_joined(path: str, rest: str, joined: str) -> None:
    """A dot stands before a key, none before an index or at an end."""
    assert join(path, rest) == joined


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("retry", "retry"),
        ("skip-current", "skip-current"),
        ("a.b", "['a.b']"),
        ("", "['']"),
        (1, "[1]"),
    ],
)
def test_a_key_that_would_not_read_as_one_stands_in_brackets(key: object, place: str) -> None:
    """A key with a dot cannot be mistaken for two."""
    assert key_place(key) == place


def test_a_wrong_value_is_shown() -> None:
    """The problem says what was expected and what came."""
    assert expected("an integer", "1").problems == (("", "expected an integer, got '1'"),)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("retries", "unknown key 'retries' (perhaps 'retry'?), expected one of key, retry"),
        ("zzz", "unknown key 'zzz', expected one of key, retry"),
        ("reset", "unknown key 'reset', expected one of key, retry"),
        (7, "unknown key 7, expected one of key, retry"),
    ],
)
def test_an_unknown_word_comes_with_the_known_ones(word: object, text: str) -> None:
    """The known words are listed, and one that is close is suggested."""
    assert unknown("key", word, ("key", "retry")) == text


def test_an_enormous_word_is_not_compared() -> None:
    """Ten megabytes of a key cost no more than they must."""
    assert len(unknown("key", "k" * 10_000_000, ("key",))) < 150


def test_problems_are_seen_from_outside() -> None:
    """Every problem of an inner place is placed."""
    inner = FormatError("", "missing key 'key'", ("retry.scope", "bad"), ("[2]", "bad"))
    assert located("steps[0]", inner).problems == (
        ("steps[0]", "missing key 'key'"),
        ("steps[0].retry.scope", "bad"),
        ("steps[0][2]", "bad"),
    )
