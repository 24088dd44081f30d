"""What docs/performance.md says of the benchmarks is true of them."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from benchmarks.__main__ import PARTS
from benchmarks.parts import BEGIN, END
from benchmarks.peers.installed import DISTRIBUTIONS
from benchmarks.workloads import SHAPES
from tests.benchmark_run import benchmarks, tiny_rows
from tests.documents import LINK, ROOT

TEXT = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMAND = re.compile(r"^make ([\w-]+)(?: ARGS=(\S+|\".*?\"))?", re.MULTILINE)
SIZES = re.compile(r"[\d,]*\d")


def test_every_command_exists() -> None:
    """What is to be typed is a target, with options and parts that there are."""
    help_text = benchmarks("--help").stdout
    help_text += benchmarks("--help", module="benchmarks.instructions").stdout
    for target, arguments in COMMAND.findall(TEXT):
        assert f"\n{target}: " in MAKEFILE
        for argument in arguments.strip('"').split():
            assert argument in (*PARTS, "before.json") or argument in help_text
    for module in re.findall(r"python -m (benchmarks\.\w+)", TEXT):
        assert find_spec(module) is not None


def test_every_part_shape_and_peer_is_told() -> None:
    """Nothing is measured, or played, that the text does not explain."""
    told = TEXT.partition("## The parts")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE) == list(PARTS)
    for shape in SHAPES:
        assert f"`{shape.name}`" in TEXT
    for distribution in DISTRIBUTIONS.values():
        assert f"\n| {distribution}" in TEXT


def test_the_figures_are_those_that_are_measured() -> None:
    """Every row of the tables is one that a run prints, at other sizes, and none is missing."""
    figures = TEXT.partition(BEGIN)[2].partition(END)[0]
    heads = re.findall(r"^\| (\w+) \| figure \|", figures, re.MULTILINE)
    rows = re.findall(r"^\| (.*?) \| [\d-].*\|$", figures, re.MULTILINE)
    assert heads == list(PARTS)
    assert {_plain(row) for row in rows} == {_plain(row["what"]) for row in tiny_rows()}


def _plain(what: str) -> str:
    """The name of a row without the sizes that it was measured at."""
    return SIZES.sub("#", what)


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    assert [link for link in LINK.findall(TEXT) if not Path(ROOT / "docs" / link).exists()] == []
