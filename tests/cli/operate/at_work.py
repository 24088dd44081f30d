"""Commands about a store in processes of their own, in the current folder."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from conductor_adapters.store.housekeeping import exported
from conductor_adapters.store.sqlite import SqliteStore

CONDUCTOR: Final = [
    sys.executable,
    "-c",
    "from conductor_adapters.cli.main import main; main()",
]
PATIENCE_S: Final = 50.0
STORE: Final = "flows.db"

ONE = """
flow: one
groups: [{key: g, steps: [{key: hello, run: echo hello}]}]
"""
ASKING = """
flow: asking
groups:
  - key: g
    steps:
      - {key: plan, run: "echo 3 to add", approval: true}
      - {key: apply, run: "echo applied", needs: [plan]}
"""
SLOW = """
flow: slow
groups:
  - key: g
    steps:
      - key: slow
        run: |
          echo $$ >> pids
          touch begun
          while [ ! -e go ]; do sleep 0.02; done
          echo done >> ran
      - {key: next, run: "echo next >> ran", needs: [slow]}
"""
WORK = """
flow: work
groups: [{key: g, steps: [{key: plan, work: plan-servers}]}]
"""


def conductor(
    *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `conductor` to its end on the store, with nobody at the keyboard."""
    environment = {**os.environ, "CONDUCTOR_STORE": STORE}
    return subprocess.run(
        [*CONDUCTOR, *arguments],
        check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=PATIENCE_S, env=environment if env is None else env,
    )  # fmt: skip


def started(flow: str, flow_id: str, *arguments: str) -> None:
    """Start a flow in the store."""
    Path("flow.yaml").write_text(flow)
    done = conductor("start", "flow.yaml", "--flow-id", flow_id, *arguments)
    assert done.returncode == 0, done.stderr


@contextmanager
def worker(*arguments: str, name: str = "worker") -> Generator[subprocess.Popen[bytes]]:
    """A worker of the store, which writes to `NAME.out` and `NAME.err`, and is killed at last."""
    environment = {**os.environ, "CONDUCTOR_STORE": STORE}
    with Path(f"{name}.out").open("wb") as out, Path(f"{name}.err").open("wb") as err:
        process = subprocess.Popen(
            [*CONDUCTOR, "worker", *arguments],
            stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ended(process: subprocess.Popen[bytes], *signals: signal.Signals) -> int:
    """Send signals to a worker, wait for its end and return its exit code."""
    for number in signals:
        process.send_signal(number)
    return process.wait(PATIENCE_S)


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, f"never: {what}"
        time.sleep(0.01)


def wait_for(path: str, text: str = "") -> None:
    """Wait until there is such a file, with such a text in it."""

    def holds() -> bool:
        return Path(path).exists() and text in Path(path).read_text("utf-8")

    wait_until(holds, f"{path} with {text!r}")


def lines(path: str) -> list[str]:
    """The lines of a file; none where there is no file."""
    return Path(path).read_text("utf-8").splitlines() if Path(path).exists() else []


def runs(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def flow_log(flow_id: str) -> list[Any]:
    """The lines of the log of a flow, decoded."""
    with SqliteStore(STORE, create=False) as store:
        return [json.loads(line) for line in exported(store, flow_id)]


def finished(flow_id: str) -> list[tuple[str, str]]:
    """The attempts of a flow that finished, and how."""
    found = [line["event"] for line in flow_log(flow_id) if "event" in line]
    return [(e["attempt"], e["outcome"]) for e in found if e["type"] == "step-finished"]


def workers() -> int:
    """How many workers the store knows."""
    with sqlite3.connect(STORE) as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM workers").fetchone()
    connection.close()
    return int(count)
