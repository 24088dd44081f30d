"""The documentation builds as a site that needs no network, and all its links lead somewhere."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.hooks.links import ALWAYS, Page, Source, on_page_markdown, path_of, uri_of
from tests.documents import ROOT

pytest.importorskip("mkdocs", reason="the group docs is not installed")
# What a page loads by itself, and not only when somebody follows it.
LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src")}
# Elements that say something of the page, and load nothing.
SAID = {"canonical", "next", "prev"}


class HowToFile(Source):
    """The file of a page."""

    src_uri = "how-to/embed.md"


class APage(Page):
    """A page."""

    file = HowToFile()


HOW_TO = APage()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


class Links(HTMLParser):
    """The links of a page, what it loads, and what can be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.followed: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        said = {name: value or "" for name, value in attrs}
        if "id" in said:
            self.anchors.add(said["id"])
        if tag == "a" and "href" in said:
            self.followed.append(said["href"])
        for name, value in said.items():
            if (tag, name) in LOADED and said.get("rel") not in SAID:
                self.loaded.append(value)


def pages(site: Path) -> Iterator[tuple[Path, Links]]:
    """Every page of the site."""
    for path in sorted(site.rglob("*.html")):
        yield path, Links(path.read_text(encoding="utf-8"))


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """A page shows without a network: no script, style, font or picture is on another host."""
    loaded = {url for _, links in pages(site) for url in links.loaded}
    assert {url for url in loaded if urlsplit(url).netloc} == set()
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert not [text for text in styles if re.search(r"url\([\"']?https?:", text)]


def test_links_lead_somewhere(site: Path) -> None:
    """Each link within the site leads to a page, and to a place on it."""
    anchors = {path: links.anchors for path, links in pages(site)}
    lost = []
    for path, links in pages(site):
        for link in links.followed:
            parts = urlsplit(link)
            # The page for what is not found stands anywhere.
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            known = anchors.get(target)
            if known is None:
                there = target.exists()
            else:
                there = not parts.fragment or parts.fragment in known
            if not there:
                lost.append((path.name, link))
    assert lost == []


def test_every_document_is_a_page(site: Path) -> None:
    """No document is left out of the site."""
    documents = {
        path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")
    }
    shown = {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}
    named = {Path(str(page).replace("README", "index")) for page in documents}
    assert named - shown == set()


def test_the_makers_are_no_part_of_it(site: Path) -> None:
    """What makes the references and changes links is not published."""
    assert [path.name for path in site.rglob("*.py")] == []


def test_every_document_is_in_the_menu(site: Path) -> None:
    """Whoever opens the site finds each document in its menu."""
    menu = set(Links((site / "index.html").read_text(encoding="utf-8")).followed)
    documents = {
        str(path.relative_to(site)) for path in site.rglob("*.html") if path.name != "404.html"
    }
    assert {path for path in documents if not path.startswith("repository/")} - menu == set()
    assert {f"repository/{path.removesuffix('.md')}.html" for path in ALWAYS} <= menu


def test_a_file_that_is_linked_is_shown(site: Path) -> None:
    """What a document leads to outside of docs/ is a page with the text of the file."""
    page = (site / "repository/examples/embedding.py.html").read_text(encoding="utf-8")
    first = (ROOT / "examples/embedding.py").read_text(encoding="utf-8").splitlines()[0]
    assert html.escape(first, quote=False).strip('"') in html.unescape(page)
    followed = Links((site / "how-to/embed.html").read_text(encoding="utf-8")).followed
    assert "../repository/examples/embedding.py.html" in followed


@pytest.mark.parametrize(
    ("link", "led"),
    [
        ("[it](../../examples/embedding.py)", "[it](../repository/examples/embedding.py.md)"),
        ("[it](../../examples)", "[it](../repository/examples/index.md)"),
        ("[it](../../CONTRIBUTING.md#commits)", "[it](../repository/CONTRIBUTING.md#commits)"),
        ("[it](../semantics.md#readings)", "[it](../semantics.md#readings)"),
        ("[it](https://example.org/a)", "[it](https://example.org/a)"),
        ("[it](../../nothing.py)", "[it](../../nothing.py)"),
        ("```text\n[it](../../examples)\n```", "```text\n[it](../../examples)\n```"),
    ],
)
def test_links_that_leave_the_documents_are_led_on(link: str, led: str) -> None:
    """A link to a file leads to its page; others, code and what is not there stay."""
    assert on_page_markdown(link, page=HOW_TO) == led


def test_lists_and_bars_are_as_the_site_spells_them(site: Path) -> None:
    """A list within a list stays within it, and a bar in a table is shown without its mark."""
    assert on_page_markdown("- a\n  - b\n", page=HOW_TO) == "- a\n    - b\n"
    assert on_page_markdown("| `a\\|b` |", page=HOW_TO) == "| `a|b` |"
    shown = (site / "running.html").read_text(encoding="utf-8")
    assert "<code>--approve all|STEP,...</code>" in shown
    rules = re.sub(r"\s+", " ", (site / "semantics.html").read_text(encoding="utf-8"))
    assert re.search(r"group decisions:\s?<ul> <li>on <code>stop</code>", rules)


@pytest.mark.parametrize(
    "path",
    ["docs/semantics.md", "CONTRIBUTING.md", "examples", "examples/release/flow.yaml", "LICENSE"],
)
def test_a_page_knows_its_file(path: str) -> None:
    """Where a file is shown, and which file a page shows, is the same told twice."""
    assert path_of(uri_of(path)) == path
