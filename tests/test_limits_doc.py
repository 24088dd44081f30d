"""What docs/limits.md says is so: its numbers, its words and its links."""

from __future__ import annotations

import re
from pathlib import Path

from conductor_adapters.cli import diff_logs_report, ways
from conductor_adapters.debugger import shortest_way
from tests.documents import LINK, ROOT

PAGE = ROOT / "docs" / "limits.md"
TEXT = PAGE.read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())
FIGURES = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def test_links_lead_somewhere() -> None:
    """Each leads to a page that is there."""
    assert [link for link in LINK.findall(TEXT) if not (PAGE.parent / link).exists()] == []


def test_the_numbers_are_those_that_hold() -> None:
    """Every limit in the text is the one in the code."""
    steps, states = shortest_way.MOST_STEPS, shortest_way.MOST_STATES
    assert f"of at most {steps} steps and {states:,} states" in WORDS
    assert f"tells {diff_logs_report.SHOWN} lines of each kind" in WORDS
    words = "a way to its end was not found within the bounds of the search"
    assert f"*{words}*" in WORDS
    assert words in Path(ways.__file__).read_text(encoding="utf-8")


def test_every_goal_that_is_missed_is_told() -> None:
    """Each has its figure in the table, and no figure stands there that misses none."""
    missed = [row.split("|")[2].split()[0] for row in FIGURES.splitlines() if "✗ missed" in row]
    told = [row.split("|")[2] for row in TEXT.partition("## Speed")[2].splitlines() if "|" in row]
    figures = re.findall(r"(?<![\w.])\d+\.\d+|\d\d,\d{3}(?= entries)", " ".join(told))
    assert sorted(figures) == sorted(missed)
