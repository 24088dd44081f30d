"""`conductor vacuum`, `backup` and `import`: stores are kept, copied and filled."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest

from conductor_adapters.cli.operate.ages import read_age_ms
from tests.cli.operate.at_work import (
    ASKING,
    CONDUCTOR,
    ONE,
    SLOW,
    STORE,
    conductor,
    ended,
    finished,
    flow_log,
    lines,
    runs,
    started,
    wait_for,
    wait_until,
    worker,
)

NO_WORKER = "warning: no worker runs just now; the flow waits for one\n"
A_DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def flows() -> list[str]:
    """The ids of the flows in the store."""
    with sqlite3.connect(STORE) as connection:
        found = connection.execute("SELECT flow_id FROM flows ORDER BY flow_id").fetchall()
    connection.close()
    return [flow_id for (flow_id,) in found]


def made_older(flow_id: str, by_ms: int) -> None:
    """Let a flow have ended earlier."""
    with sqlite3.connect(STORE) as connection:
        statement = "UPDATE flows SET changed_ms = changed_ms - ? WHERE flow_id = ?"
        assert connection.execute(statement, (by_ms, flow_id)).rowcount == 1
    connection.close()


def two_ended_and_one_that_waits() -> None:
    """A store with a flow that ended two days ago, one that ended now, and one that waits."""
    started(ONE, "Old/1")
    started(ONE, "new-1")
    started(ASKING, "waits-1")
    assert conductor("worker", "--until-idle").returncode == 3
    made_older("Old/1", 2 * A_DAY_MS)
    made_older("waits-1", 2 * A_DAY_MS)


# --- vacuum ---


def test_flows_that_ended_long_ago_are_removed_with_what_they_printed() -> None:
    """Whatever has not ended stays, however old it is."""
    two_ended_and_one_that_waits()
    assert len([*Path(f"{STORE}.d").glob("*/*.txt")]) == 3
    done = conductor("vacuum", "--older-than", "1d")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 flow removed\n", "")
    assert flows() == ["new-1", "waits-1"]
    left = {path.name for path in Path(f"{STORE}.d").iterdir()}
    assert left == {".running", "new-1", "waits-1"}
    assert conductor("vacuum", "--older-than", "3d", "--json").stdout.startswith(
        '{\n  "removed": 0,'
    )


def test_a_dry_run_names_what_would_be_removed_and_removes_nothing() -> None:
    """For people and for programs."""
    two_ended_and_one_that_waits()
    done = conductor("vacuum", "--older-than", "0s", "--dry-run", "--shrink")
    assert done.stdout == "Old/1\nnew-1\n2 flows would be removed\n"
    told = json.loads(conductor("vacuum", "--older-than", "1d", "--dry-run", "--json").stdout)
    assert (told["removed"], told["would_remove"]) == (0, ["Old/1"])
    assert flows() == ["Old/1", "new-1", "waits-1"]
    assert Path(f"{STORE}.d/new-1").is_dir()


def test_the_room_is_given_back_when_that_is_asked_for() -> None:
    """The file is smaller then, and a store as before."""
    Path("flow.yaml").write_text(ONE)
    step = "{key: a, run: 'head -c 60000 /dev/zero | tr \"\\\\0\" x'}"
    for number in range(4):
        started(f"groups: [{{key: g, steps: [{step}]}}]", f"f-{number}")
    assert conductor("worker", "--until-idle").returncode == 0
    before = Path(STORE).stat().st_size
    assert conductor("vacuum", "--older-than", "0s", "--shrink").stdout == "4 flows removed\n"
    assert Path(STORE).stat().st_size < before
    started(ONE, "one-1")


@pytest.mark.parametrize(
    ("text", "age_ms"),
    [
        ("0s", 0),
        ("45s", 45_000),
        ("90min", 5_400_000),
        ("12h", 43_200_000),
        ("30d", 30 * A_DAY_MS),
        ("1d 12h", A_DAY_MS + 43_200_000),
        ("1d12h", A_DAY_MS + 43_200_000),
        ("2 d 3 h", 2 * A_DAY_MS + 10_800_000),
    ],
)
def test_an_age_is_written_as_durations_are_told(text: str, age_ms: int) -> None:
    """With or without spaces."""
    assert read_age_ms(text) == age_ms


@pytest.mark.parametrize(
    "text", ["", "30", "d", "-1d", "1.5d", "1w", "1m", "1d 1d", "d1", "1e3d", "9999999d", "٣d"]
)
def test_what_is_no_age_is_refused(text: str) -> None:
    """Nothing is removed."""
    started(ONE, "one-1")
    done = conductor("vacuum", "--older-than", text)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is no age such as 30d, 12h, 90min, 45s or 1d 12h." in done.stderr
    assert flows() == ["one-1"]


def test_what_is_kept_must_be_there() -> None:
    """Neither a vacuum nor a backup makes a store, and an age must be given."""
    for arguments in (["vacuum", "--older-than", "1d"], ["backup", "copy.db"]):
        done = conductor(*arguments)
        assert done.returncode == 2
        assert done.stderr == f"{Path(STORE).resolve()}: there is no such store\n"
    assert "Missing option '--older-than'" in conductor("vacuum").stderr
    assert [*Path().iterdir()] == []


# --- backup ---


def test_a_store_is_copied_while_it_is_worked_on() -> None:
    """The copy is a store, for its owner alone; what runs is not disturbed."""
    started(SLOW, "slow-1")
    with worker() as process:
        wait_for("begun")
        done = conductor("backup", "copy.db")
        assert (done.returncode, done.stderr) == (0, "")
        assert (
            done.stdout == f"{STORE} copied to copy.db: {Path('copy.db').stat().st_size:,} bytes\n"
        )
        Path("go").touch()
        wait_for("worker.out", "-> flow success")
        assert ended(process, signal.SIGTERM) == 0
    assert stat.S_IMODE(Path("copy.db").stat().st_mode) == 0o600
    assert finished("slow-1") == [("slow#1", "succeeded"), ("next#1", "succeeded")]
    told = json.loads(conductor("backup", "again.db", "--store", "copy.db", "--json").stdout)
    size = Path("again.db").stat().st_size
    assert told == {"store": "copy.db", "target": "again.db", "bytes": size}


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("flow.yaml", "flow.yaml: it cannot be made: File exists"),
        (STORE, "it cannot be made: File exists"),
        ("no/copy.db", "no/copy.db: it cannot be made: No such file or directory"),
    ],
)
def test_a_backup_takes_the_place_of_nothing(target: str, told: str) -> None:
    """With code 2, and what was there stays."""
    started(ONE, "one-1")
    done = conductor("backup", target)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert Path("flow.yaml").read_text() == ONE
    assert flows() == ["one-1"]


# --- import ---


def recorded(flow: str, *arguments: str) -> None:
    """Run a flow under the log `log.jsonl`."""
    Path("flow.yaml").write_text(flow)
    conductor("run", "flow.yaml", "--log", "log.jsonl", "--flow-id", "f-1", *arguments)


def test_the_log_of_a_run_goes_on_in_a_store() -> None:
    """Its id and where it stands are told; workers take it up, and it is not taken in twice.

    Why it is not is told, so that nobody wonders which of the two is the flow.
    """
    recorded(ASKING, "--no-input")
    done = conductor("import", "log.jsonl")
    assert (done.returncode, done.stderr) == (0, NO_WORKER)
    assert done.stdout == "f-1: approval-awaiting, 3 entries\n"
    assert conductor("worker", "--until-idle").returncode == 3
    done = conductor("import", "log.jsonl")
    taken = "log.jsonl: a flow is named 'f-1' already"
    assert (done.returncode, done.stderr) == (2, f"{taken}: this very log is there\n")
    conductor("pause", "f-1", "--by", "ana")
    went_on = "it went on: its log has these 3 entries, and 1 more"
    assert conductor("import", "log.jsonl").stderr == f"{taken}: {went_on}\n"


def test_a_log_may_come_through_a_pipe() -> None:
    """From the standard input, or from a file that is none."""
    recorded(ONE)
    os.mkfifo("pipe")
    for source in ("-", "pipe"):
        command = [*CONDUCTOR, "import", source, "--store", f"{source}.db", "--json"]
        with (
            Path("log.jsonl").open("rb") as log,
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
        ):
            text = log.read()
            if source == "pipe":
                Path("pipe").write_bytes(text)
            out, _ = process.communicate(text if source == "-" else b"", timeout=50)
        assert process.returncode == 0
        assert json.loads(out) == {"flow_id": "f-1", "status": "success", "entries": 3}


def test_a_log_that_a_run_still_writes_is_refused() -> None:
    """Both would do the work."""
    Path("flow.yaml").write_text(SLOW)
    command = [*CONDUCTOR, "run", "flow.yaml", "--log", "log.jsonl"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for("begun")
            done = conductor("import", "log.jsonl")
        finally:
            Path("go").touch()
    assert process.returncode == 0
    assert done.returncode == 2
    assert done.stderr == "log.jsonl: a run still writes this log; stop that first\n"
    assert not Path(STORE).exists()


def test_what_a_run_left_running_that_was_killed_is_ended_first() -> None:
    """And the attempt begins again in the store."""
    Path("flow.yaml").write_text(SLOW)
    command = [*CONDUCTOR, "run", "flow.yaml", "--log", "log.jsonl", "--flow-id", "f-1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for("begun")
        process.kill()
    pid = int(lines("pids")[0])
    assert runs(pid)
    wait_until(lambda: [*Path("log.jsonl.d").glob("*.group")], "a record")
    done = conductor("import", "log.jsonl")
    assert (done.returncode, done.stderr) == (0, f"slow#1 still ran and was ended\n{NO_WORKER}")
    assert not runs(pid)
    Path("go").touch()
    assert conductor("worker", "--until-idle").returncode == 0
    assert lines("ran") == ["done", "next"]


def test_a_log_that_was_changed_or_cut_off_is_refused() -> None:
    """With its name and the line, and no store is made."""
    recorded(ONE)
    log = Path("log.jsonl").read_text().splitlines(keepends=True)
    Path("changed").write_text("".join(log).replace("hello#1", "hello#2"))
    Path("cut").write_text("".join([*log[:3], log[3][:20]]))
    Path("empty").touch()
    for name, told in (
        ("changed", "changed: line 2: broken digest chain"),
        ("cut", "cut: line 4: the last line is cut off"),
        ("empty", "empty: "),
        ("flow.yaml", "flow.yaml: line 1: "),
        ("nowhere", "nowhere: No such file or directory"),
        (".", ".: Is a directory"),
    ):
        done = conductor("import", name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(told)
        assert "Traceback" not in done.stderr
    assert not Path(STORE).exists()


def test_a_log_of_an_ended_flow_is_kept_as_it_was() -> None:
    """Entry by entry."""
    recorded(ONE)
    done = conductor("import", "log.jsonl")
    assert (done.stdout, done.stderr) == ("f-1: success, 3 entries\n", "")
    logged = [json.loads(line) for line in lines("log.jsonl")]
    assert flow_log("f-1") == logged
