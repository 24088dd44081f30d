"""`conductor worker`: processes that do the work of a store, are stopped, and are killed."""

from __future__ import annotations

import json
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.cli.operate.at_work import (
    ASKING,
    ONE,
    SLOW,
    STORE,
    WORK,
    conductor,
    ended,
    finished,
    lines,
    started,
    wait_for,
    wait_until,
    worker,
    workers,
)

HANDLERS = '''
"""Handlers for flows that name work."""

import os


def plan(context):
    with open("where", "w") as file:
        file.write(os.getcwd())
    print("planned", context.flow_id)
    return 3


def fail(context):
    raise RuntimeError("no such \\x1bserver")


handlers = {"plan-servers": plan, "fail": fail}
'''
LEASE = ("--lease", "0.5")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- work ---


def test_a_worker_does_what_was_started_before_and_after_it() -> None:
    """It tells each entry behind the id of its flow, and ends in order when it is told to."""
    started(ONE, "before")
    with worker() as process:
        wait_for("worker.out", "before: hello#1 succeeded -> flow success\n")
        started(ONE, "after/1")
        wait_for("worker.out", "after/1: hello#1 succeeded -> flow success\n")
        assert ended(process, signal.SIGTERM) == 0
    assert "before: hello#1 | hello" in lines("worker.out")
    assert lines("worker.out")[-1] == "stopped"
    assert lines("worker.err") == []
    assert Path(f"{STORE}.d/after+1/hello#1.txt").read_text() == "hello\n"
    assert [*Path(f"{STORE}.d/.running").iterdir()] == []


def test_programs_get_an_object_for_each_entry() -> None:
    """With the flow, the event, its verdict, its commands, and where the flow is."""
    started(ONE, "one-1")
    done = conductor("worker", "--until-idle", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entry["event"]["type"] for entry in told] == ["step-started", "step-finished"]
    assert told[1].keys() == {"flow_id", "event", "verdict", "commands", "status"}
    assert (told[1]["flow_id"], told[1]["status"]) == ("one-1", "success")


def test_handlers_work_and_commands_run_where_the_worker_is_told_to() -> None:
    """--directory is where commands run and handlers come from; the store is named from here."""
    Path("there").mkdir()
    Path("there/mine.py").write_text(HANDLERS)
    started(WORK, "w-1")
    started("groups: [{key: g, steps: [{key: a, run: 'pwd > ran'}]}]", "s-1")
    done = conductor("worker", "--until-idle", "--handlers", "mine", "--directory", "there")
    assert (done.returncode, done.stderr) == (0, "")
    there = str(Path("there").resolve())
    assert lines("there/where") == lines("there/ran") == [there]
    assert "planned w-1" in done.stdout.splitlines()
    assert Path(f"{STORE}.d/s-1").is_dir()


def test_what_work_says_reaches_a_terminal_escaped() -> None:
    """Of commands and of handlers, whose tracebacks go to the standard error."""
    Path("mine.py").write_text(HANDLERS)
    started("groups: [{key: g, steps: [{key: fail}]}]", "f-1")
    started("""groups: [{key: g, steps: [{key: a, run: "printf '\\\\033[2J\\\\n'"}]}]""", "s-1")
    done = conductor("worker", "--until-idle", "--handlers", "mine")
    assert done.returncode == 0
    assert "s-1: a#1 | \\x1b[2J" in done.stdout.splitlines()
    assert "RuntimeError: no such \\x1bserver" in done.stderr.splitlines()
    assert "\x1b" not in done.stdout + done.stderr


def test_secrets_are_masked() -> None:
    """On the screen, in the file beside the store, and in the log."""
    step = "{key: a, run: 'echo $T', env: {T: {from_env: PATH}}}"
    started(f"groups: [{{key: g, steps: [{step}]}}]", "s-1")
    done = conductor("worker", "--until-idle")
    assert "s-1: a#1 | ***" in done.stdout.splitlines()
    assert lines(f"{STORE}.d/s-1/a#1.txt") == ["***"]


def test_who_is_to_approve_is_told_by_a_command() -> None:
    """--on-approval is run for each question, and the flow waits."""
    started(ASKING, "a-1")
    done = conductor("worker", "--until-idle", "--on-approval", "echo ask $CONDUCTOR_FLOW_ID")
    assert done.returncode == 3
    assert "           on-approval | ask a-1" in done.stdout.splitlines()


# --- until nothing goes on ---


def test_a_store_in_which_all_has_ended_is_idle() -> None:
    """Also one that was made just now, which is told: its name may have been misspelt."""
    done = conductor("worker", "--until-idle")
    told = f"{STORE}: there is no such store; it is made\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", told)
    assert Path(STORE).exists()
    again = conductor("worker", "--until-idle")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_flows_that_wait_for_people_are_told_by_code_3() -> None:
    """After all others have ended."""
    started(ASKING, "a-1")
    started(ONE, "one-1")
    done = conductor("worker", "--until-idle")
    assert (done.returncode, done.stderr) == (3, "flows wait for people\n")
    assert finished("one-1") == [("hello#1", "succeeded")]


def test_a_timer_that_a_flow_waits_for_is_waited_for() -> None:
    """A step is retried after its backoff, and no retry is left."""
    step = "{key: a, run: 'exit 1', retry: {max_auto_retries: 1, backoff_ms: [300]}}"
    started(f"groups: [{{key: g, steps: [{step}]}}]", "t-1")
    done = conductor("worker", "--until-idle")
    assert (done.returncode, done.stderr) == (0, "")
    assert finished("t-1") == [("a#1", "failed"), ("a#2", "failed")]


def test_a_timer_of_a_flow_that_waits_for_people_is_not_waited_for() -> None:
    """It is told when it is due."""
    step = "{key: a, run: 'true', approval: {timeout_ms: 3600000}}"
    started(f"groups: [{{key: g, steps: [{step}]}}]", "t-1")
    done = conductor("worker", "--until-idle")
    assert done.returncode == 3
    assert "a timer of a flow is due in " in done.stderr


def test_work_that_no_worker_does_is_told_by_code_1() -> None:
    """With its name; nobody waits for a worker that may never come."""
    started(WORK, "w-1")
    done = conductor("worker", "--until-idle")
    assert done.returncode == 1
    assert "work waits that no worker does: step 'plan-servers'" in done.stderr.splitlines()


def test_work_of_another_worker_is_waited_for() -> None:
    """Idle is the store, not this worker."""
    started(SLOW, "slow-1")
    with worker(name="busy") as busy:
        wait_for("begun")
        with worker("--until-idle", name="idle") as process:
            wait_until(lambda: workers() == 2, "two workers")
            assert process.poll() is None
            Path("go").touch()
            assert process.wait(50) == 0
        assert ended(busy, signal.SIGINT) == 0
    assert lines("ran") == ["done", "next"]


def test_a_worker_that_is_stopped_before_has_not_come_to_the_end() -> None:
    """With --until-idle a signal is code 1."""
    started(SLOW, "slow-1")
    with worker("--until-idle", "--grace", "0") as process:
        wait_for("begun")
        assert ended(process, signal.SIGTERM) == 1


# --- what is wrong ---


def test_work_that_nobody_does_is_warned_of() -> None:
    """While the worker goes on with what it does."""
    started(WORK, "w-1")
    with worker(*LEASE) as process:
        wait_for("worker.err", "no worker has a handler for 'plan-servers', for which work waits\n")
        assert ended(process, signal.SIGTERM) == 0


def test_a_store_that_is_taken_away_ends_its_worker() -> None:
    """With code 1 and the reason; SQLite alone would go on with a file that nobody can see."""
    with worker() as process:
        wait_until(lambda: Path(STORE).exists() and _has_tables(), "a store")
        wait_until(lambda: workers() == 1, "a worker")
        Path(STORE).rename("elsewhere.db")
        assert process.wait(50) == 1
    reason = f"{Path(STORE).resolve()}: the file of the store was removed"
    assert lines("worker.err")[-1] == f"the worker cannot go on: {reason}"


def _has_tables() -> bool:
    with sqlite3.connect(STORE) as connection:
        found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'workers'").fetchone()
    connection.close()
    return found is not None


def test_a_store_of_another_product_is_refused_and_left_as_it_is() -> None:
    """With code 2 and its path."""
    with sqlite3.connect(STORE) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = Path(STORE).read_bytes()
    done = conductor("worker")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{Path(STORE).resolve()}: it is a database of another product\n"
    assert Path(STORE).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--handlers", "nowhere"], "--handlers nowhere: ModuleNotFoundError"),
        (["--directory", "nowhere"], "--directory: nowhere: No such file or directory"),
        (["--slots", "0"], "--slots"),
        (["--slots", "many"], "--slots"),
        (["--threads", "0"], "--threads"),
        (["--lease", "0"], "--lease"),
        (["--lease", "nan"], "nan is not a number of seconds."),
        (["--grace", "-1"], "--grace"),
        (["--grace", "inf"], "--grace"),
        (["--synchronous", "OFF"], "--synchronous"),
        (["--store", "http://x"], "--store: expected a file or postgresql://..., got 'http://x'"),
        (["--store", "no/where.db"], "there is no directory"),
        (["--store", "/proc/flows.db"], "it cannot be made"),
        (["flow.yaml"], "unexpected extra argument"),
    ],
)
def test_bad_input_is_refused(arguments: list[str], told: str) -> None:
    """With exit code 2 and no traceback, and no store is made."""
    done = conductor("worker", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path(STORE).exists()
