"""What docs/looking.md shows is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conductor_adapters.cli.graph import MERMAID_CHARACTERS, MERMAID_EDGES
from conductor_adapters.cli.intent import ALL
from conductor_core.graphtext import LONGEST
from tests.documents import BLOCK, LINK, ROOT, commands_in, sh, write_files

LOOKING = (ROOT / "docs" / "looking.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = BLOCK.findall(LOOKING)
SESSIONS = [text for kind, text in BLOCKS if kind == "console"]
# What is left of a day when a second of it has passed.
ALMOST = re.compile(r"23 h 59 min")


def block(language: str) -> str:
    """The one block in a language."""
    (text,) = (text for kind, text in BLOCKS if kind == language)
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the flow that is shown."""
    folder = tmp_path_factory.mktemp("looking")
    write_files(BLOCKS, folder)
    return folder


@pytest.fixture(scope="module")
def sessions(folder: Path) -> list[tuple[str, str, str]]:
    """Every command that is shown, what stands below it, and what it printed."""
    return [
        (command, shown, sh(folder, command).stdout.rstrip("\n"))
        for session in SESSIONS
        for command, shown in commands_in(session)
    ]


def test_the_sessions_go_as_shown(sessions: list[tuple[str, str, str]]) -> None:
    """Every command prints what stands below it."""
    for command, shown, printed in sessions:
        assert ALMOST.sub("24 h", printed) == shown, command


@pytest.mark.usefixtures("sessions")
def test_the_picture_is_the_one_that_is_drawn(folder: Path) -> None:
    """What a reader sees drawn is what the command wrote."""
    assert (folder / "deploy-43.mmd").read_text(encoding="utf-8") == block("mermaid")


def test_the_example_in_python_runs() -> None:
    """What it asserts is true."""
    exec(compile(block("python"), "looking.md", "exec"), {})


@pytest.mark.usefixtures("sessions")
@pytest.mark.parametrize(
    ("row", "command"),
    [
        ("`explain` of a log", "explain deploy-42.jsonl"),
        ("`explain` of a flow file", "explain deploy.yaml"),
        ("`graph`", "graph deploy-42.jsonl"),
    ],
)
def test_the_keys_for_programs_are_those_that_are_listed(
    folder: Path, row: str, command: str
) -> None:
    """The table has every key of what a command writes, and no other."""
    (keys,) = re.findall(rf"^\| {re.escape(row)} \| (.*) \|$", LOOKING, re.MULTILINE)
    told = json.loads(sh(folder, f"conductor {command} --json").stdout)
    assert ["file", *re.findall(r"`(\w+)`", keys)] == list(told)


def test_the_limits_are_those_that_hold() -> None:
    """Every number in the text is the one in the code."""
    for limit in (ALL, LONGEST, MERMAID_EDGES, MERMAID_CHARACTERS):
        assert re.search(rf"\b{limit:,}\b", LOOKING)


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    links = LINK.findall(LOOKING)
    assert [
        link for link in links if "://" not in link and not (ROOT / "docs" / link).exists()
    ] == []
