"""What docs/checking.md shows is what happens."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from conductor_adapters.cli.check import check
from conductor_adapters.cli.check_choices import ENDINGS, SWITCHES, Choices
from conductor_core.checking import THEOREMS, full_alphabet
from conductor_core.checking.alphabet import ALL_OPERATIONS, RESPONSES
from conductor_core.spec import FlowSpec
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


def rows_under(heading: str) -> list[list[str]]:
    """The cells of each row of the table whose heading begins so."""
    (table,) = re.findall(rf"^\| {re.escape(heading)}.*?\n\n", CHECKING, re.MULTILINE | re.DOTALL)
    _, _, *rows = table.strip().splitlines()
    return [[cell.strip().strip("`") for cell in row.strip("| ").split(" | ")] for row in rows]


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("in `--with`, `--without`", SWITCHES),
        ("in `--endings`", [name for name in ENDINGS if ":" not in name]),
        ("in `--answers`", RESPONSES),
        ("in `--operations`", ALL_OPERATIONS),
    ],
)
def test_every_name_is_explained(heading: str, names: Sequence[str]) -> None:
    """A table has a row for each name that an option takes, and for no other."""
    rows = rows_under(heading)
    assert sorted(name for name, *_ in rows) == sorted(names)
    assert all(row[-1] for row in rows)


def test_the_directives_are_listed() -> None:
    """Those that may stand behind `ok:` and `fail:`."""
    listed = set(re.findall(r"`([a-z-]+)`", CHECKING[CHECKING.index("asks for it:") :])[:8])
    of_endings = {name.partition(":")[::2] for name in ENDINGS if ":" in name}
    assert of_endings == {(how, directive) for how in ("ok", "fail") for directive in listed}


def test_names_are_told_as_the_tables_have_it() -> None:
    """What is switched changes the line of the result that stands beside it."""
    alphabet, spec = full_alphabet(FlowSpec()), FlowSpec()
    for name, told, _ in rows_under("in `--with`"):
        on = Choices(switched_on=(name,)).applied_to(alphabet, spec)
        off = Choices(switched_off=(name,)).applied_to(alphabet, spec)
        assert dict(on.told())[told] != dict(off.told())[told], name
    for name, told, _ in rows_under("in `--endings`"):
        assert ENDINGS[name].name == told


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    links = [link for link in LINK.findall(CHECKING) if "://" not in link]
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
