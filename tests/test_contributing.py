"""CONTRIBUTING.md leads through the house as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.documents import BLOCK, LINK, ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TOUR = PAGE.partition("```\n")[2].partition("```\n")[0]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)) - {"help"}
NAMED = re.compile(r"`?((?:conductor_core|adapters|tests|docs|property_tests)/[\w./-]*\w/?)")


def stations() -> Iterator[str]:
    """Every path on the tour: what is indented stands in the folder above it.

    Two spaces or a new line part the names from what is said of them.
    """
    folders: list[tuple[int, str]] = []
    for line in TOUR.splitlines():
        indent = len(line) - len(line.lstrip())
        if indent > 4:
            continue
        names, *_ = re.split(r" {2,}", line.strip())
        while folders and folders[-1][0] >= indent:
            folders.pop()
        above = folders[-1][1] if folders else ""
        for name in names.split():
            yield above + name
        folders.append((indent, above + names.split()[0]))


@pytest.mark.parametrize("station", list(stations()))
def test_the_tour_leads_to_what_is_there(station: str) -> None:
    """Every file and folder on the tour exists, and is the one or the other as it is written."""
    found = list(ROOT.glob(station.rstrip("/")))
    assert found
    assert all(path.is_dir() == station.endswith("/") for path in found)


def test_the_tour_leads_through_every_package() -> None:
    """No part of the product is left out."""
    seen = {station.rstrip("/") for station in stations()}
    packages = [
        str(path.parent.relative_to(ROOT))
        for top in ("conductor_core", "adapters/conductor_adapters")
        for path in sorted((ROOT / top).rglob("__init__.py"))
    ]
    parts = {"conductor_core/testing/conformance/cases"}  # the kit's own
    assert [package for package in packages if package not in seen | parts] == []


def test_what_the_text_names_is_there() -> None:
    """Paths below the tour, and links, lead to files."""
    text = BLOCK.sub("", PAGE.replace(TOUR, ""))
    links = [link for link in LINK.findall(PAGE) if "://" not in link]
    assert [name for name in {*links, *NAMED.findall(text)} if not (ROOT / name).exists()] == []


def test_the_commands_are_those_of_the_makefile() -> None:
    """Every target stands in a table, and nothing else does."""
    rows = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `make "))
    assert set(re.findall(r"`make ([a-z-]+)", rows)) == TARGETS
    assert set(re.findall(r"`make ([a-z-]+)", PAGE)) == TARGETS


def test_variables_of_commands_are_known() -> None:
    """What is handed to make is something that the Makefile takes."""
    handed = re.findall(r"`(?:make [a-z-]+ )?([A-Z]+)=[\d\-\"]", PAGE)
    assert "KILLS" in handed
    assert set(handed) <= set(re.findall(r"^([A-Z]+) \?=", MAKEFILE, re.MULTILINE))
