"""`conductor run` is stopped: what its steps then do is no success of theirs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conductor_core.events import StepFinished
from conductor_core.log import Entry, read_log, replay

CONDUCTOR = [sys.executable, "-c", "from conductor_adapters.cli.main import main; main()"]
PATIENCE_S = 60.0

OBEDIENT = """
groups:
  - key: g
    steps:
      - key: migrate
        run: |
          [ ! -e begun ] || { echo whole; exit; }
          trap 'echo stopped; exit 0' TERM
          touch begun
          while :; do sleep 0.01; done
      - {key: deploy, run: "echo deployed"}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stopped(*options: str) -> int:
    """Begin the flow, send SIGTERM once its first step runs, and return the exit code."""
    Path("flow.yaml").write_text(OBEDIENT)
    command = [*CONDUCTOR, "run", "flow.yaml", "--log", "log.jsonl", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(Path("begun"))
            process.send_signal(signal.SIGTERM)
            return process.wait(PATIENCE_S)
        finally:
            process.kill()


def wait_for(path: Path) -> None:
    """Wait until there is such a file."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline_s, f"there is no {path}"
        time.sleep(0.01)


def outcomes() -> list[tuple[str, str]]:
    """How attempts ended, as the log tells it."""
    with Path("log.jsonl").open("rb") as file:
        facts = [line.event for line in read_log(file) if isinstance(line, Entry)]
    return [(fact.attempt, fact.outcome) for fact in facts if isinstance(fact, StepFinished)]


def test_a_step_that_obeys_the_stop_with_status_0_begins_again() -> None:
    """That a server exits with 0 on SIGTERM is not taken for its success when the run stops."""
    assert stopped("--grace", "0.1") == 1
    assert outcomes() == []
    resume = [*CONDUCTOR, "run", "--resume", "log.jsonl"]
    done = subprocess.run(
        resume, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "migrate#1 | whole" in done.stdout
    assert outcomes() == [("migrate#1", "succeeded"), ("deploy#1", "succeeded")]


def test_a_step_that_obeys_a_cancel_with_status_0_has_succeeded() -> None:
    """When the flow is cancelled, it is for the step to say whether its work is done."""
    assert stopped("--on-interrupt", "cancel") == 1
    assert outcomes() == [("migrate#1", "succeeded")]
    with Path("log.jsonl").open("rb") as file:
        assert replay(file).state.status == "cancelled"
