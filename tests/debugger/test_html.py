"""A page is one file, which nothing in a log can change."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from conductor_adapters.debugger.html import asset, embedded, page
from conductor_adapters.debugger.view import view_of
from tests.debugger.recordings import large
from tests.debugger.stories import DEPLOY, STORY, UNTAMED, recording, untamed

FEW = 10_000_000


class Parts(HTMLParser):
    """The elements of a page, and the texts of those that a browser runs or applies."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self._open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag in self.texts:
            self._open = tag
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        """Close a text."""
        self._open = None if tag == self._open else self._open

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if self._open is not None:
            self.texts[self._open][-1] += data

    def policy(self) -> dict[str, list[str]]:
        """What the page may do."""
        (content,) = (
            attributes["content"]
            for tag, attributes in self.elements
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        )
        return {name: rest for name, *rest in (each.split() for each in str(content).split("; "))}


def hashed(text: str) -> str:
    """A text as a policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_what_the_page_was_written_with_alone() -> None:
    """Nothing is loaded, and the hashes are those of the texts."""
    parts = Parts(page([view_of(recording(DEPLOY, *STORY))]))
    data, code = parts.texts["script"]
    (style,) = parts.texts["style"]
    assert json.loads(data)["views"][0]["flow_id"] == "deploy-42"
    assert parts.policy() == {
        "default-src": ["'none'"],
        "script-src": [hashed(code)],
        "style-src": [hashed(style)],
        "connect-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["'none'"],
    }


def test_no_element_of_the_page_asks_for_anything() -> None:
    """There is no address in it but those within the page, and no inline handler or style."""
    for tag, attributes in Parts(page([view_of(recording(DEPLOY, *STORY))])).elements:
        assert tag not in ("link", "img", "iframe", "object", "base"), tag
        assert not {name for name in attributes if name.startswith("on") or name == "style"}
        assert str(attributes.get("href", "#")).startswith("#"), attributes
        assert "src" not in attributes
    asking = r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import|import\("
    assert [re.findall(asking, asset(name)) for name in ("page.css", "page.js")] == [[], []]


def test_the_script_never_writes_markup() -> None:
    """Text reaches the document as text: there is no other way in the script."""
    ways = r"(inner|outer|set)HTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|srcdoc"
    assert re.search(ways, asset("page.js")) is None


@pytest.mark.parametrize("text", UNTAMED)
def test_data_ends_nowhere_but_at_its_end(text: str) -> None:
    """It is ASCII without any mark of HTML, and the same value when it is read."""
    found = embedded({text: [text]})
    assert found.isascii()
    assert re.findall(r"[<>&'\x00-\x1f]", found) == []
    assert json.loads(found) == {text: [text]}


def test_a_hostile_log_changes_no_element() -> None:
    """The page of a flow full of marks has the elements of any other."""
    tame, wild = (Parts(page([view_of(each)])) for each in (recording(DEPLOY), untamed()))
    assert [tag for tag, _ in wild.elements] == [tag for tag, _ in tame.elements]
    assert wild.policy() == tame.policy()
    assert json.loads(wild.texts["script"][0])["views"][0]["type"] == UNTAMED[0]


def test_a_page_of_10_251_entries_is_small() -> None:
    """It holds patches, not states."""
    assert len(page([view_of(large())]).encode()) < FEW


def test_equal_logs_give_equal_pages() -> None:
    """No clock and no chance goes into a page."""
    first, second = (page([view_of(recording(DEPLOY, *STORY))]) for _ in range(2))
    assert first == second
