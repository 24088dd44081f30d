"""`conductor shrink` tells and writes the least that still shows a behaviour."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from conductor_adapters.cli import shrink as command
from conductor_adapters.cli.main import conductor
from conductor_adapters.debugger.smaller import Case
from conductor_core import events
from conductor_core.log import replay
from conductor_core.testing.brief import START, flow, group
from tests.debugger.planted import SMALL
from tests.debugger.recordings import RELEASE, log_of

KEEP: Final = ("planted.jsonl", "--keep", "retries-exhausted")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a log in which a failure is planted."""
    monkeypatch.chdir(tmp_path)
    Path("planted.jsonl").write_text(log_of(SMALL.spec(), SMALL.story(), "planted"))
    return tmp_path


def run(*arguments: str, exit_code: int = 0) -> Result:
    """Run the command; nothing but an exit may come out of it."""
    result = CliRunner().invoke(conductor, ["shrink", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == exit_code, result.output
    return result


def test_what_is_left_is_told() -> None:
    """How much there was and is, what it took, and the story that is left."""
    first, second, *story = run(*KEEP).stdout.splitlines()
    assert first == "planted.jsonl: 300 events, 22 steps -> 6 events, 1 step"
    assert second.endswith(" reduced; it still shows retries-exhausted")
    assert story[0] == "  1  flow started -> dispatch host-1-9#1"
    assert story[-1] == "  6  host-1-9#3 failed -> flow error"
    kept = run(*KEEP, "--keep-flow").stdout.splitlines()
    assert kept[0] == "planted.jsonl: 300 events, 22 steps -> 29 events, 22 steps"


def test_of_a_long_story_the_beginning_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is counted."""
    monkeypatch.setattr(command, "SHOWN", 2)
    assert run(*KEEP).stdout.splitlines()[-1] == "     and 4 events more"


def test_programs_are_told_the_same() -> None:
    """The sizes, what it took, and the events that are left."""
    told = json.loads(run(*KEEP, "--json").stdout)
    assert (told["before"], told["after"]) == (
        {"events": 300, "steps": 22},
        {"events": 6, "steps": 1},
    )
    assert (told["kept"], told["status"], len(told["events"])) == ("retries-exhausted", "error", 6)


def test_all_that_is_written_runs_and_passes(folder: Path) -> None:
    """The log replays; pytest runs the test, and the scenario by its name."""
    files = ("-o", "least.jsonl", "--scenario", "least.scenario.yaml", "--pytest", "test_least.py")
    run(*KEEP, *files)
    assert CliRunner().invoke(conductor, ["replay", "least.jsonl"]).stdout == (
        "replay: 6 entries verified; the flow is error\n"
    )
    played = CliRunner().invoke(conductor, ["scenario", "run", "least.scenario.yaml"])
    assert played.exit_code == 0, played.output
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_least.py"],
        cwd=folder, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    run(*KEEP, "--scenario", "least.scenario.json")
    assert json.loads(Path("least.scenario.json").read_text())["format"] == "conductor-scenario/1"
    refused = run(*KEEP, *files, exit_code=2)
    assert refused.stderr == "-o: least.jsonl exists already; --replace writes over it\n"
    run(*KEEP, *files, "--replace")
    same = run(*KEEP, "-o", "one", "--pytest", "one", exit_code=2)
    assert same.stderr == "-o, --scenario and --pytest: expected different files\n"
    own = run(*KEEP, "-o", "planted.jsonl", "--replace", exit_code=2)
    assert own.stderr.endswith("is what is read, expected another file\n")


def test_what_no_scenario_tells_is_said() -> None:
    """Nothing is written in its place, and the exit code is 1."""
    pause = events.PauseRequested(at_ms=0, by="ann", request_id="r1")
    Path("twice.jsonl").write_text(log_of(flow(group("g", "a")), (START, pause, pause)))
    keep = ("--keep", "verdict:ignored:duplicate-request")
    result = run("twice.jsonl", *keep, "--scenario", "x.scenario.yaml", exit_code=1)
    assert (
        result.stderr
        == "--scenario: x.scenario.yaml is not written: no scenario tells this story\n"
    )
    assert not Path("x.scenario.yaml").exists()


def test_what_the_log_does_not_show_is_said() -> None:
    """There is nothing to keep: exit code 1, and what it shows instead."""
    result = run("planted.jsonl", "--keep", "status:success", exit_code=1)
    assert result.stderr == (
        "planted.jsonl: it does not show status:success: the flow is error, retries-exhausted\n"
    )
    result = run(str(RELEASE), "--keep", "waits", exit_code=1)
    assert result.stderr.endswith("it does not show waits: the flow is success\n")


def test_a_behaviour_is_asked_for() -> None:
    """Without one there is nothing to do, and a word that is none is refused."""
    assert "--keep or --keep-python" in run("planted.jsonl", exit_code=2).stderr
    assert run("planted.jsonl", "--keep", "fails", exit_code=2).stderr.startswith(
        "'fails' is no predicate: expected one of "
    )


def test_a_function_of_the_users_own_says_what_is_kept() -> None:
    """It sees states and entries, alone or together with a predicate."""
    Path("mine.py").write_text(
        "def paused(states, entries):\n"
        "    return any(state.paused for state in states) and len(entries) > 0\n"
    )
    told = json.loads(run("planted.jsonl", "--keep-python", "mine.py:paused", "--json").stdout)
    assert [event["type"] for event in told["events"]] == ["flow-started", "pause-requested"]
    both = json.loads(run(*KEEP, "--keep-python", "mine.py:paused", "--json").stdout)
    assert both["kept"] == "retries-exhausted and mine.py:paused"
    assert len(both["events"]) == 8


@pytest.mark.parametrize(
    ("text", "code", "problem"),
    [
        ("mine.py", "", "expected FILE:FUNCTION, got 'mine.py'"),
        ("gone.py:f", "", "gone.py: No such file or directory"),
        ("mine.py:f", "1 / 0", "mine.py raised ZeroDivisionError: division by zero"),
        ("mine.py:f", "raise SystemExit(0)", "mine.py raised SystemExit: 0"),
        ("mine.py:f", "def f(s, e): raise SystemExit(0)", "mine.py:f raised SystemExit: 0"),
        ("mine.py:f", "g = 1", "mine.py has no function f"),
        ("mine.py:f", "f = lambda s, e: 1 / 0", "mine.py:f raised ZeroDivisionError: division by"),
        ("mine.py:f", "f = lambda s, e: 1", "mine.py:f returned 1, expected a bool"),
    ],
)
def test_a_function_that_is_none_is_refused(text: str, code: str, problem: str) -> None:
    """The error names the file, and what is wrong with it."""
    Path("mine.py").write_text(code)
    result = run("planted.jsonl", "--keep-python", text, exit_code=2)
    assert result.stderr.startswith(f"--keep-python: {problem}")


def test_the_file_of_the_function_is_never_written_over() -> None:
    """It is read like the log."""
    Path("mine.py").write_text("def f(states, entries):\n    return True\n")
    over = ("-o", "mine.py", "--replace")
    result = run("planted.jsonl", "--keep-python", "mine.py:f", *over, exit_code=2)
    assert result.stderr == "-o: mine.py is what is read, expected another file\n"
    assert Path("mine.py").read_text().startswith("def f")


def test_ctrl_c_ends_it_with_the_smallest_until_then() -> None:
    """It is told and written as ever, with exit code 130."""
    Path("mine.py").write_text(
        "import os, signal\n"
        "asked = []\n"
        "def f(states, entries):\n"
        "    asked.append(entries)\n"
        "    if len(asked) == 8:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    return states[-1].status == 'error'\n"
    )
    mine = ("planted.jsonl", "--keep-python", "mine.py:f")
    result = run(*mine, "-o", "smaller.jsonl", "--json", exit_code=130)
    assert result.stderr == "stopped by Ctrl-C: it may get smaller\n"
    told = json.loads(result.stdout)
    assert told["interrupted"]
    assert 6 < told["after"]["events"] < 300
    with Path("smaller.jsonl").open("rb") as lines:
        assert replay(lines).state.status == "error"


def test_on_a_terminal_it_tells_how_small_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line tells what is left so far, and is cleared in the end."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    command.tell_progress(Case(flow(group("g", "a")), (START,)))
    command.clear_progress()
    assert capsys.readouterr().err == "\r\x1b[K1 event, 1 step\r\x1b[K"
