"""What docs/running.md shows is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conductor_adapters.cli.run import run
from conductor_adapters.shell import RESULT_KEYS
from tests.documents import BLOCK, LINK, ROOT, commands_in, sh, write_files

RUNNING = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = BLOCK.findall(RUNNING)
SESSIONS = [text for kind, text in BLOCKS if kind == "console"]
ELAPSED = re.compile(r"^ +\d+\.\d\ds  ", re.MULTILINE)
KEYS = re.compile(r"`(\w+)`")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that are shown, each under the name in its first line."""
    write_files(BLOCKS, tmp_path, tuple({kind for kind, _ in BLOCKS} - {"console"}))
    return tmp_path


def test_the_sessions_go_as_shown(folder: Path) -> None:
    """Every command prints what stands below it, times aside, and exits with what is echoed."""
    code: int | None = None
    for session in SESSIONS:
        for command, shown in commands_in(session):
            if command == "echo $?":
                assert shown == str(code)
                continue
            done = sh(folder, command)
            code = done.returncode
            printed = done.stdout.rstrip("\n")
            assert ELAPSED.sub("", printed) == ELAPSED.sub("", shown), command


def documented(table: str) -> set[str]:
    """The keys in the first column of a table that begins with a word."""
    rows = RUNNING.partition(f"\n| {table} | meaning |\n")[2].partition("\n\n")[0].splitlines()
    return {key for row in rows for key in KEYS.findall(row.split(" | ")[0])}


def test_every_key_of_the_context_is_explained(folder: Path) -> None:
    """What a command finds in its context is what the table lists."""
    step = {"key": "a", "run": 'cat "$CONDUCTOR_CONTEXT"'}
    (folder / "flow.json").write_text(json.dumps({"groups": [{"key": "g", "steps": [step]}]}))
    *_, finished, _ = sh(folder, "conductor run flow.json --json").stdout.splitlines()
    context = json.loads(json.loads(finished)["event"]["output"]["stdout"])
    assert documented("context") == context.keys()


def test_every_key_of_the_result_is_explained() -> None:
    """What a command may say is what the table lists."""
    assert documented("result") == set(RESULT_KEYS)


def test_every_option_is_explained() -> None:
    """The options of the command are those of the table."""
    options = {name for parameter in run.params for name in parameter.opts if name[:2] == "--"}
    rows = RUNNING.partition("| option | meaning |\n")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(--[a-z-]+)", rows, re.MULTILINE)) == options


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    links = LINK.findall(RUNNING)
    assert [
        link for link in links if "://" not in link and not (ROOT / "docs" / link).exists()
    ] == []
