"""`conductor replay --follow` tells the entries of a log as they are appended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from conductor_adapters.cli import tail
from conductor_adapters.cli.replay_follow import told_moment
from conductor_adapters.cli.tail import Tail
from conductor_core.errors import ConductorError
from tests.cli.replaying import CONDUCTOR, run
from tests.debugger.recordings import RELEASE, large_lines

LOG: Final = Path("release.jsonl")
CONTENT: Final = RELEASE.read_bytes()
LINES: Final = CONTENT.splitlines(keepends=True)
LAST: Final = "replay: 16 entries verified; the flow is success\n"
PATIENCE_S: Final = 50
WRITER: Final = """
import sys, time
lines = open(sys.argv[1], "rb").readlines()
with open(sys.argv[2], "ab", buffering=0) as log:
    for line in lines:
        for part in (line[:7], line[7:]):
            log.write(part)
            time.sleep(0.02)
"""
"""Appends the lines of a log to another file, each in two parts."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty working folder; no process is left in it."""
    monkeypatch.chdir(tmp_path)
    yield
    while STARTED:
        process = STARTED.pop()
        process.kill()
        process.communicate()


STARTED: Final[list[subprocess.Popen[str]]] = []


def started(*command: str) -> subprocess.Popen[str]:
    """A process that is ended with the test."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    STARTED.append(process)
    return process


def following(*options: str) -> subprocess.Popen[str]:
    """The command, as it follows the log."""
    return started(*CONDUCTOR, "replay", "--follow", str(LOG), *options)


def next_line(process: subprocess.Popen[str]) -> str:
    """The next line that a command writes."""
    assert process.stdout is not None
    return process.stdout.readline()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The exit code of a command, and what else it wrote."""
    written, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, written, errors


def append(*lines: bytes) -> None:
    """Write at the end of the log."""
    with LOG.open("ab") as log:
        log.write(b"".join(lines))


# --- a log that ends ---


def test_a_closed_log_is_told_to_its_end() -> None:
    """Number, time, event, and what it set going; in the end what a replay says."""
    append(CONTENT)
    result = run("--follow", str(LOG))
    *entries, last = result.stdout.splitlines(keepends=True)
    assert entries[1] == "     2  2026-11-26 12:38:56.397  plan#1 runs\n"
    assert entries[15].endswith("  smoke#1 succeeded -> flow success\n")
    assert len(entries) == 16
    assert last == LAST
    assert result.stderr == ""


def test_what_a_writer_appends_is_told_when_it_is_there() -> None:
    """From before the file is there, over lines that are half written, to the end."""
    follower = following()
    assert follower.stderr is not None
    assert follower.stderr.readline() == f"{LOG}: it is not there yet; waiting for it\n"
    writer = started(sys.executable, "-c", WRITER, str(RELEASE), str(LOG))
    code, written, errors = ended(follower)
    assert (code, errors) == (0, "")
    assert written == run("--follow", str(LOG)).stdout
    assert ended(writer)[0] == 0


def test_an_entry_is_told_at_once() -> None:
    """And not before its line is whole."""
    append(*LINES[:2])
    follower = following()
    assert "flow started" in next_line(follower)
    append(LINES[2][:-1])
    time.sleep(0.3)
    append(LINES[2][-1:])
    assert "plan#1 runs" in next_line(follower)
    append(*LINES[3:])
    code, written, _ = ended(follower)
    assert code == 0
    assert written.endswith(LAST)


def test_a_half_written_line_may_be_taken_back() -> None:
    """As by a writer that goes on after a crash."""
    append(*LINES[:2], LINES[2][:20])
    follower = following()
    assert "flow started" in next_line(follower)
    os.truncate(LOG, len(LINES[0]) + len(LINES[1]))
    append(*LINES[2:])
    code, written, errors = ended(follower)
    assert (code, errors) == (0, "")
    assert written.endswith(LAST)


def test_programs_are_told_line_by_line() -> None:
    """Each entry as the log has it, and in the end what `--json` says of a log."""
    append(CONTENT)
    *entries, last = map(json.loads, run("--follow", str(LOG), "--json").stdout.splitlines())
    assert entries == [json.loads(line) for line in LINES[1:-1]]
    assert (last["file"], last["entries"], last["closed"]) == (str(LOG), 16, True)


def test_a_long_log_is_told_as_fast_as_it_is_verified() -> None:
    """All that is there already comes at once."""
    append(*large_lines())
    result = run("--follow", str(LOG))
    assert len(result.stdout.splitlines()) == 10_252
    assert result.stdout.endswith("replay: 10251 entries verified; the flow is success\n")


# --- a log that does not ---


def test_ctrl_c_ends_it() -> None:
    """With what was verified up to then."""
    append(*LINES[:4])
    follower = following()
    for _ in range(3):
        next_line(follower)
    time.sleep(2 * tail.IDLE_LOOKS * tail.LOOK_S)  # that it waits for people needs no explanation
    follower.send_signal(signal.SIGINT)
    code, written, errors = ended(follower)
    assert (code, errors) == (130, "")
    assert written == ("replay: 3 entries verified; not closed, the flow is approval-awaiting\n")


def test_why_the_log_of_a_flow_that_ended_goes_on_is_told() -> None:
    """Its host wrote no closing line, or will do so; that is waited for."""
    append(*LINES[:-1])
    follower = following()
    assert follower.stderr is not None
    told = "the flow is success, and its log is not closed; waiting for more of it"
    assert follower.stderr.readline() == f"{LOG}: {told}\n"
    append(LINES[-1])
    code, written, errors = ended(follower)
    assert (code, errors) == (0, "")
    assert written.endswith(LAST)


def test_ctrl_c_ends_the_wait_for_a_file() -> None:
    """There is nothing to say then."""
    follower = following()
    assert follower.stderr is not None
    follower.stderr.readline()
    follower.send_signal(signal.SIGINT)
    code, written, _ = ended(follower)
    assert (code, written) == (130, "")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_damaged_entry_ends_it(as_json: bool) -> None:
    """The entries before it were told."""
    append(*LINES[:3], LINES[4])
    options = ("--json",) if as_json else ()
    result = run("--follow", str(LOG), *options, code=2)
    assert result.stderr == f"{LOG}: line 4: seq is 4, expected 3\n"
    first, second, *rest = result.stdout.splitlines()
    assert "plan#1" in first
    assert "plan#1" in second
    if as_json:
        assert json.loads(rest[0])["error"]["line"] == 4
    else:
        assert rest == []


def removed() -> None:
    """The file is gone."""
    LOG.unlink()


def replaced() -> None:
    """There is another file of that name."""
    LOG.rename("old.jsonl")
    append(*LINES[:3])


def cut() -> None:
    """Lines that were there are no more."""
    os.truncate(LOG, len(LINES[0]))


@pytest.mark.parametrize(
    ("happens", "told"),
    [
        (removed, "it was removed while it was followed"),
        (replaced, "it was replaced by another file while it was followed"),
        (cut, f"it was cut to {len(LINES[0]):,} bytes, of which {{size:,}} had been read"),
    ],
)
def test_a_file_that_is_not_what_it_was_ends_it(happens: Callable[[], None], told: str) -> None:
    """What was told must still stand in it."""
    append(*LINES[:3])
    follower = following()
    for _ in range(2):
        next_line(follower)
    happens()
    code, written, errors = ended(follower)
    assert (code, written) == (2, "")
    assert errors == f"{LOG}: {told.format(size=sum(map(len, LINES[:3])))}\n"


def test_what_cannot_be_followed_is_refused() -> None:
    """A file can be waited for, but not its folder; a pipe ends otherwise."""
    assert run("--follow", "no/release.jsonl", code=2).stderr.startswith("no/release.jsonl: No ")
    os.mkfifo("pipe.jsonl")
    told = "pipe.jsonl: it is no regular file, so it cannot be followed\n"
    assert run("--follow", "pipe.jsonl", code=2).stderr == told
    Path("file").touch()
    assert run("--follow", "file/x.jsonl", code=2).stderr == "file/x.jsonl: Not a directory\n"


# --- lines ---


def test_a_line_that_is_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given as far as a line may go; whoever reads it refuses it."""
    monkeypatch.setattr(tail, "LONGEST_LINE", 10)
    LOG.write_bytes(b"x" * 25)
    lines = iter(Tail(LOG))
    assert next(lines) == b"x" * 11


def test_a_file_that_cannot_be_looked_at_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error, whatever the system says."""
    append(b"one\n")
    lines = iter(Tail(LOG))
    assert next(lines) == b"one\n"
    append(b"half")
    states = iter([PermissionError(13, "Permission denied")])

    def refuse(_path: Path, **_options: Any) -> os.stat_result:
        raise next(states)

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(ConductorError, match=r"^release\.jsonl: Permission denied$"):
        next(lines)


@pytest.mark.parametrize(
    ("at_ms", "told"),
    [
        (0, "1970-01-01 00:00:00.000"),
        (1_767_225_600_100, "2026-01-01 00:00:00.100"),
        (10**17, "100000000000000000 ms"),
    ],
)
def test_a_time_is_told_as_people_read_it(at_ms: int, told: str) -> None:
    """In UTC; what no calendar has stays a number."""
    assert told_moment(at_ms) == told
