"""What operators see of flows in a store: lists, where a flow is, its log."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from conductor_adapters.cli.operate import rows
from conductor_adapters.cli.operate.needs import NO_WORKER
from conductor_adapters.cli.operate.stores import VARIABLE
from conductor_adapters.cli.sources import STORE as STORE_OF_EXPLAIN
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.protocol import WorkerRow
from conductor_adapters.store.sqlite import SqliteStore
from conductor_core import ApprovalSpec, FlowSpec, StepSpec, initial_state
from conductor_core.errors import LogError
from conductor_core.log import replay
from conductor_core.testing.brief import flow, group
from tests.cli.operating import (
    ASKS,
    ASKS_TWICE,
    CONDUCTOR,
    FAILS,
    FULL,
    PARKS,
    PLAN,
    RUNS,
    STORE,
    begun,
    data_of,
    lines_of,
    run,
    told,
)

ID = "deploy-1"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one; what is told of times is told of those of UTC."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONDUCTOR_STORE", raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    return tmp_path


def fill(*flows: tuple[str, FlowSpec, int]) -> None:
    """Begin flows at times of their own."""
    now_ms = 0
    with SqliteStore(STORE) as store:
        ledger = Ledger(store, now_ms=lambda: now_ms)
        for flow_id, spec, at_ms in flows:
            now_ms = at_ms
            with ledger.transaction():
                ledger.start(initial_state(spec, flow_id))


def ids(*arguments: str) -> list[str]:
    """The ids of the flows in a list."""
    return [each["flow_id"] for each in data_of("list", *arguments)]


# --- list ---


def test_flows_are_listed_in_the_order_in_which_they_began() -> None:
    """A table with a column as wide as what stands in it."""
    fill(("b", evolve(RUNS, type="release-all"), 1_000), ("a-long-id", RUNS, 86_400_000))
    code, written, errors = told("list")
    assert (code, errors) == (0, "")
    assert written.splitlines() == [
        "FLOW       TYPE         STATUS       BEGAN                CHANGED",
        "b          release-all  in-progress  1970-01-01 00:00:01  1970-01-01 00:00:01",
        "a-long-id  flow         in-progress  1970-01-02 00:00:00  1970-01-02 00:00:00",
    ]


def test_a_list_for_programs_is_one_array() -> None:
    """An object for each flow."""
    fill(("b", RUNS, 1_000))
    assert data_of("list") == [
        {
            "flow_id": "b",
            "type": "flow",
            "status": "in-progress",
            "began_ms": 1_000,
            "changed_ms": 1_000,
        }
    ]


def test_a_list_of_nothing_says_so() -> None:
    """Nothing in the store is no error, and neither is nothing of what was asked for."""
    fill()
    assert told("list") == (0, "no flow\n", "")
    assert told("list", "--waiting") == (0, "no flow is like that\n", "")
    assert data_of("list") == []


def test_text_of_others_is_escaped_in_a_list() -> None:
    """A type may hold anything."""
    fill(("b", evolve(RUNS, type="a\x1b[2Jb"), 1_000))
    assert "a\\x1b[2Jb" in run("list").stdout


def test_flows_are_listed_by_status() -> None:
    """One or several, each listed once; those that wait for people have a word of their own."""
    begun(RUNS, flow_id="runs")
    begun(ASKS, flow_id="asks", until="approval-awaiting")
    begun(PARKS, flow_id="parks", until="failed-pending-retry")
    begun(FAILS, flow_id="fails", until="error")
    begun(ASKS, flow_id="paused", until="approval-awaiting")
    assert ids("--status", "error") == ["fails"]
    assert ids("--status", "error", "--status", "success") == ["runs", "fails"]
    assert ids("--waiting") == ["asks", "parks", "paused"]
    assert ids("--waiting", "--status", "approval-awaiting", "--status", "error") == [
        *("asks", "parks", "fails", "paused"),
    ]


def test_flows_are_listed_by_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """However far down the list they stand."""
    monkeypatch.setattr(rows, "PAGE", 2)
    fill(*((f"f{n}", evolve(RUNS, type="odd" if n % 2 else "even"), n) for n in range(9)))
    assert ids("--type", "odd") == ["f1", "f3", "f5", "f7"]
    assert ids("--type", "odd", "--type", "even") == [f"f{n}" for n in range(9)]
    assert ids("--type", "odd", "--limit", "3") == ["f1", "f3", "f5"]
    assert ids("--type", "none") == []


@pytest.mark.parametrize(("limit", "more"), [(1, True), (2, True), (3, False), (4, False)])
def test_a_list_that_is_cut_says_so(limit: int, more: bool) -> None:
    """On the standard error, so that what is listed stands alone."""
    fill(*((f"f{n}", RUNS, n) for n in range(3)))
    result = run("list", "--limit", str(limit), "--json")
    assert len(json.loads(result.stdout)) == min(limit, 3)
    told = f"there are more than {limit} such flows (--limit)\n" if more else ""
    assert result.stderr == told


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--status", "done"), "'done' is not one of 'pending', 'cancelling', 'in-progress'"),
        (("--limit", "0"), "0 is not in the range x>=1"),
        (("--limit", "many"), "'many' is not a valid integer"),
        (("more",), "unexpected extra argument"),
    ],
)
def test_what_cannot_be_listed_ends_with_2(arguments: tuple[str, ...], error: str) -> None:
    """And says what can."""
    fill()
    code, written, errors = told("list", *arguments)
    assert (code, written) == (2, "")
    assert error in errors


# --- status ---


def test_the_status_of_a_flow_that_asks_shows_what_is_to_be_approved() -> None:
    """What it waits for, the plan, and who may approve it; exit code 3."""
    begun(ASKS, until="approval-awaiting")
    code, written, errors = told("status", ID)
    assert (code, errors) == (3, "")
    assert written.splitlines() == [
        "flow deploy-1 (flow): approval-awaiting",
        "  waits for plan#1: 0 of 1 approvals (person)",
        "plan#1 asks for approval",
        "  subject: 3 servers",
        "  add: 3",
        "  0 of 1 approvals; may be approved by anybody",
    ]


def test_whoever_is_asked_sees_what_policies_found() -> None:
    """A warning, and that policies could not be evaluated, stand above the plan."""
    begun(
        flow(group("g", StepSpec(key="warned", approval=ApprovalSpec()))), until="approval-awaiting"
    )
    told_lines = told("status", ID)[1].splitlines()
    assert told_lines[2:6] == [
        "warned#1 asks for approval",
        "  its policies could not be evaluated",
        "  warned by policy: port 22 is open to all",
        "  add: 3",
    ]
    assert data_of("status", ID)["approvals"][0]["policy"] == {
        "deny_violations": [],
        "warn_violations": ["port 22 is open to all"],
        "passed_policy_ids": ["size"],
        "evaluated": False,
    }


def test_the_status_of_a_flow_that_asks_is_told_to_programs() -> None:
    """With all that was planned."""
    begun(ASKS, until="approval-awaiting")
    assert data_of("status", ID) == {
        "flow_id": "deploy-1",
        "status": "approval-awaiting",
        "outcome": None,
        "waits": [
            {"what": "0 of 1 approvals", "who": "person", "subject": "plan#1", "due_at_ms": None}
        ],
        "type": "flow",
        "paused": False,
        "approvals": [
            {
                "attempt": "plan#1",
                "step": "plan",
                "subject": "3 servers",
                "output": {"add": 3},
                "policy": None,
                "required": 1,
                "given": [],
                "missing": 1,
                "may_approve": None,
                "stale_at_ms": None,
                "due_at_ms": None,
            }
        ],
    }


@pytest.mark.parametrize(
    ("spec", "until", "exit_code", "lines"),
    [
        (
            RUNS,
            None,
            0,
            [
                "flow deploy-1 (flow): in-progress",
                "  waits for apply#1: the end of its work (worker)",
            ],
        ),
        (RUNS, "success", 0, ["flow deploy-1 (flow): success"]),
        (
            FAILS,
            "error",
            1,
            ["flow deploy-1 (flow): error", "  because: failed at fail#1: Step failed"],
        ),
        (
            PARKS,
            "failed-pending-retry",
            3,
            [
                "flow deploy-1 (flow): failed-pending-retry",
                "  waits for fail#1: a retry or a skip (person)",
                "fail#1 failed, and waits to be retried or skipped",
                "  failed: the quota is used up",
            ],
        ),
    ],
)
def test_the_exit_code_says_where_a_flow_is(
    spec: FlowSpec, until: str | None, exit_code: int, lines: list[str]
) -> None:
    """0 while nothing is wrong, 1 when it did not succeed, 3 when it waits for a person."""
    begun(spec, until=until)
    code, written, errors = told("status", ID)
    # Nobody works here any more, which matters where work is waited for.
    lacking = f"{NO_WORKER}\n" if written.endswith("(worker)\n") else ""
    assert (code, written.splitlines(), errors) == (exit_code, lines, lacking)
    assert run("status", ID, "--json").exit_code == exit_code


def test_a_flow_that_was_cancelled_says_by_whom() -> None:
    """And why, if that was said."""
    begun(RUNS)
    assert run("cancel", ID, "--by", "ana", "--reason", "too late").exit_code == 0
    code, written, errors = told("status", ID)
    assert (code, errors) == (1, "")
    assert written.splitlines() == [
        "flow deploy-1 (flow): cancelled",
        "  because: cancelled: too late",
        "  cancelled by ana",
    ]


def test_a_long_plan_is_shown_in_brief() -> None:
    """Its first lines, how many more there are, and who may approve it; the first ten of many."""
    steps = [evolve(PLAN, key=f"s{n}", work="long") for n in range(12)]
    begun(flow(group("g", *steps, parallel=True)), until="approval-awaiting")
    lines = run("status", ID).stdout.splitlines()
    first = lines.index("s0#1 asks for approval")
    assert lines[first + 1 : first + 13] == [
        "  text:",
        *(f"    line {n}" for n in range(9)),
        "  (6 lines more: conductor status --json)",
        "  0 of 1 approvals; may be approved by anybody",
    ]
    assert lines[-1] == "and 2 approvals more"


def test_several_approvals_are_told_one_by_one() -> None:
    """In the order of the flow."""
    begun(ASKS_TWICE, until="approval-awaiting")
    lines = run("status", ID).stdout.splitlines()
    asking = [line for line in lines if line.endswith("asks for approval")]
    assert asking == ["plan#1 asks for approval", "other#1 asks for approval"]


# --- log ---


def test_a_log_is_written_as_it_stands_in_the_store() -> None:
    """To the byte, also where it holds what no terminal shows."""
    named = flow(group("g", StepSpec(key="apply", name="ü\x1b\u2028")))
    begun(evolve(named, type="é"), until="success")
    done = subprocess.run(
        [*CONDUCTOR, "log", ID, "--store", STORE], capture_output=True, check=True, timeout=60
    )
    assert done.stdout == "".join(lines_of()).encode()
    assert done.stderr == b""


def test_a_log_is_written_to_a_new_file_and_replayed() -> None:
    """It is for its owner alone, and `conductor replay` takes it."""
    begun(RUNS, until="success")
    code, written, errors = told("log", ID, "-o", "flow.jsonl")
    assert (code, errors) == (0, "")
    assert written == f"flow.jsonl: {len(lines_of())} lines, the log of flow deploy-1\n"
    assert stat.S_IMODE(Path("flow.jsonl").stat().st_mode) == 0o600
    assert Path("flow.jsonl").read_bytes() == "".join(lines_of()).encode()
    replayed = run("replay", "flow.jsonl", store=None)
    assert replayed.stdout == "replay: 3 entries verified; the flow is success\n"


def test_a_log_is_told_as_json() -> None:
    """Its lines as they are, or the file to which they went."""
    begun(RUNS, until="success")
    lines = lines_of()
    assert data_of("log", ID) == {
        "flow_id": ID,
        "file": None,
        "count": len(lines),
        "lines": lines,
    }
    assert data_of("log", ID, "-o", "flow.jsonl") == {
        "flow_id": ID,
        "file": "flow.jsonl",
        "count": len(lines),
        "lines": None,
    }


def test_no_file_is_written_over() -> None:
    """What is there stays as it is, be it a link that leads nowhere."""
    begun(RUNS)
    Path("there").write_text("mine")
    Path("link").symlink_to("nowhere")
    for name in ("there", "link"):
        error = f"{name}: exists; a log is written to a new file\n"
        assert told("log", ID, "-o", name) == (2, "", error)
    assert Path("there").read_text() == "mine"
    assert told("log", ID, "-o", "no/x") == (2, "", "no/x: No such file or directory\n")


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_log_that_cannot_be_written_is_told() -> None:
    """One line, exit code 2."""
    begun(RUNS)
    with FULL.open("w") as full:
        done = subprocess.run(
            [*CONDUCTOR, "log", ID, "--store", STORE],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "cannot write the output: No space left on device\n"


def test_a_log_file_that_cannot_be_written_whole_is_taken_away() -> None:
    """Half a log would be taken for a log that was cut off."""
    begun(flow(group("g", StepSpec(key="apply", input={"text": "x" * 300_000}))))
    # No file may have more than so many blocks of 512 or 1024 bytes.
    command = f"ulimit -f 100; {shlex.join([*CONDUCTOR, 'log', ID, '--store', STORE])} -o new"
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "new: File too large\n"
    assert not Path("new").exists()


def test_who_reads_no_further_is_no_error() -> None:
    """`conductor list | head` is quiet."""
    fill(*((f"f{n}", RUNS, n) for n in range(5_000)))
    command = f'{sys.executable} -c "{CONDUCTOR[2]}" list --store {STORE} | head -1'
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("FLOW ")
    assert done.stderr == ""


# --- explain ---


def test_a_flow_of_a_store_is_explained_as_its_log_is() -> None:
    """In full, also for programs, where only the name of the file is another."""
    begun(ASKS, until="approval-awaiting")
    run("log", ID, "-o", "flow.jsonl")
    assert told("explain", ID) == (0, run("explain", "flow.jsonl", store=None).stdout, "")
    # At an entry both look at the same time, from which events are told.
    look = ("--at", "3")
    told_of_file = json.loads(run("explain", "flow.jsonl", *look, "--json", store=None).stdout)
    told_of_flow = data_of("explain", ID, *look)
    assert told_of_flow.pop("file") == STORE
    assert told_of_file.pop("file") == "flow.jsonl"
    assert told_of_flow == told_of_file


def test_a_flow_of_a_store_is_explained_as_it_was() -> None:
    """After any entry of its log."""
    begun(ASKS, until="approval-awaiting")
    code, written, errors = told("explain", ID, "--at", "1")
    assert (code, errors) == (0, "")
    assert written.splitlines()[:3] == [
        "after entry 1",
        "flow deploy-1 (flow): in-progress",
        "  waits for plan#1: the end of its work (worker)",
    ]
    error = "--at: flows.db: flow 'deploy-1' has 3 entries, and no entry 9\n"
    assert told("explain", ID, "--at", "9") == (2, "", error)


def test_what_is_explained_is_a_flow_where_a_store_was_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the option always, by the environment where no such file is."""
    assert STORE_OF_EXPLAIN == VARIABLE
    begun(RUNS)
    Path(ID).write_text("{flow: other, groups: [{key: g, steps: [{key: a}]}]}")
    assert run("explain", ID).stdout.startswith("flow deploy-1 (flow): in-progress\n")
    assert run("explain", ID, store=None).stdout.startswith("flow other: 1 group")
    monkeypatch.setenv("CONDUCTOR_STORE", STORE)
    assert run("explain", ID, store=None).stdout.startswith("flow other: 1 group")
    Path(ID).unlink()
    assert run("explain", ID, store=None).stdout.startswith("flow deploy-1 (flow): in-progress\n")
    nobody = run("explain", "nobody", store=None)
    assert (nobody.exit_code, nobody.stderr) == (2, "flows.db: no flow is named 'nobody'\n")
    monkeypatch.delenv("CONDUCTOR_STORE")
    nothing = run("explain", "nobody", store=None)
    told = f"nobody: No such file or directory; a flow of a store needs --store or {VARIABLE}\n"
    assert (nothing.exit_code, nothing.stderr) == (2, told)


# --- what cannot be used ---


@pytest.mark.parametrize("command", ["status", "log", "explain", "watch", "wait"])
def test_a_flow_that_is_not_there_is_told(command: str) -> None:
    """Exit code 2, one line."""
    begun(RUNS)
    assert told(command, "a\x1bb") == (2, "", "flows.db: no flow is named 'a\\x1bb'\n")
    assert told(command, "") == (2, "", "flows.db: no flow is named ''\n")


@pytest.mark.parametrize("command", ["list", "status", "log", "explain", "watch", "wait"])
@pytest.mark.parametrize(
    ("store", "error"),
    [
        ("no.db", "there is no such store\n"),
        (".", "it is a directory\n"),
        ("text.db", "it is no database\n"),
        ("http://x/y", "--store: expected a file or postgresql://..., got 'http://x/y'\n"),
    ],
)
def test_a_store_that_is_none_is_told(command: str, store: str, error: str) -> None:
    """Exit code 2, one line; no file is made."""
    Path("text.db").write_text("no database " * 1_000)
    result = run(command, *([] if command == "list" else [ID]), store=store)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(error)
    assert len(result.stderr.splitlines()) == 1
    assert sorted(path.name for path in Path().iterdir()) == ["text.db"]


def damage() -> None:
    """Change a line of the log of a flow; another flow is sound."""
    begun(RUNS)
    begun(RUNS, flow_id="deploy-2")
    with closing(sqlite3.connect(STORE)) as connection, connection:
        changed = connection.execute(
            "UPDATE entries SET lines = replace(lines, 'apply#1', 'apply#2')"
            " WHERE flow_id = 'deploy-1' AND seq = 1"
        )
        assert changed.rowcount == 1


@pytest.mark.parametrize("command", ["status", "explain", "watch", "wait", "pause"])
def test_a_log_that_was_damaged_is_told(command: str) -> None:
    """Exit code 2, one line that says where; the list goes on with what else there is."""
    damage()
    code, written, errors = told(command, ID)
    assert (code, written) == (2, "")
    assert "flow 'deploy-1'" in errors
    assert "line 2: " in errors
    assert len(errors.splitlines()) == 1
    assert run("status", "deploy-2").exit_code == 0
    assert ids() == [ID, "deploy-2"]


def test_a_log_that_was_damaged_can_be_written_all_the_same() -> None:
    """As it is, for who must find out what happened to it."""
    damage()
    code, written, errors = told("log", ID)
    assert (code, errors) == (0, "")
    with pytest.raises(LogError, match="line 2"):
        replay(written.splitlines(keepends=True))


def test_a_handler_that_no_worker_has_is_named() -> None:
    """Where a worker lives that does something else, whoever looks is told what is lacking."""
    begun(RUNS)
    with SqliteStore(STORE) as store:
        boot, now_ms = store.clock()
        row = WorkerRow(
            worker_id="other", name="other", boot=boot, until_ms=now_ms + 60_000,
            works=frozenset({"step:other"}),
        )  # fmt: skip
        with store.transaction():
            store.renew(row)
    _, _, errors = told("status", ID)
    assert re.fullmatch(
        r"warning: no worker has a handler for '\w+'; the flow waits for one\n", errors
    )
