"""Whatever fails, and wherever a process dies, an entry and its orders are kept or they are not."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from conductor_adapters.store import Ledger, StoreError
from conductor_adapters.store.sqlite import SqliteStore
from conductor_core import StepSpec, events
from conductor_core.log import replay
from conductor_core.testing.brief import flow, group

SPEC: Final = flow(group("g", "a", "b", parallel=True), group("h", "c"))
ROOT: Final = Path(__file__).parents[2]
STATEMENTS: Final = 8
"""So many statements the append of the scenario has, its begin and commit included."""


class Failing:
    """A connection that does something else in place of one of its statements."""

    def __init__(self, connection: sqlite3.Connection, number: int, instead: Any) -> None:
        self._connection = connection
        self._left = number
        self._instead = instead

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Execute a statement, or not."""
        self._left -= 1
        if self._left == 0:
            self._instead()
        return self._connection.execute(statement, parameters)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def fail() -> None:
    """Fail as SQLite does when the disk does."""
    raise sqlite3.OperationalError("disk I/O error")


def die() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def with_failure(store: SqliteStore, number: int, instead: Any) -> None:
    """Let one of the statements that follow go wrong."""
    store.connection = Failing(store.connection, number, instead)  # type: ignore[assignment]


def begun(path: Path) -> SqliteStore:
    """A store with a flow whose two first steps run."""
    store = SqliteStore(path, synchronous="NORMAL")
    ledger = Ledger.begun(store, SPEC, "f", at_ms=1)
    ledger.feed([events.FlowStarted], now_ms=1)
    return store


def ends() -> list[Any]:
    """The end of both steps, which lets the next one be dispatched."""
    return [
        partial(events.StepFinished, attempt=attempt, outcome="succeeded")
        for attempt in ("a#1", "b#1")
    ]


def kept(path: Path) -> tuple[int, list[str]]:
    """How many entries a store has, and which orders; its log is whole."""
    with SqliteStore(path, synchronous="NORMAL", create=False) as store:
        replayed = replay(store.lines("f"), flow_id="f")
        ledger = Ledger(store, "f")
        assert (replayed.state, replayed.entries) == (ledger.state, ledger.seq)
        queues = [f"step:{key}" for key in "abc"]
        orders = store.lease("me", queues=queues, now_ms=0, until_ms=1, limit=9)
        return ledger.seq, [order.name for order in orders]


BEFORE: Final = (1, ["a#1", "b#1"])
AFTER: Final = (3, ["c#1"])


@pytest.mark.parametrize("number", range(1, STATEMENTS + 1))
def test_what_fails_has_not_happened(tmp_path: Path, number: int) -> None:
    """At whatever statement of an append; the ledger goes on from where it was."""
    path = tmp_path / "flows.db"
    store = begun(path)
    ledger = Ledger(store, "f")
    with_failure(store, number, fail)
    with pytest.raises(StoreError, match=r"flows\.db: disk I/O error$"):
        ledger.feed(ends(), now_ms=2)
    assert ledger.seq == 1
    assert kept(path) == BEFORE
    ledger.feed(ends(), now_ms=2)
    assert kept(path) == AFTER


def test_an_append_has_no_more_statements(tmp_path: Path) -> None:
    """So that a failure at each of them was tried."""
    store = begun(tmp_path / "flows.db")
    ledger = Ledger(store, "f")
    with_failure(store, STATEMENTS + 1, fail)
    ledger.feed(ends(), now_ms=2)


CHILD: Final = """
import sys
from pathlib import Path
from conductor_adapters.store import Ledger
from conductor_adapters.store.sqlite import SqliteStore
from tests.adapters.test_store_faults import die, ends, with_failure

store = SqliteStore(Path(sys.argv[1]), synchronous="NORMAL", create=False)
ledger = Ledger(store, "f")
with_failure(store, int(sys.argv[2]), die)
ledger.feed(ends(), now_ms=2)
"""


@pytest.mark.parametrize("number", range(1, STATEMENTS + 1))
def test_a_process_that_dies_leaves_all_or_nothing(tmp_path: Path, number: int) -> None:
    """At whatever statement of an append."""
    path = tmp_path / "flows.db"
    begun(path).close()
    child = subprocess.run([sys.executable, "-c", CHILD, path, str(number)], cwd=ROOT, check=False)
    assert child.returncode == -signal.SIGKILL
    assert kept(path) == BEFORE


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """What does not fit did not happen, and what was there can still be read."""
    path = tmp_path / "flows.db"
    store = begun(path)
    ledger = Ledger(store, "f")
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    store.connection.execute(f"PRAGMA max_page_count = {pages}")
    large = partial(events.StepFinished, attempt="a#1", outcome="succeeded", output="x" * 100_000)
    with pytest.raises(StoreError, match=r"flows\.db: database or disk is full$"):
        ledger.feed([large], now_ms=2)
    assert kept(path) == BEFORE
    store.connection.execute("PRAGMA max_page_count = 1000000")
    ledger.feed([large], now_ms=2)
    assert kept(path)[0] == 2


# --- several processes ---

APPENDING: Final = """
import sys
from functools import partial
from pathlib import Path
from conductor_adapters.store import Ledger
from conductor_adapters.store.sqlite import SqliteStore
from conductor_core import events

store = SqliteStore(Path(sys.argv[1]), synchronous="NORMAL", create=False)
ledger = Ledger(store, "f")
for number in range(25):
    kind = (events.PauseRequested, events.ResumeRequested)[number % 2]
    request_id = f"{sys.argv[2]}-{number}"
    ledger.feed([partial(kind, by=sys.argv[2], request_id=request_id)], now_ms=number)
"""


def test_processes_append_one_after_the_other(tmp_path: Path) -> None:
    """Every request of four processes stands in the log once, and the log replays."""
    path = tmp_path / "flows.db"
    begun(path).close()
    run_together(APPENDING, path)
    with SqliteStore(path, create=False) as store:
        lines = list(store.lines("f"))
        replayed = replay(lines, flow_id="f")
        assert replayed.state == Ledger(store, "f").state
    said = [json.loads(line)["event"].get("request_id") for line in lines if '"seq"' in line]
    assert sorted(filter(None, said)) == sorted(f"{p}-{n}" for p in range(4) for n in range(25))


LEASING: Final = """
import sys
from pathlib import Path
from conductor_adapters.store.sqlite import SqliteStore

store = SqliteStore(Path(sys.argv[1]), synchronous="NORMAL", create=False)
while orders := store.lease(sys.argv[2], queues=["step:w"], now_ms=0, until_ms=9, limit=3):
    print(*(order.name for order in orders), sep="\\n")
"""


def test_no_order_is_taken_twice(tmp_path: Path) -> None:
    """By four processes that take what they get while leases hold."""
    path = tmp_path / "flows.db"
    steps = [f"s{number}" for number in range(200)]
    with SqliteStore(path, synchronous="NORMAL") as store:
        spec = flow(group("g", *(StepSpec(key=key, work="w") for key in steps), parallel=True))
        Ledger.begun(store, spec, "f", at_ms=1).feed([events.FlowStarted], now_ms=1)
    taken = [name for told in run_together(LEASING, path) for name in told.split()]
    assert sorted(taken) == sorted(f"{key}#1" for key in steps)


def run_together(program: str, path: Path) -> list[str]:
    """Run a program in four processes, each with a name of its own; what they print."""
    command = [sys.executable, "-c", program, str(path)]
    children = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    told = [child.communicate(timeout=50)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0, 0]
    return told


def test_a_store_is_not_taken_into_a_fork(tmp_path: Path) -> None:
    """Two processes on one connection would ruin the file."""
    store = begun(tmp_path / "flows.db")
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            store.version()
        except StoreError as error:
            os.write(tell, str(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(told, 1000).decode().endswith("it was opened in another process, before a fork")
    os.close(told)
    os.close(tell)
    assert store.version()
