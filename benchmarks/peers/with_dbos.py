"""DBOS: a workflow whose steps and messages are recorded in its SQLite database.

A step is a function whose result is stored before the workflow goes on; an approval is a
message that the workflow receives. SQLite is the database that needs no server; a larger one
is faster for many workflows at once, not for one. The approvals are sent before the clock
starts, so that no poll for them is timed: what a person sends, which ours is timed for, is
left out, and so is whatever the steps would do. What is timed is durable, as a log that was
written to a disk is, and ours in this table is not.
"""

from __future__ import annotations

import atexit
import tempfile
import threading
from pathlib import Path
from typing import Final

from dbos import DBOS, DBOSConfig, SetWorkflowID

from benchmarks.peers.peer import Peer
from benchmarks.rounds import Play
from benchmarks.workloads import APPROVAL_EVERY

_approved: Final = threading.Event()


@DBOS.step()
def _work(number: int) -> int:
    return number


@DBOS.workflow()
def _flow(steps: int) -> int:
    _approved.wait()
    done = 0
    for number in range(1, steps + 1):
        done += _work(number) > 0
        if number % APPROVAL_EVERY == 0 and DBOS.recv("approval") != "approve":
            raise AssertionError("not approved")
    return done


def prepare(steps: int) -> Play:
    """A workflow that has started, and all its approvals; its process ends it all."""
    folder = tempfile.TemporaryDirectory(prefix="bench-")
    database = Path(folder.name) / "bench.sqlite"
    config = DBOSConfig(
        name="bench", system_database_url=f"sqlite:///{database}", log_level="ERROR"
    )
    atexit.register(folder.cleanup)
    DBOS(config=config)
    DBOS.launch()
    atexit.register(DBOS.destroy)
    with SetWorkflowID("bench"):
        handle = DBOS.start_workflow(_flow, steps)
    for _ in range(steps // APPROVAL_EVERY):
        DBOS.send("bench", "approve", "approval")

    def play() -> None:
        _approved.set()
        done = handle.get_result()
        if done != steps:
            raise AssertionError(f"{done} of {steps} steps are done")

    return play


PEER: Final = Peer(
    name="dbos",
    does="durable workflow on SQLite, by the wall; the steps and receiving approvals",
    prepare=prepare,
    apart=True,
)
