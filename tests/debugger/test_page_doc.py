"""What docs/debugging/page.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conductor_adapters.debugger.html import asset
from tests.debugger.recordings import put_samples
from tests.documents import BLOCK, LINK, ROOT, commands_in, sh

PAGE = ROOT / "docs" / "debugging" / "page.md"
TEXT = PAGE.read_text(encoding="utf-8")
# How large a page is depends on every word of its style and script.
SIZE = re.compile(r'[\d,]+(?= bytes)|(?<="bytes": )\d+')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both sample logs."""
    folder = tmp_path_factory.mktemp("page")
    put_samples(folder)
    return folder


def test_the_sessions_go_as_shown(folder: Path) -> None:
    """Every command prints what stands below it, but for the size of a page, which is near it."""
    sessions = [text for kind, text in BLOCK.findall(TEXT) if kind == "console"]
    for session in sessions:
        for command, shown in commands_in(session):
            printed = sh(folder, command).stdout.rstrip("\n")
            assert SIZE.sub("N", printed) == SIZE.sub("N", shown), command
            for told, found in zip(SIZE.findall(shown), SIZE.findall(printed), strict=True):
                sizes = (int(each.replace(",", "")) for each in (told, found))
                assert max(pair := list(sizes)) - min(pair) < 20_000, command
    assert (folder / "release.svg").read_text(encoding="utf-8").startswith("<svg ")


def test_the_keys_are_those_of_the_page() -> None:
    """The page lists the same ones."""
    rows = re.findall(r"^\| (`.*?) \|", TEXT, re.MULTILINE)
    keys = {key for row in rows for key in re.findall(r"`(.+?)`", row)}
    assert keys - {"?"} == set(re.findall(r"<kbd>(.+?)</kbd>", asset("page.html"))[1:])


def test_the_limits_are_those_that_hold() -> None:
    """Every number in the text is the one in the script."""
    code = asset("page.js")
    assert "up to 14 steps" in TEXT
    assert "static STEPS = 14;" in code
    assert "more than 16\n  steps" in TEXT
    assert "static TILES = 16;" in code


def test_pictures_are_small_and_links_lead_somewhere() -> None:
    """Both pictures are there."""
    links = [*LINK.findall(TEXT), *re.findall(r'src(?:set)?="([^"]+)"', TEXT)]
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
    for scheme in ("light", "dark"):
        assert (PAGE.parent / f"page-{scheme}.png").stat().st_size < 200_000
