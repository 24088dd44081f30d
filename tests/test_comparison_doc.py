"""What docs/comparison.md and the README say of others has a source, and what of us, a page."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.documents import LINK, ROOT

PAGE: Final = ROOT / "docs" / "comparison.md"
TEXT: Final = PAGE.read_text(encoding="utf-8")
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCES: Final = {
    "Temporal": "docs.temporal.io",
    "DBOS": "docs.dbos.dev",
    "Celery canvas": "docs.celeryq.dev",
    "LangGraph": "docs.langchain.com",
    "python-statemachine": "python-statemachine.readthedocs.io",
}
_HOST: Final = re.compile(r"\]\(https://([^/)]+)")


def section(name: str) -> str:
    """What the page says of one system."""
    return TEXT.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in a text, heads left out."""
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    return [line.split(" | ") for line in lines if not line.startswith("question")]


@pytest.mark.parametrize("name", SOURCES)
def test_every_claim_about_another_system_has_a_source(name: str) -> None:
    """Each row of its table, and each thing that it is better at, links to its own documents."""
    told = section(name)
    assert set(_HOST.findall(told)) == {SOURCES[name]}
    claims = [theirs for _, theirs, _ in rows(told) if theirs != "you"]
    assert len(claims) > 2
    assert [claim for claim in claims if SOURCES[name] not in claim] == []
    better = told.partition("**Better at:** ")[2]
    assert SOURCES[name] in better.partition("\n\n")[0]


@pytest.mark.parametrize("name", SOURCES)
def test_the_readme_compares_with_sources(name: str) -> None:
    """The README has a row for each, in which all that is said of it links to its documents."""
    (row,) = re.findall(rf"^\| \*\*{re.escape(name)}\*\* \| (.*) \|$", README, re.MULTILINE)
    for cell in row.split(" | "):
        assert set(_HOST.findall(cell)) == {SOURCES[name]}, cell


def test_every_system_is_in_the_short_answer() -> None:
    """The first table says when to take each of them."""
    short = section("In short")
    assert [name for name in SOURCES if name.removesuffix(" canvas") not in short] == []


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists, and to a heading that it has."""
    for link, anchor in re.findall(r"\]\(([\w./-]+\.md)(?:#([\w-]+))?\)", TEXT):
        text = (PAGE.parent / link).read_text(encoding="utf-8")
        heads = {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-")
                 for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}  # fmt: skip
        assert not anchor or anchor in heads, f"{link}#{anchor}"
    assert [
        link
        for link in LINK.findall(TEXT)
        if "://" not in link and not (PAGE.parent / link).exists()
    ] == []
