"""Statements of a store that fail, or kill the process that is about to execute them."""

from __future__ import annotations

import os
import signal
import sqlite3
from typing import Any

from conductor_adapters.store.sqlite import SqliteStore


class Failing:
    """A connection that does something else in place of one of its statements."""

    def __init__(self, connection: sqlite3.Connection, number: int, instead: Any) -> None:
        self.count = 0
        self._connection = connection
        self._number = number
        self._instead = instead

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Execute a statement, or not."""
        self.count += 1
        if self.count == self._number:
            self._instead()
        return self._connection.execute(statement, parameters)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection.in_transaction


def fail() -> None:
    """Fail as SQLite does when the disk does."""
    raise sqlite3.OperationalError("disk I/O error")


def die() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def with_failure(store: object, number: int, instead: Any) -> Failing:
    """Let one of the statements that follow go wrong, in a file."""
    assert isinstance(store, SqliteStore), "it is for files"
    failing = Failing(store.connection, number, instead)
    # It stands in for a connection, as far as a store uses one.
    store.connection = failing  # type: ignore[assignment]
    return failing
