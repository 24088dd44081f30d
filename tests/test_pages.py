"""What the pages that teach show is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents import LINK, ROOT
from tests.pages import FENCE, Differs, alike, check

DOCS = ROOT / "docs"
TAUGHT = ("tutorial.md", "concepts.md", "coming-from.md", "how-to/*.md")
PAGES = sorted(page for name in TAUGHT for page in DOCS.glob(name))
NAMES = [str(page.relative_to(DOCS)) for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_page_goes_as_shown(page: Path, tmp_path: Path) -> None:
    """Whoever does all that a page shows, from its top, sees what it shows."""
    check(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    """A link inside the project leads to a file that exists."""
    links = LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def page_of(tmp_path: Path, text: str) -> Path:
    """A page with a text."""
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ echo one\n```\n",
        "```console\n$ false\n$ echo $?\n0\n```\n",
        "```python\nprint(1)\n```\n\n```text\n2\n```\n",
        "<!-- stays open -->\n```console\n$ echo one; sleep 60\ntwo\n```\n",
        "```\nwhat nothing tries\n```\n",
        "```yaml\nflow: without-a-name\n```\n",
    ],
)
def test_what_is_not_so_is_found(tmp_path: Path, text: str) -> None:
    """A page that shows something else than is printed, or a block that nothing tries, is wrong."""
    with pytest.raises(Differs):
        check(page_of(tmp_path, text), tmp_path)


def test_what_is_so_passes(tmp_path: Path) -> None:
    """Files are written, commands typed, Python run, and a terminal left open."""
    text = (
        "```yaml\n# a/b.yaml\nx: 1\n```\n\n```console\n$ cat a/b.yaml\n# a/b.yaml\nx: 1\n```\n\n"
        "<!-- stays open -->\n```console\n$ echo open; exec sleep 60\nopen\n^C\n```\n\n"
        "```python\nprint('y\\nx: 1')\n```\n\n```text\n...\nx: 1\n```\n"
    )
    check(page_of(tmp_path, text), tmp_path)


def test_other_programs_find_the_command(tmp_path: Path) -> None:
    """What runs commands by itself, such as another shell, finds `conductor` as a program."""
    text = (
        "```console\n$ sh -c 'exec conductor status --help' | sed -n 3p\n"
        "  Say in short where a flow is, and what people are asked.\n```\n"
    )
    check(page_of(tmp_path, text), tmp_path)


def test_lines_may_be_left_out() -> None:
    """Three dots stand for any lines, times, ids and sizes for any others, words for themselves."""
    assert alike("a\n...\nd 1.5 s\n", "a\nb\nc\nd 20.25 s\n")
    assert alike("page.html: 9 entries, 1,024 bytes\n", "page.html: 9 entries, 998 bytes\n")
    assert not alike("a\n...\nd\n", "a\nb\n")
    assert not alike("worker idle\n", "worker busy\n")
