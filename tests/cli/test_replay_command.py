"""`conductor replay` verifies logs entry by entry, and says so by its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve
from click.testing import CliRunner, Result

from conductor_adapters.cli import replay_progress
from conductor_adapters.cli.main import conductor
from conductor_core import FlowSpec, GroupSpec, StepSpec, events, initial_state, reduce
from conductor_core.log import LogWriter

SPEC: Final = FlowSpec(groups=[GroupSpec(key="g", steps=[StepSpec(key="a"), StepSpec(key="b")])])


def log_of(*sent: events.Event, silent: bool = False, closed: bool = False) -> str:
    """The log of a flow to which these events happened, or of a reducer that commands nothing."""
    state = initial_state(SPEC, flow_id="deploy-42")
    writer = LogWriter(state, at_ms=0)
    text = writer.header()
    for event in sent:
        transition = reduce(state, event)
        recorded = evolve(transition, commands=()) if silent else transition
        text += writer.entry(event, recorded)
        state = transition.state
    return text + (writer.close(state) if closed else "")


HISTORY: Final = (
    events.FlowStarted(at_ms=0),
    events.StepFinished(at_ms=5, attempt="a#1", outcome="succeeded"),
    events.StepFinished(at_ms=9, attempt="b#1", outcome="failed"),
)
GOOD: Final = log_of(*HISTORY)
VERIFIED: Final = "replay: 3 entries verified; not closed, the flow is error\n"
OTHER: Final = log_of(*HISTORY, silent=True)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a log that verifies."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.jsonl").write_text(GOOD)
    return tmp_path


def run(*arguments: str) -> Result:
    """Run the command; nothing but an exit may come out of it."""
    result = CliRunner().invoke(conductor, ["replay", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_a_log_that_verifies_is_counted() -> None:
    """The number of entries, and exit code 0."""
    result = run("good.jsonl")
    assert result.exit_code == 0
    assert result.stdout == VERIFIED
    assert result.stderr == ""


def test_a_finished_log_is_told_from_an_unfinished_one(folder: Path) -> None:
    """The line says where the entries leave the flow, and whether its host closed the log."""
    (folder / "closed.jsonl").write_text(log_of(*HISTORY, closed=True))
    assert run("closed.jsonl").stdout == "replay: 3 entries verified; the flow is error\n"
    (folder / "begun.jsonl").write_text(log_of(*HISTORY[:1]))
    told = "replay: 1 entries verified; not closed, the flow is in-progress\n"
    assert run("begun.jsonl").stdout == told


def test_several_logs_are_named() -> None:
    """With more than one log each line says whose it is."""
    result = run("good.jsonl", "good.jsonl")
    assert result.exit_code == 0
    assert result.stdout == f"good.jsonl: {VERIFIED}" * 2


def test_a_truncated_last_line_is_a_warning(folder: Path) -> None:
    """A crash while writing leaves a prefix that is as good as ever."""
    (folder / "cut.jsonl").write_text(GOOD[:-20])
    result = run("cut.jsonl")
    assert result.exit_code == 0
    assert result.stdout == "replay: 2 entries verified; not closed, the flow is in-progress\n"
    assert result.stderr.startswith("cut.jsonl: warning: line 4: ")


def test_an_entry_that_diverges_is_shown(folder: Path) -> None:
    """What was recorded and what happens now are told, with exit code 1."""
    (folder / "other.jsonl").write_text(OTHER)
    result = run("other.jsonl", "good.jsonl")
    assert result.exit_code == 1
    assert result.stderr.startswith("other.jsonl: line 2: entry 1 diverges:\n")
    assert result.stdout == f"good.jsonl: {VERIFIED}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"[]\n",
        b"\xff\n",
        b"not a log\n",
        GOOD.encode()[30:],
        GOOD.encode() + b"{}\n",
        GOOD.encode().replace(b"succeeded", b"failed"),
    ],
)
def test_what_is_no_log_cannot_be_read(folder: Path, content: bytes) -> None:
    """Anything else is one clear error with its line, and exit code 2."""
    (folder / "bad.jsonl").write_bytes(content)
    result = run("good.jsonl", "bad.jsonl")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("bad.jsonl: ")
    assert result.stdout == f"good.jsonl: {VERIFIED}"


def test_a_missing_log_cannot_be_read() -> None:
    """A file that is not there hides nothing of the others."""
    result = run("missing.jsonl", "good.jsonl")
    assert result.exit_code == 2
    assert result.stderr == "missing.jsonl: No such file or directory\n"
    assert result.stdout == f"good.jsonl: {VERIFIED}"


def test_a_file_without_line_ends_does_not_fill_the_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line is read up to a length that no line of a log has."""
    monkeypatch.setattr(replay_progress, "LONGEST_LINE", 1000)
    (folder / "long.jsonl").write_text("[" * 100_000)
    assert run("long.jsonl").exit_code == 2


def test_json_tells_everything(folder: Path) -> None:
    """`--json` writes one document with what became of each log."""
    (folder / "cut.jsonl").write_text(GOOD[:-20])
    (folder / "bad.jsonl").write_text("[]\n")
    (folder / "other.jsonl").write_text(OTHER)
    result = run("--json", "good.jsonl", "cut.jsonl", "bad.jsonl", "other.jsonl")
    assert result.exit_code == 2
    good, cut, bad, other = json.loads(result.stdout)["logs"]
    assert good.pop("digest").startswith("sha256:")
    assert good == {
        "file": "good.jsonl",
        "flow_id": "deploy-42",
        "status": "error",
        "entries": 3,
        "closed": False,
        "truncated": None,
    }
    assert (cut["entries"], cut["truncated"]["line"]) == (2, 4)
    assert bad["error"]["line"] == 1
    assert (other["error"]["line"], other["error"]["entry"]) == (2, 1)
    assert other["error"]["expected"] != other["error"]["actual"]


def test_control_characters_are_escaped(folder: Path) -> None:
    """What a log says cannot steer the terminal that tells it."""
    (folder / "bad.jsonl").write_text('{"log":"conductor-log/1\u009b\u202e"}\n', encoding="utf-8")
    result = run("bad.jsonl")
    assert result.exit_code == 2
    assert "\u009b" not in result.stderr
    assert "\u202e" not in result.stderr
