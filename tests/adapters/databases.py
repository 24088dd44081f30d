"""What the tests of PostgreSQL stores share: stores, flows in them, and the server's own view.

Rule: nothing of psycopg is imported before a test runs, so that those who lack it are told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from conductor_adapters.store.protocol import STEP, FlowRow, Order

if TYPE_CHECKING:
    from conductor_adapters.store.postgres import PostgresStore

PATIENCE_S = 30.0


@contextmanager
def opened(url: str, *, create: bool = True) -> Generator[PostgresStore]:
    """A store, until it is closed."""
    from conductor_adapters.store.postgres import PostgresStore  # noqa: PLC0415 - perhaps missing

    with PostgresStore(url, create=create) as store:
        yield store


def sql(url: str, statement: str) -> list[Any]:
    """What the server says to somebody else."""
    import psycopg  # noqa: PLC0415 - perhaps missing

    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return [] if done.description is None else done.fetchall()


def within(store: PostgresStore, statement: str) -> Any:
    """What the server says within the transaction that is open."""
    ((value,),) = store.connection.execute(statement.encode()).fetchall()
    return value


def add_flow(store: PostgresStore, flow_id: str = "f", *, began_ms: int = 1) -> int:
    """Begin a flow in a transaction of its own, and tell its place."""
    with store.transaction():
        return added(store, flow_id, began_ms=began_ms)


def added(store: PostgresStore, flow_id: str, *, began_ms: int = 1) -> int:
    """Begin a flow, and tell its place."""
    row = FlowRow(flow_id=flow_id, type="t", status="s", began_ms=began_ms, changed_ms=began_ms)
    return store.add_flow(row, "header\n")


def put(store: PostgresStore, *names: str, flow_id: str = "f") -> None:
    """Put orders of steps into the outbox, in a transaction of their own."""
    with store.transaction():
        for name in names:
            store.put_order(Order(flow_id=flow_id, kind=STEP, name=name, work="w"), None, at_ms=1)


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    give_up_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up_s, "it never held"
        time.sleep(0.005)


def end_sessions(url: str) -> None:
    """Have the server end the connections of everybody else to this database."""
    sql(
        url,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


class Meanwhile:
    """Something done in a thread, which is about to wait for a lock in the server."""

    def __init__(self, url: str, act: Callable[[], Any]) -> None:
        self._result: list[Any] = []
        self._error: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=[act])
        self._thread.start()
        until(lambda: self._error or sql(url, "SELECT 1 FROM pg_locks WHERE NOT granted"))

    def _run(self, act: Callable[[], Any]) -> None:
        try:
            self._result.append(act())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is asked for
            self._error.append(error)

    def result(self) -> Any:
        """What it came to, or the error that it raised."""
        self._thread.join(PATIENCE_S)
        if self._error:
            raise self._error[0]
        (result,) = self._result
        return result
