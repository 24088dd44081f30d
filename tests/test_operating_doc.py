"""What docs/operating.md shows is what happens."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from conductor_adapters.cli.flow_file import read_flow
from conductor_adapters.cli.main import COMMANDS, Commands
from conductor_adapters.shell import Shell
from conductor_adapters.workers import Workers
from conductor_core.flowfile import SHELL
from tests.cli.operating import STORE, worker
from tests.documents import BLOCK, LINK, ROOT, commands_in, sh, write_files

OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = BLOCK.findall(OPERATING)
SESSIONS = [text for kind, text in BLOCKS if kind == "console"]
TIMES = re.compile(r"^ +\d+\.\d\ds  |\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.MULTILINE)
CONDUCTOR = [sys.executable, "-c", "from conductor_adapters.cli.main import main; main()"]
EVERYWHERE = {"--store", "--temporal", "--json", "--help"}
OF_REQUESTS = {"--by", "--request-id"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the files that are shown, and a worker that carries on two flows."""
    folder = tmp_path_factory.mktemp("operating")
    write_files(BLOCKS, folder, ("yaml", "sh"))
    handlers = {SHELL: Shell()}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("CONDUCTOR_STORE", STORE)
        patch.setenv("PATH", str(installed(folder / "bin")), prepend=os.pathsep)
        with worker(handlers) as working:
            spec = read_flow(folder / "deploy.yaml", Workers(handlers=handlers))
            for flow_id in ("deploy-42", "deploy-43"):
                working.start(spec, flow_id)
                assert sh(folder, f"conductor wait {flow_id} --no-people").returncode == 3
            yield folder


def installed(folder: Path) -> Path:
    """A folder with the program `conductor`, which scripts find there."""
    folder.mkdir()
    program = folder / "conductor"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(CONDUCTOR)} "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    return folder


def watched(command: str) -> str:
    """What somebody sees who watches while somebody else answers, as it is told above it."""
    (answer,) = re.findall(r"`(conductor deny deploy-43 [^`]+)`", OPERATING)
    words = command.split()[1:]
    watching = subprocess.Popen([*CONDUCTOR, *words], stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    first = watching.stdout.readline()
    assert sh(Path(), answer).stdout == "accepted\n"
    rest, _ = watching.communicate(timeout=60)
    return first + rest


@pytest.fixture(scope="module")
def sessions(folder: Path) -> list[tuple[str, str, str]]:
    """Every command that is shown, what stands below it, and what it printed."""
    told: list[tuple[str, str, str]] = []
    code = 0
    for session in SESSIONS:
        for command, shown in commands_in(session):
            if command == "echo $?":
                printed = str(code)
            elif command.startswith("conductor watch"):
                printed = watched(command)
            else:
                done = sh(folder, command)
                printed, code = done.stdout, done.returncode
            told.append((command, shown, printed.rstrip("\n")))
    return told


def test_the_sessions_go_as_shown(sessions: list[tuple[str, str, str]]) -> None:
    """Every command prints what stands below it, times aside, and exits with what is echoed."""
    for command, shown, printed in sessions:
        assert TIMES.sub("TIME", printed) == TIMES.sub("TIME", shown), command


# --- tables ---


def rows(title: str) -> list[list[str]]:
    """The cells of a table whose first column has a title."""
    lines = OPERATING.partition(f"\n| {title} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [line.strip("| ").split(" | ") for line in lines]


def command_of(name: str) -> click.Command:
    """A command by its name."""
    found = Commands().get_command(click.Context(click.Group()), name)
    assert found is not None
    return found


def options_of(command: click.Command) -> set[str]:
    """The long names of the options of a command."""
    return {name for each in command.params for name in each.opts if name.startswith("--")}


def test_every_command_is_listed() -> None:
    """The looks, and the requests."""
    mine = {"answers", "append", "follow", "listing", "looks", "requests"}
    there = {
        name
        for name, module in COMMANDS.items()
        if ".operate." in module and module.rpartition(".")[2] in mine
    }
    listed = {row[0].strip("`").split()[0] for row in rows("look") + rows("request")}
    assert listed == there | {"explain"}


@pytest.mark.parametrize("row", rows("look") + rows("request"), ids=lambda row: row[0])
def test_every_option_is_listed(row: list[str]) -> None:
    """Of each command its own, and of all what all have."""
    name, *arguments = row[0].strip("`").split()
    command = command_of(name)
    listed = set(re.findall(r"`(--[a-z-]+)`", " ".join(row[2:])))
    common = EVERYWHERE | (OF_REQUESTS if arguments else set())
    assert common - {"--help"} <= options_of(command)
    assert options_of(command) - common == listed
    if arguments:
        named = [
            each.make_metavar(click.Context(command))
            for each in command.params
            if isinstance(each, click.Argument)
        ]
        assert arguments == named


@pytest.mark.usefixtures("sessions")
@pytest.mark.parametrize(
    ("row", "command"),
    [
        ("`list`, of each flow", "list"),
        ("`status`", "status deploy-42"),
        ("`log`", "log deploy-42"),
        ("`wait`", "wait deploy-42"),
        ("a request", "pause deploy-42"),
    ],
)
def test_the_keys_for_programs_are_those_that_are_listed(
    folder: Path, row: str, command: str
) -> None:
    """The table has every key of what a command writes, and no other."""
    told: Any = json.loads(sh(folder, f"conductor {command} --json").stdout)
    assert keys_of(row) == list(told[0] if isinstance(told, list) else told)


@pytest.mark.usefixtures("sessions")
def test_the_keys_for_programs_that_watch_are_those_that_are_listed(folder: Path) -> None:
    """In the first object, and in the last."""
    told = sh(folder, "conductor watch deploy-42 --json").stdout.splitlines()
    first, last = map(json.loads, told)
    assert keys_of("`watch`, at first") == list(first)
    assert keys_of("`watch`, at last") == list(last)


def keys_of(row: str) -> list[str]:
    """The keys that stand in a row of the table for programs."""
    table = OPERATING.partition("\n## For programs\n")[2]
    (keys,) = re.findall(rf"^\| {re.escape(row)} \| (.*) \|$", table, re.MULTILINE)
    return re.findall(r"`(\w+)`", keys)


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    links = LINK.findall(OPERATING)
    assert [
        link for link in links if "://" not in link and not (ROOT / "docs" / link).exists()
    ] == []
