"""One durable run in a process of its own, timed by the wall.

Rule: all runs of one comparison do the same on the same disk: a flow of steps that do nothing.
`host` is the SQLite host. `loop` writes what the host wrote, one transaction for each job, to a
new file, with nothing around it; `same` writes the very transactions of the host, in which jobs
that came together are one. `dbos` does the steps of one workflow.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from benchmarks.children import tell
from benchmarks.overhead import SHAPES, flow, nothing
from conductor_adapters.durable import DurableHost
from conductor_adapters.store.desk import Desk, Job
from conductor_adapters.store.sqlite import SqliteStore

Statement = tuple[str, Any]


class Recording:
    """A connection that remembers what it was told."""

    def __init__(self, connection: sqlite3.Connection, told: list[Statement]) -> None:
        self._connection = connection
        self._told = told

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Execute a statement and remember it."""
        self._told.append((statement, parameters))
        return self._connection.execute(statement, parameters)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection.in_transaction


async def by_host(open_store: Callable[[], SqliteStore], steps: int, limit: int | None) -> float:
    """Run a flow; returns how long that took, in seconds."""
    async with DurableHost({"nothing": nothing}, open_store=open_store) as host:
        begin = perf_counter()
        started = await host.start(flow(steps, limit), flow_id="bench")
        outcome = await started.wait()
        took_s = perf_counter() - begin
    assert outcome.status == "success"
    return took_s


def host(folder: Path, synchronous: Any, steps: int, limit: int | None) -> float:
    """Time the host."""
    path = folder / "flows.db"
    return asyncio.run(by_host(lambda: SqliteStore(path, synchronous=synchronous), steps, limit))


def recorded(folder: Path, steps: int, limit: int | None) -> list[Statement]:
    """What a host tells its store."""
    told: list[Statement] = []

    def open_store() -> SqliteStore:
        store = SqliteStore(folder / "recorded.db", synchronous="NORMAL")
        # It stands in for a connection, as far as a store uses one.
        store.connection = Recording(store.connection, told)  # type: ignore[assignment]
        return store

    asyncio.run(by_host(open_store, steps, limit))
    return told


def same(folder: Path, synchronous: Any, steps: int, limit: int | None) -> float:
    """Time the transactions of the host alone."""
    told = recorded(folder, steps, limit)
    with SqliteStore(folder / "bare.db", synchronous=synchronous) as store:
        execute = store.connection.execute
        begin = perf_counter()
        for statement, parameters in told:
            execute(statement, parameters).fetchall()
        return perf_counter() - begin


def loop(folder: Path, synchronous: Any, steps: int, limit: int | None) -> float:
    """Time what is written for the same jobs, each in a transaction of its own."""
    together = Desk.transact

    def one_by_one(desk: Desk, jobs: Sequence[Job]) -> None:
        for job in jobs:
            together(desk, [job])

    # For this process alone: what a transaction for each job would cost.
    Desk.transact = one_by_one  # type: ignore[method-assign,assignment]
    return same(folder, synchronous, steps, limit)


def dbos(folder: Path, synchronous: Any, steps: int, _limit: int | None) -> float:
    """Time the steps of one workflow of DBOS; raises ImportError where it is missing."""
    from dbos import DBOS, DBOSConfig, SetWorkflowID  # noqa: PLC0415 - slow, and perhaps missing
    from sqlalchemy import event  # noqa: PLC0415 - as above
    from sqlalchemy.engine import Engine  # noqa: PLC0415 - as above

    @event.listens_for(Engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA synchronous = {synchronous}")

    @DBOS.step()
    def work(number: int) -> int:
        return number

    @DBOS.workflow()
    def steps_of(count: int) -> int:
        return sum(work(number) >= 0 for number in range(count))

    url = f"sqlite:///{folder / 'dbos.sqlite'}"
    DBOS(config=DBOSConfig(name="bench", system_database_url=url, log_level="ERROR"))
    DBOS.launch()
    begin = perf_counter()
    with SetWorkflowID("bench"):
        handle = DBOS.start_workflow(steps_of, steps)
    done = handle.get_result()
    took_s = perf_counter() - begin
    DBOS.destroy()
    assert done == steps
    return took_s


RUNS: Final = {run.__name__: run for run in (host, loop, same, dbos)}


def main(run: str, synchronous: str, shape: str, steps: str) -> None:
    """Print how many steps a second a run did."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        took_s = RUNS[run](Path(folder), synchronous, int(steps), SHAPES[shape])
    tell(per_s=int(steps) / took_s)


if __name__ == "__main__":
    main(*sys.argv[1:])
