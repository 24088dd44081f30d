"""What a host that was killed left running: found, told apart, and ended."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from conductor_adapters.attempt_files import AttemptFiles
from conductor_adapters.group_records import read_record, recording
from conductor_adapters.leftovers import end_leftovers
from conductor_adapters.process_groups import end_group, members
from conductor_core.errors import ConductorError
from tests.adapters.processes import alive, carrying, play, runs, until

HOST = Path(__file__).with_name("killed_host.py")
TEST_MARK = "CONDUCTOR_TEST_MARK"
PROC = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@contextmanager
def sleeper(*command: str) -> Generator[subprocess.Popen[str]]:
    """A process group that is no business of any flow; it says that it is there."""
    with subprocess.Popen(
        command or ("/bin/sh", "-c", "echo; exec sleep 600"),
        start_new_session=True, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def host(log: Path, *options: str, commands: list[str]) -> Generator[subprocess.Popen[str]]:
    """A host that works for a log."""
    with subprocess.Popen(
        [sys.executable, HOST, *options, log, json.dumps(commands)],
        env={**os.environ, TEST_MARK: str(log)}, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "holds the log\n"
            yield process
        finally:
            process.kill()


@contextmanager
def held(log: Path) -> Generator[AttemptFiles]:
    """Whoever has the lock of a log, and the files beside it."""
    with log.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield AttemptFiles(log.with_suffix(".files"), file.fileno())


def record(folder: Path, text: str, *, age_s: float = 0) -> AttemptFiles:
    """The files of an attempt whose record is this text, written some time ago."""
    files = AttemptFiles(folder)
    files.record_of("a#1").write_text(text)
    written_s = time.time() - age_s
    os.utime(files.record_of("a#1"), (written_s, written_s))
    return files


def record_of_an_ended_group(folder: Path) -> str:
    """What a group wrote that has ended; no other began in the same tick of the system."""
    subprocess.run(recording("sleep 0.05", folder / "ended", "conductor-x"), check=True)
    return (folder / "ended").read_text()


def record_of(process: subprocess.Popen[str], mark: str = "conductor-x") -> str:
    """What the first process of a group would have written."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{process.pid} {mark} {boot} {Path(f'/proc/{process.pid}/stat').read_text()}"


# --- a killed host ---


def test_everything_that_a_killed_host_ran_is_ended(tmp_path: Path) -> None:
    """Children, those whose shell has gone, who ignores SIGTERM, who is stopped: all of them."""
    log, ready = tmp_path / "log.jsonl", tmp_path / "ready"
    ready.mkdir()
    commands = [
        f"sleep 600 & sleep 600 & touch {ready}/a; wait",
        f"trap '' TERM; touch {ready}/b; while :; do sleep 600; done",
        f"(trap '' TERM; touch {ready}/c; sleep 600) & until [ -e {ready}/c ]; do sleep 0.01; done",
        f"touch {ready}/d; kill -STOP $$",
        f"touch {ready}/e; exec env -i sleep 600",
        f"touch {ready}/f; exit 3",
    ]

    async def script() -> tuple[str, ...]:
        with host(log, commands=commands) as killed:
            ended_step = AttemptFiles(log.with_suffix(".files")).record_of("f#1")
            await until(lambda: len(list(ready.iterdir())) == len(commands))
            await until(lambda: not ended_step.exists())
            killed.kill()
            killed.wait()
            assert carrying(TEST_MARK, str(log))
            with held(log) as files:
                groups = [int(path.read_text().split()[0]) for _, path in files.records()]
                ended = await end_leftovers(files, grace_s=0.2)
                assert not any(map(members, groups))
                assert (files.records(), files.left_folders()) == ((), ())
                assert await end_leftovers(files) == ()
        return ended

    with sleeper() as unrelated:
        assert play(script()) == ("a#1", "b#1", "c#1", "d#1", "e#1")
        assert carrying(TEST_MARK, str(log)) == []
        assert runs(unrelated.pid)


def test_leftovers_may_clean_up(tmp_path: Path) -> None:
    """What is left gets SIGTERM first, and the time to heed it."""
    log, ready, cleaned = (tmp_path / name for name in ("log.jsonl", "ready", "cleaned"))
    trap = f"trap 'sleep 0.2; touch {cleaned}; exit' TERM"
    # Whatever is left over has nobody to print to, which would be its end.
    command = f"exec >/dev/null 2>&1; {trap}; touch {ready}; while :; do sleep 0.01; done"

    async def script() -> None:
        with host(log, commands=[command]) as killed:
            await until(ready.exists)
            killed.kill()
            with held(log) as files:
                assert await end_leftovers(files, grace_s=60) == ("a#1",)

    play(script())
    assert cleaned.exists()


def test_the_log_is_locked_until_the_record_is_written(tmp_path: Path) -> None:
    """A command that a killed host was about to begin keeps the log locked until it is known."""
    log, begun = tmp_path / "log.jsonl", tmp_path / "begun"
    files = AttemptFiles(log.with_suffix(".files"))
    files.make_folder()
    # Whoever writes there waits for a reader.
    os.mkfifo(files.record_of("a#1"))

    def shells() -> list[int]:
        return [pid for pid in carrying(TEST_MARK, str(log)) if pid != killed.pid]

    with host(log, commands=[f"touch {begun}"]) as killed:
        play(until(shells))
        killed.kill()
        killed.wait()
        (shell,) = shells()
        with log.open("a") as file:
            with pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            assert not begun.exists()
            assert files.record_of("a#1").read_text().startswith(f"{shell} conductor-")
            fcntl.flock(file, fcntl.LOCK_EX)
        play(until(begun.exists))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(30))
def test_no_command_runs_without_a_record(tmp_path: Path, seed: int) -> None:
    """Whenever a host is killed, whoever then has the lock finds all that runs on record."""
    log, moment_s = tmp_path / "log.jsonl", random.Random(seed).uniform(0, 0.05)
    commands = ["sleep 600 & exec sleep 0.00$(($$ % 10))"] * 4

    async def script() -> None:
        with host(log, "--again", commands=commands) as killed:
            time.sleep(moment_s)
            killed.kill()
            with held(log) as files:
                running = carrying(TEST_MARK, str(log))
                on_record = {read_record(path) for _, path in files.records()}
                groups = {record.group for record in on_record if record is not None}
                for pid in running:
                    assert os.getpgid(pid) in groups or not runs(pid)
                await end_leftovers(files, grace_s=5)
                assert carrying(TEST_MARK, str(log)) == []
                assert (files.records(), files.left_folders()) == ((), ())

    play(script())


# --- whose group it is ---


@PROC
def test_a_number_that_is_used_again_is_left_alone(tmp_path: Path) -> None:
    """A group whose first process began at another time is not the recorded one."""
    old = record_of_an_ended_group(tmp_path)
    with sleeper() as unrelated:
        reused = old.replace(old.split()[0], str(unrelated.pid), 1)
        files = record(tmp_path, reused)
        assert play(end_leftovers(files)) == ()
        assert runs(unrelated.pid)
        assert files.records() == ()


@PROC
@pytest.mark.parametrize("command", ["echo; exec sleep 600", "sleep 600 & echo"])
def test_a_group_of_an_earlier_boot_is_left_alone(tmp_path: Path, command: str) -> None:
    """After a reboot everything may look the same, with a first process or without one."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with sleeper("/bin/sh", "-c", command) as unrelated:
        files = record(tmp_path, record_of(unrelated).replace(boot, "another"))
        if command.endswith("echo"):
            unrelated.wait()
        assert play(end_leftovers(files)) == ()
        assert members(unrelated.pid)
        assert files.records() == ()


@pytest.mark.parametrize(("age_s", "is_ours"), [(3600, False), (0, True)])
def test_where_there_are_no_ticks_the_time_tells(
    tmp_path: Path, age_s: float, is_ours: bool
) -> None:
    """Without /proc, a first process that is younger than the record is another one."""
    with sleeper() as process:
        files = record(tmp_path, f"{process.pid} conductor-x  \n", age_s=age_s)
        assert play(end_leftovers(files)) == (("a#1",) if is_ours else ())
        assert runs(process.pid) is not is_ours


def test_a_group_without_its_first_process_is_told_by_its_mark(tmp_path: Path) -> None:
    """Children of a shell that is gone carry the mark of its dispatch."""
    mark = "CONDUCTOR_RESULT=/tmp/conductor-x/result.json"
    with sleeper("env", mark, "/bin/sh", "-c", "sleep 600 & echo; exit 0") as process:
        process.wait()
        files = record(tmp_path, f"{process.pid} conductor-x  \n", age_s=3600)
        assert play(end_leftovers(files)) == ("a#1",)
        assert members(process.pid) == []


def test_a_group_of_which_nothing_tells_is_left_to_people(tmp_path: Path) -> None:
    """Where there is neither the first process nor a mark, nothing is ended or begun."""
    with sleeper("/bin/sh", "-c", "sleep 600 & echo; exit 0") as process:
        process.wait()
        files = record(tmp_path, record_of_an_ended_group(tmp_path))
        path = files.record_of("a#1")
        path.write_text(path.read_text().replace(path.read_text().split()[0], str(process.pid), 1))
        with pytest.raises(ConductorError) as told:
            play(end_leftovers(files))
        assert str(told.value) == (
            f"{path}: whether process group {process.pid} is the recorded one cannot be told: "
            "end it if it is, and delete the record"
        )
        assert members(process.pid)
        assert path.exists()


@PROC
def test_the_group_of_the_next_host_is_not_ended(tmp_path: Path) -> None:
    """A command that was left over and resumes its own flow is told so, and goes on."""
    script = (
        "import asyncio, sys; from pathlib import Path;"
        "from conductor_adapters.leftovers import end_leftovers;"
        "from conductor_adapters.attempt_files import AttemptFiles;"
        "asyncio.run(end_leftovers(AttemptFiles(Path(sys.argv[1]))))"
    )
    files = AttemptFiles(tmp_path)
    line = f"exec {sys.executable} -c '{script}' {tmp_path}"
    done = subprocess.run(
        recording(line, files.record_of("a#1"), "conductor-x"),
        start_new_session=True, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "is where this command itself runs" in done.stderr


# --- the files of an attempt ---


def test_names_of_files_differ_also_where_case_is_ignored() -> None:
    """Two attempts never share a file, and which attempt a file belongs to can be told."""
    files = AttemptFiles(Path("files"))
    attempts = ["ab.c#1", "Ab.c#1", "aB.c#1", "AB.c#1", "AB.C#1", "ab.c#12", "AB.c#12"]
    for path_of in (files.output_of, files.record_of):
        assert len({path_of(attempt).name.lower() for attempt in attempts}) == len(attempts)
    assert files.output_of("ab.c#1").name == "ab.c#1.txt"
    assert files.output_of("aB.C#1").name == "aB.C#1~a.txt"


def test_what_is_left_of_a_step_with_capitals_is_ended(tmp_path: Path) -> None:
    """The name of a record says which attempt it is of."""
    files = AttemptFiles(tmp_path)
    with sleeper() as process:
        files.record_of("buildImage#1").write_text(f"{process.pid} conductor-x  \n")
        assert play(end_leftovers(files)) == ("buildImage#1",)
        assert not runs(process.pid)


# --- records ---


@pytest.mark.parametrize("text", ["", "4711", "1 conductor-x"])
def test_a_record_without_its_end_stands_for_nothing(tmp_path: Path, text: str) -> None:
    """A command begins only when its record is whole."""
    files = record(tmp_path, text)
    assert play(end_leftovers(files)) == ()
    assert files.records() == ()


@pytest.mark.parametrize(
    "text", ["\n", "nonsense\n", "0 conductor-x  \n", "1 conductor-x  \n", "5 x boot no stat\n"]
)
def test_a_record_that_no_host_wrote_is_an_error(tmp_path: Path, text: str) -> None:
    """What it stood for may still run, so that nothing is done, and it stays."""
    files = record(tmp_path, text)
    with pytest.raises(ConductorError) as told:
        play(end_leftovers(files))
    assert str(told.value) == (
        f"{files.record_of('a#1')}: expected the record of a process group, got {text!r}"
    )
    assert files.record_of("a#1").exists()


def test_a_record_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Whatever keeps records from being read keeps the flow from going on."""
    files = AttemptFiles(tmp_path)
    files.record_of("a#1").mkdir()
    with pytest.raises(ConductorError, match=r"a#1\.group: Is a directory$"):
        play(end_leftovers(files))


def test_without_a_folder_nothing_is_left(tmp_path: Path) -> None:
    """A log whose flow never ran a command has no folder."""
    assert play(end_leftovers(AttemptFiles(tmp_path / "none"))) == ()


def test_a_record_is_written_where_there_is_no_proc(tmp_path: Path) -> None:
    """A record without ticks is one line too, and says nothing on the standard error."""
    path = tmp_path / "a#1.group"
    shell, option, script, *rest = recording("echo done", path, "conductor-x")
    done = subprocess.run(
        [shell, option, script.replace("/proc/", "/none/"), *rest],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("done\n", "")
    told = read_record(path.with_name("a#1.group"))
    assert told is not None
    assert (told.mark, told.boot, told.ticks) == ("conductor-x", None, None)


# --- process groups ---


def test_a_zombie_does_not_hold_the_end_up(tmp_path: Path) -> None:
    """A process that has ended and that nobody reaps is no member of its group."""
    with sleeper() as process:
        began = time.monotonic()
        # Nobody waits for the process, which is a zombie from its end on.
        assert play(end_group(process.pid, grace_s=30))
        assert time.monotonic() - began < 10
        assert process.returncode is None
        assert members(process.pid) == []


def test_a_process_whose_first_thread_has_ended_runs(tmp_path: Path) -> None:
    """A process may look like a zombie while its other threads work on."""
    pid = tmp_path / "pid"
    script = (
        "import ctypes, os, threading, time;"
        "threading.Thread(target=time.sleep, args=(600,)).start();"
        f"open({str(pid)!r}, 'w').write(str(os.getpid()));"
        "print(flush=True);"
        "ctypes.CDLL(None).pthread_exit(None)"
    )
    with sleeper(sys.executable, "-c", script) as process:
        play(until(lambda: not alive(pid)))
        assert [member.pid for member in members(process.pid)] == [process.pid]
        assert play(end_group(process.pid, grace_s=0.1))


def test_a_process_that_begins_another_and_ends_is_not_overlooked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever looks while a process hands over to another finds one of them."""
    handing_over = "trap 'sleep 600 & exit' USR1; echo; while :; do sleep 0.01; done"
    list_pids = psutil.pids
    with sleeper("/bin/sh", "-c", handing_over) as process:

        def handed_over_after_listing() -> list[int]:
            pids = list_pids()
            process.send_signal(signal.SIGUSR1)
            process.wait()
            return pids

        monkeypatch.setattr(psutil, "pids", handed_over_after_listing)
        (left,) = members(process.pid)
        assert left.pid != process.pid
