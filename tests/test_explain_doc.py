"""What docs/debugging/explain.md shows is what happens."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Final

import pytest

from conductor_adapters.cli import reports, standing_data, ways
from conductor_adapters.debugger.shortest_way import MOST_STATES, Means
from conductor_core.explain import MANY
from tests.debugger.recordings import put_samples
from tests.documents import BLOCK, LINK, ROOT, commands_in, sh

PAGE: Final = ROOT / "docs" / "debugging" / "explain.md"
EXPLAIN: Final = PAGE.read_text(encoding="utf-8")
PYTHON: Final = f'python() {{ {shlex.quote(sys.executable)} "$@"; }}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both logs."""
    folder = tmp_path_factory.mktemp("explain")
    put_samples(folder)
    return folder


def test_the_sessions_go_as_shown(folder: Path) -> None:
    """Every command prints what stands below it."""
    for session in (text for kind, text in BLOCK.findall(EXPLAIN) if kind == "console"):
        for command, shown in commands_in(session):
            assert sh(folder, f"{PYTHON}; {command}").stdout.rstrip("\n") == shown, command


def row(key: str) -> str:
    """What the table says of a key."""
    (cell,) = re.findall(rf"^\| [^|]*`{key}`[^|]* \| (.*) \|$", EXPLAIN, re.MULTILINE)
    return str(cell)


def test_the_keys_for_programs_are_those_that_are_listed(folder: Path) -> None:
    """The table has every key of what may happen, and no other."""
    told = json.loads(sh(folder, "conductor explain release.jsonl --at 5 --json").stdout)
    assert {*told["facts"][0], *told["requests"][0]} == {"told", "fact", "request"}
    assert set(re.findall(r"`(\w+)`", row("next_timer"))) == set(told["next_timer"])
    words = {"over", "impossible", "unknown", "told", "event", *Means}
    assert set(re.findall(r"`(\w+)`", row("way"))) - words <= {"way", *told["way"]}
    assert set(told["way"]) <= set(re.findall(r"`(\w+)`", row("way")))
    assert f"{standing_data.MOST:,} of each at most" in row("requests")


def test_the_bounds_are_those_that_hold() -> None:
    """What the page says of numbers is what the code says."""
    assert reports.SHOWN == 5
    assert ways.TIME_S == 1
    assert f"in up to {MOST_STATES:,} states" in EXPLAIN
    assert f"Of more than {MANY} attempts" in EXPLAIN


def test_links_lead_somewhere() -> None:
    """Every page that is named is there."""
    for target in LINK.findall(EXPLAIN):
        assert (PAGE.parent / target).exists(), target
