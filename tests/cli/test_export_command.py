"""`conductor export` writes what the debugger tells of a log, to a new file or to the output."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conductor_adapters.cli.main import conductor
from conductor_adapters.debugger.cdevents import cdevents_of
from conductor_adapters.debugger.cloudevents import cloudevents_of
from conductor_adapters.debugger.otlp import otlp_lines
from conductor_adapters.debugger.spans import spans_of
from conductor_core.events import FlowStarted
from conductor_core.loglines import after_entry, after_header
from conductor_core.verdicts import Ignored
from tests.debugger.golden import FOLDER, golden

NAME = "approval-with-quorum"
FORMATS = ("otlp-json", "cloudevents", "cdevents")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a log."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(FOLDER / f"{NAME}.jsonl", "log.jsonl")
    return tmp_path


def run(*arguments: str) -> Result:
    """Run the command; nothing but an exit may come out of it."""
    result = CliRunner().invoke(conductor, ["export", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def lines(text: str) -> list[object]:
    """JSON Lines, read."""
    return [json.loads(line) for line in text.splitlines()]


def test_spans_are_lines_of_traces_data() -> None:
    """Those that the debugger tells."""
    recording = golden(NAME)
    result = run("log.jsonl", "--format", "otlp-json")
    assert result.exit_code == 0
    assert lines(result.output) == list(otlp_lines(recording.header, spans_of(recording)))


def test_events_are_lines_or_a_batch() -> None:
    """Those that the debugger tells, under the source that is given."""
    for form, events_of in (("cloudevents", cloudevents_of), ("cdevents", cdevents_of)):
        options = ("log.jsonl", "--format", form, "--source", "https://ci.example/")
        told = list(events_of(golden(NAME), source="https://ci.example/"))
        assert lines(run(*options).output) == told
        assert json.loads(run(*options, "--batch").output) == told


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_to_a_file_is_what_is_printed(form: str) -> None:
    """To the byte, and ASCII alone."""
    result = run("log.jsonl", "--format", form, "-o", "out.jsonl")
    assert result.exit_code == 0
    word = "spans" if form == "otlp-json" else "events"
    assert result.output.startswith("wrote ")
    assert result.output.endswith(f" {word} to out.jsonl\n")
    printed = run("log.jsonl", "--format", form).output
    assert Path("out.jsonl").read_text("ascii") == printed


def test_what_was_written_is_told_as_json() -> None:
    """Where, of what, and how much."""
    result = run("log.jsonl", "--format", "cloudevents", "-o", "out.jsonl", "--json")
    assert json.loads(result.output) == {
        "file": "out.jsonl",
        "log": "log.jsonl",
        "format": "cloudevents",
        "events": 5,
    }


def test_a_file_that_exists_is_left_as_it_is(folder: Path) -> None:
    """Unless it is said that it be replaced; nothing else is left in the folder."""
    Path("out.jsonl").write_text("mine")
    result = run("log.jsonl", "--format", "cdevents", "-o", "out.jsonl")
    assert result.exit_code == 2
    assert result.output == "-o: out.jsonl exists already; --replace writes over it\n"
    assert Path("out.jsonl").read_text() == "mine"
    assert run("log.jsonl", "--format", "cdevents", "-o", "out.jsonl", "--replace").exit_code == 0
    assert lines(Path("out.jsonl").read_text())
    assert sorted(path.name for path in folder.iterdir()) == ["log.jsonl", "out.jsonl"]


def test_the_log_is_never_written() -> None:
    """Not by force, and not under another name of it."""
    before = Path("log.jsonl").read_bytes()
    Path("other.jsonl").hardlink_to("log.jsonl")
    for name in ("log.jsonl", "other.jsonl"):
        result = run("log.jsonl", "--format", "cdevents", "-o", name, "--replace")
        told = f"-o: {name} is what is read, expected another file\n"
        assert (result.exit_code, result.output) == (2, told)
    assert Path("log.jsonl").read_bytes() == before


@pytest.mark.skipif(os.name != "posix", reason="needs a device")
def test_what_is_no_file_is_left_as_it_is() -> None:
    """A device is not replaced by a file."""
    result = run("log.jsonl", "--format", "cdevents", "-o", os.devnull, "--replace")
    assert result.exit_code == 2
    assert result.output == f"-o: {os.devnull} is no regular file, expected one or none\n"


def test_a_folder_that_is_not_there_is_told() -> None:
    """By the name of the file."""
    result = run("log.jsonl", "--format", "cdevents", "-o", "no/out.jsonl")
    assert (result.exit_code, result.output) == (2, "-o: no is no folder to write to\n")


def test_a_log_that_diverges_is_not_exported() -> None:
    """What it says is not true: exit code 1, and nothing is written."""
    recording = golden(NAME)
    header, position = after_header(recording.header, recording.state_at(0))
    line, _ = after_entry(position, FlowStarted(at_ms=0), Ignored("no-change"), ())
    Path("log.jsonl").write_text(header + line, "utf-8")
    result = run("log.jsonl", "--format", "cdevents", "-o", "out.jsonl")
    assert result.exit_code == 1
    assert result.output.startswith("log.jsonl: line 2: entry 1 diverges:\n")
    assert not Path("out.jsonl").exists()


def test_a_log_that_was_edited_is_not_exported() -> None:
    """By the line that was changed."""
    text = Path("log.jsonl").read_text("utf-8")
    Path("log.jsonl").write_text(text.replace('"by":"cy"', '"by":"bo"', 1), "utf-8")
    result = run("log.jsonl", "--format", "cdevents")
    assert result.exit_code == 2
    assert "broken digest chain: the line was changed" in result.output


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the log is empty"),
        ("flow: deploy\n", "line 1: "),
    ],
)
def test_what_is_no_log_is_told(content: str, told: str) -> None:
    """By the name of the file, and the line."""
    Path("bad").write_text(content)
    result = run("bad", "--format", "cdevents")
    assert result.exit_code == 2
    assert result.output.startswith(f"bad: {told}")


def test_a_log_that_is_not_there_is_told() -> None:
    """By its name."""
    result = run("none.jsonl", "--format", "cdevents")
    assert (result.exit_code, result.output) == (2, "none.jsonl: No such file or directory\n")


def test_a_last_line_that_was_cut_off_is_a_warning() -> None:
    """What stands before it is exported."""
    whole = run("log.jsonl", "--format", "cloudevents").stdout
    Path("log.jsonl").write_bytes(Path("log.jsonl").read_bytes()[:-20])
    result = run("log.jsonl", "--format", "cloudevents")
    assert result.exit_code == 0
    assert result.stderr.startswith("log.jsonl: warning: line ")
    assert result.stdout == "".join(whole.splitlines(keepends=True)[:-1])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--format", "otlp-json", "--batch"), "--batch does not go together with"),
        (("--format", "otlp-json", "--source", "/x"), "--source does not go together with"),
        (("--format", "cdevents", "--replace"), "--replace needs --output"),
        (("--format", "cdevents", "--json"), "--json needs --output"),
        (("--format", "cdevents", "--source", "a b"), "'a b' is no URI reference"),
        (("--format", "cdevents", "--source", ""), "'' is no URI reference"),
        (("--format", "csv"), "'csv' is not one of"),
        ((), "Missing option '--format'"),
    ],
)
def test_options_that_do_nothing_are_refused(options: tuple[str, ...], told: str) -> None:
    """With what is wrong with them."""
    result = run("log.jsonl", *options)
    assert result.exit_code == 2
    assert told in result.output
