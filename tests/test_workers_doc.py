"""What docs/workers.md shows is what happens."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import cast

import click
import pytest

from conductor_adapters.cli.main import conductor
from conductor_adapters.cli.operate.start import start
from conductor_adapters.cli.operate.worker import worker
from conductor_adapters.cli.options import GRACE_S
from conductor_adapters.durable_options import LEASE_S, SLOTS, THREADS
from tests.documents import BLOCK, LINK, ROOT, commands_in, sh, write_files

WORKERS = (ROOT / "docs" / "workers.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = BLOCK.findall(WORKERS)
ELAPSED = re.compile(r"^ +\d+\.\d\ds  ", re.MULTILINE)
KEPT_ELSEWHERE = re.compile(r"(?:ExecStart=|\* )conductor (.*)")
SUBSTITUTED = re.compile(r"\$\([^)]*\)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that are shown, each under the name in its first line."""
    write_files(BLOCKS, tmp_path)
    return tmp_path


def in_any_order(printed: str) -> list[str]:
    """The lines of two streams, and of events beside what commands print, times aside."""
    return sorted(ELAPSED.sub("", printed).splitlines())


def test_the_sessions_go_as_shown(folder: Path) -> None:
    """Every command writes the lines that stand below it, and exits with what is echoed."""
    code: int | None = None
    for kind, session in BLOCKS:
        for command, shown in commands_in(session) if kind == "console" else ():
            if command == "echo $?":
                assert shown == str(code)
                continue
            done = sh(folder, command)
            code = done.returncode
            assert in_any_order(done.stdout) == in_any_order(shown), command


def test_what_others_start_can_be_started() -> None:
    """Each command of the unit and of the crontab is one, with options that it has."""
    lines = [line for kind, text in BLOCKS if kind in ("ini", "cron") for line in text.splitlines()]
    commands = [match[1] for line in lines if (match := KEPT_ELSEWHERE.search(line))]
    assert len(commands) == 3
    group = cast("click.Group", conductor)
    for line in commands:
        # What a shell puts in is one word.
        name, *arguments = shlex.split(SUBSTITUTED.sub("today", line))
        command = group.get_command(click.Context(group), name)
        assert command is not None
        command.make_context(name, [*arguments, "--store", "flows.db"])


def documented(title: str) -> list[set[str]]:
    """The options in the first column of each table under a title."""
    tables = WORKERS.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [row for row in tables.splitlines() if row.startswith("| `--")]
    return [set(re.findall(r"`(--[a-z-]+)", row.split(" | ")[0])) for row in rows]


@pytest.mark.parametrize(("title", "command"), [("Starting flows", start), ("Working", worker)])
def test_every_option_is_explained(title: str, command: click.Command) -> None:
    """The options of a command are those of its table."""
    options = {name for parameter in command.params for name in parameter.opts if name[:2] == "--"}
    assert set.union(*documented(title)) == options


def test_the_defaults_are_told() -> None:
    """Behind what an option means."""
    for name, default in (
        ("slots", SLOTS),
        ("threads", THREADS),
        ("lease", LEASE_S),
        ("grace", GRACE_S),
    ):
        assert re.search(rf"^\| `--{name} .*; {default:g} \|$", WORKERS, re.MULTILINE)


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    links = LINK.findall(WORKERS)
    assert [
        link for link in links if "://" not in link and not (ROOT / "docs" / link).exists()
    ] == []
