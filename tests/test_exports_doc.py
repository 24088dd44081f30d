"""What docs/debugging/exports.md shows is what happens."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from conductor_adapters.debugger.cloudevents import cloudevents_of
from conductor_adapters.debugger.otlp import SPANS
from conductor_adapters.debugger.recording import record
from conductor_adapters.debugger.spans import spans_of
from examples.debugging.large import main as write_large
from tests.debugger.golden import SMALL, golden
from tests.documents import BLOCK, LINK, ROOT, commands_in, sh

PAGE = ROOT / "docs" / "debugging" / "exports.md"
EXPORTS = PAGE.read_text(encoding="utf-8")
SESSIONS = [text for kind, text in BLOCK.findall(EXPORTS) if kind == "console"]
PYTHON = f'python() {{ {shlex.quote(sys.executable)} "$@"; }}'
NAME = re.compile(r"`(conductor\.[a-z_.]+)`")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both logs."""
    folder = tmp_path_factory.mktemp("exports")
    shutil.copy(ROOT / "examples" / "debugging" / "release.jsonl", folder)
    with contextlib.redirect_stdout(io.StringIO()) as written:
        write_large()
    (folder / "large.jsonl").write_text(written.getvalue(), "utf-8")
    return folder


def test_the_sessions_go_as_shown(folder: Path) -> None:
    """Every command prints what stands below it, and exits with what is echoed."""
    code = 0
    for session in SESSIONS:
        for command, shown in commands_in(session):
            if command == "echo $?":
                assert str(code) == shown
                continue
            done = sh(folder, f"{PYTHON}; {command}")
            assert done.stdout.rstrip("\n") == shown, command
            code = done.returncode


def test_the_example_in_python_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints what stands below it."""
    pytest.importorskip("opentelemetry.sdk.trace", reason="needs opentelemetry-sdk")
    monkeypatch.chdir(folder)
    blocks = dict(BLOCK.findall(EXPORTS))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(blocks["python"], str(PAGE), "exec"), {})
    assert printed.getvalue() == blocks["text"]


def rows(title: str) -> dict[str, set[str]]:
    """The names in the rows of a table, by the words in its first column."""
    table = EXPORTS.partition(f"\n| {title} | ")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [row.strip("| ").split(" | ") for row in table]
    return {first: set(NAME.findall(" ".join(others))) for first, *others in cells}


def test_the_attributes_are_those_that_are_told() -> None:
    """Every one that a span of a recorded log has, and no other."""
    told = rows("attributes of")
    found: dict[str, set[str]] = {}
    for name in SMALL:
        for span in spans_of(golden(name)):
            found.setdefault(span.name.partition(" ")[0], set()).update(span.attributes)
    every = told.pop("every span")
    assert set.intersection(*found.values()) >= every
    listed = {key.rpartition(" ")[2]: names | every for key, names in told.items()}
    assert listed == found


def test_the_marks_are_those_that_are_told() -> None:
    """Each by its name, but for those of work."""
    marks = {mark.name for name in SMALL for span in spans_of(golden(name)) for mark in span.marks}
    for mark in marks - {"conductor.work.started", "conductor.work.finished"}:
        assert f"`{mark}`" in EXPORTS


def test_the_types_are_those_that_are_announced() -> None:
    """Every one that is in some recorded log, and no other."""
    table = EXPORTS.partition("\n| type | ")[2].partition("\n\n")[0]
    listed = {name for row in table.splitlines() for name in NAME.findall(row.split(" | ")[0])}
    announced = {event["type"] for name in SMALL for event in cloudevents_of(golden(name))}
    assert listed == announced


def test_the_limits_are_those_that_hold(folder: Path) -> None:
    """Every number in the text is the one in the code."""
    assert f"at most {SPANS}" in " ".join(EXPORTS.split())
    with (folder / "large.jsonl").open("rb") as file:
        assert f"{len(record('large', file).entries):,} entries" in EXPORTS


def test_links_lead_somewhere() -> None:
    """A link inside the project leads to a file that exists."""
    links = [link for link in LINK.findall(EXPORTS) if "://" not in link]
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
