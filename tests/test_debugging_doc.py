"""What the pages of docs/debugging show is what happens."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from conductor_adapters.debugger.predicates import VOCABULARY
from tests.debugger.recordings import put_samples
from tests.documents import BLOCK, ROOT, commands_in, sh, write_files

FOLDER: Final = ROOT / "docs" / "debugging"
PAGES: Final = ("README", "what-if", "shrink", "replay")
ELAPSED: Final = re.compile(r" in [\d.]+ s$", re.MULTILINE)
"""How long it took differs from one machine, and one moment, to the next."""


def text_of(page: str) -> str:
    """A page."""
    return (FOLDER / f"{page}.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both logs, and the flow of one of them."""
    folder = tmp_path_factory.mktemp("logs")
    put_samples(folder)
    shutil.copy(ROOT / "examples" / "release" / "flow.yaml", folder)
    return folder


@pytest.fixture
def folder(logs: Path, tmp_path: Path) -> Path:
    """A folder of its own with both logs, and the files that the pages show."""
    shutil.copytree(logs, tmp_path, dirs_exist_ok=True)
    write_files(BLOCK.findall(text_of("shrink")), tmp_path, kinds=("python",))
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_the_sessions_go_as_shown(page: str, folder: Path) -> None:
    """Every command prints what stands below it."""
    sessions = [text for kind, text in BLOCK.findall(text_of(page)) if kind == "console"]
    for session in sessions:
        for command, shown in commands_in(session):
            told = sh(folder, command).stdout.rstrip("\n")
            assert ELAPSED.sub("", told) == ELAPSED.sub("", shown), command


EVENT: Final = '{"type":"pause-requested","by":"ana"}'


@pytest.mark.parametrize(
    ("page", "command"),
    [
        ("what-if", f"what-if release.jsonl --at 3 --event '{EVENT}'"),
        ("shrink", "shrink release.jsonl --keep status:success"),
        ("shrink", "shrink release.jsonl --keep-python mine.py:runs"),
        ("replay", "replay release.jsonl"),
    ],
)
def test_the_keys_for_programs_are_those_that_are_listed(
    page: str, command: str, folder: Path
) -> None:
    """The page has every key of what a command writes, in its order."""
    (folder / "mine.py").write_text("def runs(states, entries): return states[-1].started\n")
    (keys,) = re.findall(r"`--json` writes one object: (.*?)\.", text_of(page), re.DOTALL)
    told = json.loads(sh(folder, f"conductor {command} --json").stdout)
    assert re.findall(r"`(\w+)`", keys) == list(told)


def test_the_function_that_is_shown_can_be_asked(folder: Path) -> None:
    """It loads, and says that the release was never paused."""
    said = sh(folder, "conductor shrink release.jsonl --keep-python mine.py:paused_while_it_ran")
    assert said.returncode == 1
    assert "it does not show mine.py:paused_while_it_ran" in said.stdout


def test_the_vocabulary_is_the_one_that_is_read() -> None:
    """The table has every form of a claim, with what it says."""
    rows = "\n".join(f"| `{form}` | {meaning} |" for form, meaning in VOCABULARY)
    assert f"\n{rows}\n" in text_of("shrink")
