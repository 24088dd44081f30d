"""Scenarios as text: what is written is read back as the same data."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_core.testing.scenario_text import yaml_of

yaml = pytest.importorskip("yaml")


@pytest.mark.parametrize(
    "data",
    [
        {"name": "plain", "steps": {"a#1": "success"}, "empty": {}, "none": []},
        {"words": ["no", "True", "null", "1", "1e3", "", "~", "- a", "a: b", "#", "2024-01-01"]},
        {"deep": [[1, [2]], {"a": [{"b": None, "c": True}], "d": 1.5}]},
        {"odd": ['"\\', "tab\tnew\nline", "\x7f\x85\u2028\ufeff\U0001f600", " edges "]},
        {"no": 1, "a b": 2, "1": 3},
    ],
)
def test_what_is_written_is_read_back(data: dict[str, Any]) -> None:
    """Every value comes back from YAML as it was."""
    assert yaml.safe_load(yaml_of(data)) == data


def test_plain_words_stand_plain() -> None:
    """What people read most has no quotes, and lists stand below their keys."""
    assert yaml_of({"do": [{"start": False}, {"finish": {"attempt": "plan#1"}}], "of": []}) == (
        "do:\n- start: false\n- finish:\n    attempt: plan#1\nof: []\n"
    )
