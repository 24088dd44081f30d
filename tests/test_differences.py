"""Differences: one readable line for each place at which two JSON values differ."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_core.differences import differences


@pytest.mark.parametrize(
    ("expected", "actual", "lines"),
    [
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, []),
        (1, 2, ["expected 1, got 2"]),
        ({"a": 1}, {"a": 1.0}, ["a: expected 1, got 1.0"]),
        ({"a": 1}, {"a": True}, ["a: expected 1, got True"]),
        ({"a": [1]}, {"a": {"b": 1}}, ["a: expected [1], got {'b': 1}"]),
        (
            {"a": {"x": 1, "y": 2}, "b": 0},
            {"b": 0, "a": {"x": 3, "z": None}},
            [
                "a.x: expected 1, got 3",
                "a.y: expected 2, got nothing",
                "a.z: expected nothing, got None",
            ],
        ),
        (
            {"commands": [{"type": "x"}, 2, 3]},
            {"commands": [{"type": "y"}, 2]},
            ["commands[0].type: expected 'x', got 'y'", "commands[2]: expected 3, got nothing"],
        ),
        ([], [5], ["[0]: expected nothing, got 5"]),
    ],
)
def test_every_difference_is_told(expected: Any, actual: Any, lines: list[str]) -> None:
    """Values are compared as JSON, in the order of the expected one."""
    assert list(differences(expected, actual)) == lines


def test_the_words_can_be_chosen() -> None:
    """Wherever the two differ, each side is called what the caller calls it."""
    before, after = {"a": [1], "b": {"c": 2}}, {"a": [3], "b": {"c": 4}}
    assert list(differences(before, after, words=("recorded", "now"))) == [
        "a[0]: recorded 1, now 3",
        "b.c: recorded 2, now 4",
    ]
