"""`conductor worker` ends: when it is told to, and when it is killed, while others go on."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.cli.operate.at_work import (
    SLOW,
    conductor,
    ended,
    finished,
    lines,
    runs,
    started,
    wait_for,
    wait_until,
    worker,
    workers,
)

OBEDIENT = """
flow: obedient
groups:
  - key: g
    steps:
      - key: serve
        run: |
          [ ! -e begun ] || { echo whole >> ran; exit; }
          trap 'exit 0' TERM
          touch begun
          while :; do sleep 0.02; done
"""
FRAGILE = """
flow: fragile
groups:
  - key: g
    steps:
      - key: migrate
        on_recovery: fail
        run: |
          echo $$ >> pids
          touch begun
          sleep 600 & wait
"""
LEASE = ("--lease", "0.5")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_first_signal_lets_running_work_end_and_takes_nothing_more() -> None:
    """What follows is done by others."""
    started(SLOW, "slow-1")
    with worker() as process:
        wait_for("begun")
        process.send_signal(signal.SIGTERM)
        wait_for("worker.out", "1 piece of work may end within 10 s")
        Path("go").touch()
        assert process.wait(50) == 0
    assert lines("ran") == ["done"]
    assert lines("worker.out")[-1] == "stopped"
    assert finished("slow-1") == [("slow#1", "succeeded")]
    assert conductor("worker", "--until-idle").returncode == 0
    assert lines("ran") == ["done", "next"]


def test_work_that_does_not_end_in_time_is_given_back_at_once() -> None:
    """That a server obeys SIGTERM with 0 is no success, and no lease must run out."""
    started(OBEDIENT, "o-1")
    with worker("--grace", "0.1", "--lease", "3600") as process:
        wait_for("begun")
        assert ended(process, signal.SIGTERM) == 0
    assert "1 piece of work given back" in lines("worker.out")[-1]
    assert finished("o-1") == []
    assert conductor("worker", "--until-idle").returncode == 0
    assert (lines("ran"), finished("o-1")) == (["whole"], [("serve#1", "succeeded")])


def test_the_second_signal_ends_a_worker_at_once() -> None:
    """And what it ran, though the grace is long."""
    started(SLOW, "slow-1")
    with worker("--grace", "3600") as process:
        wait_for("begun")
        process.send_signal(signal.SIGTERM)
        wait_for("worker.out", "may end within 3600 s")
        assert ended(process, signal.SIGTERM) == 0
    assert lines("worker.out")[-1] == "stopped at once; 1 piece of work given back"
    assert not runs(int(lines("pids")[0]))


def test_another_worker_takes_over_from_one_that_was_killed() -> None:
    """What the command of the dead one left running has ended before its own begins."""
    started(SLOW, "slow-1")
    with worker(*LEASE) as process:
        wait_for("begun")
        first = int(lines("pids")[0])
        assert ended(process, signal.SIGKILL) == -signal.SIGKILL
        assert runs(first)
    with worker(*LEASE, name="next") as process:
        wait_until(lambda: len(lines("pids")) == 2, "a second command")
        assert not runs(first)
        Path("go").touch()
        wait_for("next.out", "-> flow success")
        assert ended(process, signal.SIGTERM) == 0
    assert "slow#1 of flow slow-1 still ran and was ended" in lines("next.err")
    assert lines("ran") == ["done", "next"]


def test_a_worker_that_lives_ends_what_a_dead_one_left() -> None:
    """Though nobody begins that attempt again: it has failed as interrupted."""
    started(FRAGILE, "f-1")
    with worker(*LEASE) as process, worker(*LEASE, name="next") as other:
        wait_for("begun")
        wait_until(lambda: workers() == 2, "two workers")
        (process if _begins("worker") else other).kill()
        alive, name = (other, "next") if _begins("worker") else (process, "worker")
        wait_for(f"{name}.err", "migrate#1 of flow f-1 still ran and was ended")
        wait_until(lambda: finished("f-1"), "an answer")
        assert ended(alive, signal.SIGTERM) == 0
    assert finished("f-1") == [("migrate#1", "failed")]
    assert not runs(int(lines("pids")[0]))


def test_a_worker_that_is_held_up_keeps_others_from_its_commands() -> None:
    """Its lease is another's, but the command begins there only when it has ended here."""
    started(SLOW, "slow-1")
    with worker(*LEASE) as process, worker(*LEASE, name="next") as other:
        wait_for("begun")
        wait_until(lambda: workers() == 2, "two workers")
        sleeper, waiting, name = process, other, "next"
        if not _begins("worker"):
            sleeper, waiting, name = other, process, "worker"
        sleeper.send_signal(signal.SIGSTOP)
        wait_for(f"{name}.err", "slow#1 of flow slow-1 waits: another process of this machine")
        assert len(lines("pids")) == 1
        sleeper.send_signal(signal.SIGCONT)
        wait_until(lambda: len(lines("pids")) == 2, "a second command")
        assert not runs(int(lines("pids")[0]))
        Path("go").touch()
        wait_for(f"{name}.out", "-> flow success")
        assert ended(waiting, signal.SIGTERM) == 0
    assert lines("ran") == ["done", "next"]


def _begins(name: str) -> bool:
    """Whether it is this worker that began a step, and not the other."""
    wait_until(lambda: lines("worker.out") or lines("next.out"), "a step that began")
    return lines(f"{name}.out") != []
