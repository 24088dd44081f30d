"""What docs/hosts.md shows is what happens."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conductor_core.testing.conformance import Breakage, Rig, Weather
from tests.documents import BLOCK, LINK, ROOT

HOSTS = (ROOT / "docs" / "hosts.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = BLOCK.findall(HOSTS)


def test_the_code_prints_what_it_says() -> None:
    """The blocks run one after another, and print the blocks of text below them."""
    names: dict[str, Any] = {"__name__": "hosts"}
    with contextlib.redirect_stdout(io.StringIO()) as output:
        for language, text in BLOCKS:
            if language == "python":
                exec(compile(text, "docs/hosts.md", "exec"), names)
    assert output.getvalue() == "".join(text for language, text in BLOCKS if language == "text")


def first_column(title: str) -> list[str]:
    """The words in the first column of a table."""
    rows = HOSTS.partition(f"\n| {title} | ")[2].partition("\n\n")[0].splitlines()
    return [row.split("`")[1] for row in rows if "`" in row]


@pytest.mark.parametrize(
    ("title", "words"), [("weather", list(Weather)), ("breakage", list(Breakage))]
)
def test_the_tables_are_complete(title: str, words: Sequence[str]) -> None:
    """Every weather and every breakage has its row, in the order of the code."""
    assert first_column(title) == words


def test_every_method_of_a_rig_is_shown_or_named() -> None:
    """Whoever writes a rig finds each of its methods on the page."""
    methods = [name for name in vars(Rig) if not name.startswith("_") and name != "redelivers"]
    assert [name for name in methods if f"{name}(" not in HOSTS] == []
    assert "redelivers = True" in HOSTS


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    links = LINK.findall(HOSTS)
    assert [link for link in links if not Path(ROOT / "docs" / link).exists()] == []
