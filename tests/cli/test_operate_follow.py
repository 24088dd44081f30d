"""Following a flow that a worker elsewhere carries on: `conductor watch` and `conductor wait`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from conductor_adapters.cli.operate.needs import NO_WORKER
from conductor_core import FlowSpec
from tests.cli.operating import (
    ASKS,
    FAILS,
    PARKS,
    RUNS,
    STORE,
    Working,
    begun,
    data_of,
    lines_of,
    run,
    told,
    worker,
)

ID = "deploy-1"
CONDUCTOR = [sys.executable, "-c", "from conductor_adapters.cli.main import main; main()"]
PATIENCE_S = 60.0
ELAPSED = re.compile(r"^ +\d+\.\d\ds  ")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONDUCTOR_STORE", raising=False)
    return tmp_path


@pytest.fixture
def working() -> Iterator[Working]:
    """A worker, in a thread of its own."""
    with worker() as working:
        yield working


def command(*arguments: str) -> subprocess.Popen[str]:
    """A command that follows a flow, as a process of its own."""
    return subprocess.Popen(
        [*CONDUCTOR, *arguments, "--store", STORE],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that a command writes."""
    assert process.stdout is not None
    return process.stdout.readline()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The exit code of a command, and what else it writes."""
    written, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, written, errors


# --- watch ---


def test_what_happens_to_a_flow_is_told_line_by_line(working: Working) -> None:
    """From where it is, over what others ask and workers answer, to its end."""
    working.start(ASKS)
    assert run("wait", ID, "--no-people").exit_code == 3
    watching = command("watch", ID)
    assert line_of(watching) == "flow deploy-1: approval-awaiting, 0 of 2 steps finished\n"
    assert told("approve", ID, "--by", "ana", "--note", "go\x1b") == (0, "accepted\n", "")
    code, written, errors = ended(watching)
    assert (code, errors) == (0, "")
    assert [ELAPSED.sub("", line) for line in written.splitlines()] == [
        "ana approves plan: go\\x1b -> dispatch apply#1",
        "apply#1 runs",
        "apply#1 succeeded -> flow success",
        "flow deploy-1: success",
    ]


def test_programs_watch_entries_as_the_log_has_them(working: Working) -> None:
    """An object on each line: where the flow is, what happens, and how it ended."""
    working.start(ASKS)
    run("wait", ID, "--no-people")
    seen = len(lines_of())
    watching = command("watch", ID, "--json")
    beginning = json.loads(line_of(watching))
    assert (beginning["status"], beginning["entries"]) == ("approval-awaiting", 3)
    assert run("approve", ID, "--by", "ana").exit_code == 0
    code, written, errors = ended(watching)
    *entries, end = map(json.loads, written.splitlines())
    assert (code, errors) == (0, "")
    logged = [json.loads(line) for line in lines_of()[seen:]]
    keys = ("seq", "event", "verdict", "commands")
    assert entries == [{key: each[key] for key in keys} for each in logged if "seq" in each]
    assert end == {
        "flow_id": ID,
        "status": "success",
        "outcome": end["outcome"],
        "waits": [],
        "exit_code": 0,
    }


@pytest.mark.parametrize(("spec", "code"), [(RUNS, 0), (FAILS, 1)])
def test_a_flow_that_has_ended_is_watched_no_further(spec: FlowSpec, code: int) -> None:
    """The exit code is that of how it ended."""
    status = "success" if code == 0 else "error"
    begun(spec, until=status)
    because = [] if code == 0 else ["  because: failed at fail#1: Step failed"]
    assert run("watch", ID).exit_code == code
    assert run("watch", ID).stdout.splitlines() == [
        f"flow deploy-1: {status}, 1 of 1 steps finished",
        f"flow deploy-1: {status}",
        *because,
    ]
    _, end = run("watch", ID, "--json").stdout.splitlines()
    assert (json.loads(end)["status"], json.loads(end)["exit_code"]) == (status, code)


# --- wait ---


@pytest.mark.parametrize(
    ("spec", "code", "lines"),
    [
        (RUNS, 0, ["flow deploy-1: success"]),
        (FAILS, 1, ["flow deploy-1: error", "  because: failed at fail#1: Step failed"]),
    ],
)
def test_the_end_of_a_flow_is_waited_for(
    working: Working, spec: FlowSpec, code: int, lines: list[str]
) -> None:
    """0 when it succeeded, 1 when it did not."""
    working.start(spec)
    result = run("wait", ID)
    assert (result.exit_code, result.stdout.splitlines(), result.stderr) == (code, lines, "")
    data = data_of("wait", ID)
    assert (data["why"], data["exit_code"]) == ("ended", code)


def test_a_wait_goes_on_while_people_answer(working: Working) -> None:
    """An approval that is given elsewhere ends it."""
    working.start(ASKS)
    run("wait", ID, "--no-people")
    waiting = command("wait", ID)
    assert run("approve", ID).exit_code == 0
    assert ended(waiting) == (0, "flow deploy-1: success\n", "")


def test_a_flow_that_was_cancelled_ends_a_wait_with_1(working: Working) -> None:
    """And it is told who cancelled it."""
    working.start(ASKS)
    run("wait", ID, "--no-people")
    waiting = command("wait", ID)
    assert run("cancel", ID, "--by", "ana").exit_code == 0
    code, written, _ = ended(waiting)
    assert code == 1
    assert written == "flow deploy-1: cancelled\n  because: cancelled\n  cancelled by ana\n"


@pytest.mark.parametrize(
    ("spec", "status", "wait"),
    [
        (ASKS, "approval-awaiting", "plan#1: 0 of 1 approvals (person)"),
        (PARKS, "failed-pending-retry", "fail#1: a retry or a skip (person)"),
    ],
)
def test_who_waits_for_no_people_ends_as_soon_as_they_are_asked(
    working: Working, spec: FlowSpec, status: str, wait: str
) -> None:
    """Exit code 3, and what a person is needed for."""
    working.start(spec)
    assert told("wait", ID, "--no-people") == (
        3,
        f"flow deploy-1 waits for a person: {status}\n  waits for {wait}\n",
        "",
    )
    data = data_of("wait", ID, "--no-people")
    assert (data["why"], data["exit_code"], data["status"]) == ("people", 3, status)
    assert [each["who"] for each in data["waits"]] == ["person"]


@pytest.mark.parametrize(
    ("spec", "until", "code", "lines"),
    [
        (
            RUNS,
            None,
            1,
            [
                "flow deploy-1 has not ended within 0.01 s: in-progress",
                "  waits for apply#1: the end of its work (worker)",
            ],
        ),
        (
            ASKS,
            "approval-awaiting",
            3,
            [
                "flow deploy-1 has not ended within 0.01 s: approval-awaiting",
                "  waits for plan#1: 0 of 1 approvals (person)",
            ],
        ),
    ],
)
def test_a_wait_that_takes_too_long_says_what_for(
    spec: FlowSpec, until: str | None, code: int, lines: list[str]
) -> None:
    """3 where it is a person, 1 where it is anything else."""
    begun(spec, until=until)
    result = run("wait", ID, "--timeout", "0.01")
    lacking = f"{NO_WORKER}\n" if code == 1 else ""
    assert (result.exit_code, result.stdout.splitlines(), result.stderr) == (code, lines, lacking)
    data = data_of("wait", ID, "--timeout", "0.01")
    assert (data["why"], data["exit_code"]) == ("timeout", code)


def test_a_flow_that_has_ended_is_waited_for_in_no_time() -> None:
    """Also by who has no time."""
    begun(RUNS, until="success")
    assert told("wait", ID, "--timeout", "0") == (0, "flow deploy-1: success\n", "")
    assert told("wait", ID, "--timeout", "inf") == (0, "flow deploy-1: success\n", "")


@pytest.mark.parametrize(
    ("value", "error"),
    [("-1", "not in the range"), ("nan", "nan is not a number"), ("soon", "not a valid float")],
)
def test_a_time_that_is_none_is_refused(value: str, error: str) -> None:
    """Exit code 2."""
    begun(RUNS)
    code, written, errors = told("wait", ID, "--timeout", value)
    assert (code, written) == (2, "")
    assert error in errors


# --- Ctrl-C ---


@pytest.mark.parametrize("arguments", [("watch", ID), ("wait", ID), ("watch", ID, "--json")])
def test_an_interrupt_ends_a_command_and_not_the_flow(arguments: tuple[str, ...]) -> None:
    """Exit code 130, no traceback, nothing in the log."""
    begun(ASKS, until="approval-awaiting")
    before = lines_of()
    following = command(*arguments)
    until_open(following)
    following.send_signal(signal.SIGINT)
    code, _, errors = ended(following)
    assert (code, errors.split()) == (130, ["aborted"])
    assert lines_of() == before


def until_open(process: subprocess.Popen[str]) -> None:
    """Wait until a command has the store open."""
    store = str(Path(STORE).resolve())
    following = psutil.Process(process.pid)
    while not any(each.path == store for each in following.open_files()):
        assert process.poll() is None
