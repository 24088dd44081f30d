"""The documentation builds as a site that needs no network, and all its links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.hooks.links import Page, Source, on_page_markdown
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


def test_files_that_are_no_pages_are_named() -> None:
    """A link that leaves the documentation becomes the name of the file; others stay."""
    text = "[a host](../../examples/embedding.py), [rules](../semantics.md), [x.py](../../x.py)"
    told = "a host (`examples/embedding.py`), [rules](../semantics.md), `x.py`"
    assert on_page_markdown(text, page=HOW_TO) == told
    fenced = "```text\n[a](../../b)\n```"
    assert on_page_markdown(fenced, page=HOW_TO) == fenced
