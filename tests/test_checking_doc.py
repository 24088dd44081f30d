"""What docs/checking.md shows is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest

from conductor_adapters.cli.check import check
from conductor_core.checking import THEOREMS
from tests.documents import BLOCK, COST, LINK, ROOT, commands_in, sh, write_files

CHECKING = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = BLOCK.findall(CHECKING)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that are shown."""
    folder = tmp_path_factory.mktemp("checking")
    write_files(BLOCKS, folder, ("yaml", "python"))
    return folder


@pytest.fixture(scope="module")
def sessions(folder: Path) -> list[tuple[str, str, str]]:
    """Every command that is shown, what stands below it, and what it printed."""
    return [
        (command, shown, sh(folder, command).stdout.rstrip("\n"))
        for kind, session in BLOCKS
        if kind == "console"
        for command, shown in commands_in(session)
    ]


def names_in(pattern: str) -> list[str]:
    """The names between backquotes in the one place that matches."""
    (found,) = re.findall(pattern, CHECKING, re.MULTILINE | re.DOTALL)
    return re.findall(r"`([\w ]+)`", found)


def test_the_sessions_go_as_shown(sessions: list[tuple[str, str, str]]) -> None:
    """Every command prints what stands below it, but for what it costs."""
    for command, shown, printed in sessions:
        assert COST.sub("", printed) == COST.sub("", shown), command


def test_every_theorem_is_explained() -> None:
    """The table has a line for each theorem that is always checked, in their order."""
    (table,) = re.findall(r"^\| name \| .*?\n\n", CHECKING, re.MULTILINE | re.DOTALL)
    _, _, *names = re.findall(r"^\| ?(.+?) ?\|", table, re.MULTILINE)
    assert names == [theorem.name for theorem in THEOREMS]


@pytest.mark.usefixtures("sessions")
def test_the_keys_for_programs_are_those_that_are_listed(folder: Path) -> None:
    """What is said of `--json` and of certificates is what they hold."""
    told = json.loads(sh(folder, "conductor check deploy.yaml --json").stdout)
    assert names_in(r"writes one object with (.*?)\.") == list(told)
    assert names_in(r"Each claim has (.*?);") == list(told["claims"][0])
    certificate = json.loads((folder / "deploy.certificate.json").read_text("utf-8"))
    assert names_in(r"It has (.*?)\.") == list(certificate)


def test_every_option_that_is_named_exists() -> None:
    """No option in the text is one that the command does not know."""
    known = {name for parameter in check.params for name in parameter.opts}
    named = set(re.findall(r"`(--[a-z-]+)", CHECKING))
    assert named - known == set()
    bounds = [p for p in check.params if isinstance(p, click.Option) and p.metavar == "LIST"]
    assert {name for option in bounds for name in option.opts} <= named


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    links = [link for link in LINK.findall(CHECKING) if "://" not in link]
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
