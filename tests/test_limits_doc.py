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


def test_the_figures_are_those_that_were_measured() -> None:
    """Each that is told stands among the figures, with a goal that is missed."""
    missed = [row for row in FIGURES.splitlines() if "✗ missed" in row]
    told = TEXT.partition("## Speed")[2]
    for figure in re.findall(r"\d+\.\d{2,4}|\d+,\d{3}(?= entries)|30\.6", told):
        assert any(f" {figure} " in row for row in missed), figure
