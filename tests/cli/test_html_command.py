"""`conductor html` writes a page of one log, or of two."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from attrs import evolve
from click.testing import CliRunner, Result

from conductor_adapters.cli.main import conductor
from conductor_core import initial_state, reduce
from conductor_core.log import LogWriter
from conductor_core.testing.brief import START
from tests.debugger.stories import DEPLOY, OTHER, STORY, log_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two logs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.jsonl").write_text(log_of(DEPLOY, *STORY))
    (tmp_path / "two.jsonl").write_text(log_of(DEPLOY, *OTHER))
    return tmp_path


def run(*arguments: str) -> Result:
    """Run the command; nothing but an exit may come out of it."""
    result = CliRunner().invoke(conductor, ["html", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def views(file: str) -> list[str]:
    """The names of the logs in a page."""
    data = Path(file).read_text(encoding="utf-8").partition('id="data">')[2].partition("</")[0]
    return [view["name"] for view in json.loads(data)["views"]]


def test_a_page_of_one_log() -> None:
    """It says how much it wrote."""
    result = run("one.jsonl", "-o", "run.html")
    size = Path("run.html").stat().st_size
    assert result.output == f"run.html: 19 entries, {size:,} bytes; open it in a browser\n"
    assert views("run.html") == ["one.jsonl"]


def test_a_page_of_two_logs_told_as_json() -> None:
    """Both are in it, in order."""
    result = run("one.jsonl", "two.jsonl", "--output", "run.html", "--json")
    assert json.loads(result.output) == {
        "file": "run.html",
        "bytes": Path("run.html").stat().st_size,
        "logs": [{"file": "one.jsonl", "entries": 19}, {"file": "two.jsonl", "entries": 11}],
    }
    assert views("run.html") == ["one.jsonl", "two.jsonl"]


def test_what_is_there_is_left_as_it_is() -> None:
    """Unless it is to be replaced."""
    Path("run.html").write_text("mine")
    result = run("one.jsonl", "-o", "run.html")
    told = "-o: run.html exists already; --replace writes over it\n"
    assert (result.exit_code, result.stderr) == (2, told)
    assert Path("run.html").read_text() == "mine"
    assert run("one.jsonl", "-o", "run.html", "--replace").exit_code == 0
    assert views("run.html") == ["one.jsonl"]


def test_a_log_is_never_written_over(folder: Path) -> None:
    """Not even under another name."""
    os.link(folder / "one.jsonl", folder / "run.html")
    result = run("one.jsonl", "-o", "run.html", "--replace")
    assert result.exit_code == 2
    assert result.stderr == "-o: run.html is what is read, expected another file\n"


def test_a_log_that_diverges_is_not_shown() -> None:
    """Exit code 1, and where it parts."""
    state = initial_state(DEPLOY, "deploy-42")
    writer = LogWriter(state, at_ms=0)
    nothing = evolve(reduce(state, START), commands=())
    Path("one.jsonl").write_text(writer.header() + writer.entry(START, nothing))
    result = run("one.jsonl", "-o", "run.html")
    assert (result.exit_code, Path("run.html").exists()) == (1, False)
    assert "one.jsonl: " in result.stderr
    assert "conductor explain --at 0 shows where the flow stood before that" in result.stderr


def test_a_truncated_log_is_shown_with_a_warning() -> None:
    """What stands before the last line is as good as ever."""
    Path("one.jsonl").write_text(log_of(DEPLOY, *STORY)[:-20])
    result = run("one.jsonl", "-o", "run.html")
    assert result.exit_code == 0
    assert result.stderr.startswith("one.jsonl: warning: line 20: ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.jsonl", "-o", "run.html"], "none.jsonl: No such file or directory\n"),
        (["one.jsonl", "-o", "none/run.html"], "-o: none is no folder to write to\n"),
    ],
)
def test_what_cannot_be_used_is_one_line(arguments: list[str], told: str) -> None:
    """Exit code 2, and nothing is written."""
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (2, told)


def test_what_is_no_log_is_refused() -> None:
    """A flow file has no entries to show."""
    Path("flow.yaml").write_text("flow: f\n")
    result = run("flow.yaml", "-o", "run.html")
    assert result.exit_code == 2
    assert result.stderr.startswith("flow.yaml: line 1: ")
    assert not Path("run.html").exists()
