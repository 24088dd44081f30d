"""`conductor replay FOLDER`: the logs in it, by one process or more, in one order."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Final

import pytest

from conductor_adapters.cli import replay_logs
from conductor_adapters.cli.replay_logs import logs_of, verify_all
from conductor_adapters.cli.sources import Sources
from conductor_core.errors import ConductorError
from tests.cli.pseudo_terminal import screened
from tests.cli.replaying import data_of, run
from tests.debugger.recordings import RELEASE

CONTENT: Final = RELEASE.read_bytes()
LINES: Final = CONTENT.splitlines(keepends=True)
ELAPSED: Final = re.compile(r" in \d+(\.\d)? s$", re.MULTILINE)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of logs, good and bad, and of other files."""
    monkeypatch.chdir(tmp_path)
    logs = tmp_path / "logs"
    (logs / "old").mkdir(parents=True)
    (logs / "b.jsonl").write_bytes(CONTENT)
    (logs / "a.conductor.jsonl").write_bytes(b"".join(LINES[:5]))
    (logs / "old" / "c.jsonl").write_bytes(CONTENT.replace(b'"seq":9,', b'"seq":8,'))
    (logs / "notes.txt").write_text("no log, by its name\n")
    (logs / "measures.jsonl").write_text('{"at":1}\n{"at":2}\n')
    (logs / "empty.jsonl").touch()
    return logs


def test_a_folder_stands_for_its_logs() -> None:
    """In the order of their names; what is no log is told of, and all is counted in the end."""
    result = run("logs", code=2)
    assert ELAPSED.sub(" in TIME", result.stdout).splitlines() == [
        "logs/a.conductor.jsonl: replay: 4 entries verified; not closed, the flow is in-progress",
        "logs/b.jsonl: replay: 16 entries verified; the flow is success",
        "passed over, no logs: logs/empty.jsonl, logs/measures.jsonl",
        "3 logs: 2 verified, 0 diverged, 1 unreadable; 1 not closed; 20 entries in TIME",
    ]
    assert result.stderr == "logs/old/c.jsonl: line 10: seq is 8, expected 9\n"


def test_programs_are_told_the_same() -> None:
    """Each log, the files that are none, and the numbers."""
    data = data_of("logs", code=2)
    assert [log["file"] for log in data["logs"]] == [
        "logs/a.conductor.jsonl",
        "logs/b.jsonl",
        "logs/old/c.jsonl",
    ]
    assert [log.get("closed") for log in data["logs"]] == [False, True, None]
    assert data["no_logs"] == ["logs/empty.jsonl", "logs/measures.jsonl"]
    assert data["summary"] == {
        "logs": 3,
        "verified": 2,
        "diverged": 0,
        "unreadable": 1,
        "not_closed": 1,
        "entries": 20,
    }


def test_folders_and_files_go_together(folder: Path) -> None:
    """In the order in which they are given; a log that is meant twice is verified twice."""
    (folder / "old" / "c.jsonl").unlink()
    data = data_of("logs/b.jsonl", "logs")
    assert [Path(log["file"]).name for log in data["logs"]] == [
        "b.jsonl",
        "a.conductor.jsonl",
        "b.jsonl",
    ]
    (told,) = run("logs/b.jsonl").stdout.splitlines()
    assert told == "replay: 16 entries verified; the flow is success"


def test_many_files_that_are_no_logs_are_counted(folder: Path) -> None:
    """The first are named."""
    shutil.rmtree(folder / "old")
    for number in range(1200):
        (folder / f"z{number:04}.jsonl").write_text("[]\n")
    told = run("logs").stdout.splitlines()[-2]
    first = "logs/empty.jsonl, logs/measures.jsonl, logs/z0000.jsonl"
    assert told == f"passed over, no logs: {first} and 1,199 more"
    (folder / "only").mkdir()
    (folder / "only" / "one.jsonl").write_bytes(CONTENT)
    (folder / "only" / "no.jsonl").write_text("[]\n")
    assert "passed over, no log: logs/only/no.jsonl\n" in run("logs/only").stdout


@pytest.mark.parametrize("name", ["nothing", "others"])
def test_a_folder_without_logs_is_an_error(name: str, folder: Path) -> None:
    """Whoever asks for the logs in it has taken another folder for it."""
    (folder / "nothing").mkdir()
    (folder / "others").mkdir()
    (folder / "others" / "it.jsonl").write_text("{}\n")
    problem = {"nothing": "no *.jsonl", "others": "none of 1 *.jsonl is a log"}[name]
    told = run(f"logs/{name}", code=2).stderr
    assert told == f"logs/{name}: {problem} in this folder, nor below it\n"


@pytest.mark.parametrize(
    "content",
    [
        b"\x00" + CONTENT,
        CONTENT[1:],
        b"".join(LINES[1:]),
        CONTENT[:100],
        json.dumps(json.loads(LINES[0]), sort_keys=True).encode() + b"\n{}\n",
    ],
    ids=["byte before", "byte lost", "header lost", "header cut", "written anew"],
)
def test_a_damaged_header_hides_no_log(content: bytes, folder: Path) -> None:
    """What was a log is one, and it is an error that it cannot be read."""
    shutil.rmtree(folder / "old")
    (folder / "bad.jsonl").write_bytes(content)
    assert run("logs", code=2).stderr.startswith("logs/bad.jsonl: line ")


def test_the_name_of_a_log_says_that_it_is_one(folder: Path) -> None:
    """Whatever became of what stood in it."""
    shutil.rmtree(folder / "old")
    (folder / "gone.conductor.jsonl").touch()
    told = run("logs", code=2).stderr
    assert told == "logs/gone.conductor.jsonl: the log is empty\n"


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    """A name may be that of a pipe, a folder, or of nothing at all."""
    shutil.rmtree(folder / "old")
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "folder.jsonl").mkdir()
    (folder / "lost.jsonl").symlink_to("nowhere")
    result = run("logs", code=2)
    assert result.stderr == "logs/lost.jsonl: No such file or directory\n"
    assert "pipe" not in result.stdout


def test_what_the_system_does_not_give_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be listed and a file that cannot be opened are errors of their own."""
    scandir, opened = os.scandir, Path.open

    def listed(path: str) -> object:
        if str(path).endswith("old"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    def refused(path: Path, mode: str) -> object:
        if path.name == "b.jsonl":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, mode)

    monkeypatch.setattr(os, "scandir", listed)
    monkeypatch.setattr(Path, "open", refused)
    told = run("logs", code=2).stderr.splitlines()
    assert told == ["logs/b.jsonl: Permission denied", "logs/old: Permission denied"]


# --- processes ---


def test_the_number_of_processes_changes_nothing(folder: Path) -> None:
    """Neither what comes out nor its order."""
    for number in range(40):
        cut = LINES if number % 3 else LINES[: number % 7 + 1]
        (folder / "old" / f"{number:02}.jsonl").write_bytes(b"".join(cut))
    once = run("logs", "--processes", "1", code=2)
    for processes in ("2", "3", "50"):
        several = run("logs", "--processes", processes, code=2)
        assert ELAPSED.sub("", several.stdout) == ELAPSED.sub("", once.stdout)
        assert several.stderr == once.stderr
    told = [run("logs", "--processes", n, "--json", code=2).stdout for n in ("1", "2")]
    assert told[0] == told[1]


def test_divergences_and_errors_come_from_other_processes(folder: Path) -> None:
    """With their lines, and with what was expected."""
    (folder / "d.jsonl").write_bytes(CONTENT + LINES[-1])
    one, two = (data_of("logs", "--processes", n, code=2) for n in ("1", "2"))
    assert one == two
    assert [log["error"]["line"] for log in two["logs"] if "error" in log] == [19, 10]


def test_several_processes_are_taken_where_they_are_worth_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for each core, for as much as one would take long for."""
    counts = list[int]()
    monkeypatch.setattr(replay_logs, "cores", lambda: 3)

    def several(_logs: object, _against: object, count: int) -> tuple[()]:
        counts.append(count)
        return ()

    monkeypatch.setattr(replay_logs, "_in_processes", several)
    logs = logs_of([str(folder)], Sources()).logs
    assert len(list(verify_all(logs, None, None))) == 3
    monkeypatch.setattr(replay_logs, "LONG", 10_000)
    list(verify_all(logs, None, None))
    list(verify_all(logs[:2], None, None))
    list(verify_all(logs, None, 2))
    assert counts == [3, 2, 2]
    assert run("logs", "--processes", "0", code=2).stderr.count("--processes") == 1


def test_a_process_that_dies_is_told_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may end one that takes too much memory."""
    monkeypatch.setattr(replay_logs, "verify", die)
    logs = logs_of([str(folder)], Sources()).logs
    with pytest.raises(ConductorError, match=r"ended before its time .*; --processes 1 does"):
        list(verify_all(logs, None, 2))


def die(*_arguments: object, **_options: object) -> None:
    """End this process, which is one of several."""
    os._exit(9)


# --- progress ---


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
@pytest.mark.parametrize("processes", ["1", "2"])
def test_people_see_how_far_it_is(processes: str, folder: Path) -> None:
    """A bar counts the logs, and leaves nothing behind."""
    shutil.rmtree(folder / "old")
    for number in range(60):
        (folder / f"{number:02}.jsonl").write_bytes(CONTENT)
    shown = screened("replay", "logs", "--processes", processes, term="xterm", COLUMNS="100")
    assert shown.code == 0
    assert re.search(r"[━╸╺].*100%.* 62 logs", shown.written)
    assert shown.written.rstrip("\r\n").endswith(("\x1b[2K", "\x1b[?25h"))
    assert "62 logs: 62 verified, " in shown.answer.splitlines()[-1]
    assert screened("replay", "logs", term="dumb").written == ""


def test_few_logs_need_no_bar(folder: Path) -> None:
    """They are told as they come."""
    shutil.rmtree(folder / "old")
    assert screened("replay", "logs", term="xterm").written == ""
