"""The file of a SQLite store in the hands of one thread: transactions, and what goes wrong.

Rule: a connection belongs to the process and the thread that opened it, and each transaction
takes the right to write when it begins (`BEGIN IMMEDIATE`), so that nothing that was read in
it can have changed when it writes. What SQLite reports becomes a StoreError with the path, and
the transaction in which it happened has not happened.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.sqlite_file import BUSY_S, VERSION, Synchronous, opened
from conductor_core.errors import shown

_TROUBLE: Final = (sqlite3.Error, OverflowError)
"""What a statement may raise: also for a number that is too large."""

BUSY_ONCE_MS: Final = 5
"""So long SQLite itself waits for others, in ever longer steps of which the last is 2 ms."""


class SqliteConnection:
    """A file, opened by one thread of one process."""

    connections = 1

    def __init__(
        self, path: str | Path, *, synchronous: Synchronous = "FULL", create: bool = True
    ) -> None:
        self.path = Path(path)
        self.synchronous: Synchronous = synchronous
        self._turned_to: Synchronous = synchronous
        self._process = os.getpid()
        self.connection = opened(self.path, synchronous=synchronous, create=create)
        self.connection.execute(f"PRAGMA busy_timeout = {BUSY_ONCE_MS}")
        self._version = self._data_version()

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """Do everything within, for good when it ends, or else nothing."""
        self._turn_to(self.synchronous if durable else "NORMAL")
        return self._within("BEGIN IMMEDIATE")

    def _turn_to(self, synchronous: Synchronous) -> None:
        """Say whether commits wait for the disk; between transactions only."""
        if synchronous != self._turned_to:
            self._check_process()
            self.connection.execute(f"PRAGMA synchronous = {synchronous}")
            self._turned_to = synchronous

    def reading(self) -> AbstractContextManager[None]:
        """Read everything within as it is at one moment; nobody is held up, nothing written."""
        return self._within("BEGIN")

    @contextmanager
    def _within(self, begin: str) -> Generator[None]:
        self._check_process()
        try:
            self._begin(begin)
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        except UnicodeEncodeError as error:
            raise StoreError(f"{shown(error.object)} is no text that a store can hold") from error
        except _TROUBLE as error:
            raise StoreError(f"{self.path}: {error}") from error

    def _begin(self, begin: str) -> None:
        """Begin, once nobody else writes, and see that the file is still what it was.

        Left to itself SQLite would sleep ever longer, up to 100 ms, and who waits longest would
        wait longest of all.
        """
        patience_s = time.monotonic() + BUSY_S
        while True:
            try:
                self.connection.execute(begin)
                self._check_version()
            except sqlite3.OperationalError as error:
                self._roll_back()
                if "locked" not in str(error) or time.monotonic() > patience_s:
                    raise
            except BaseException:
                self._roll_back()
                raise
            else:
                return

    def _roll_back(self) -> None:
        # Where the disk was full SQLite may have rolled back by itself.
        if self.connection.in_transaction:
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")

    def changed(self) -> bool:
        """Whether other connections wrote since this was last asked."""
        self._check_process()
        try:
            version = self._data_version()
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from error
        changed, self._version = version != self._version, version
        return changed

    def _check_version(self) -> None:
        """Refuse a file that another release has brought to its own schema meanwhile."""
        (version,) = self._one("PRAGMA user_version")
        if version != VERSION:
            raise StoreError(
                f"{self.path}: its schema has version {version} by now, and had {VERSION} when "
                "it was opened; open it anew, with the release that others use"
            )

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise StoreError(f"{self.path}: it was opened in another process, before a fork")

    def close(self) -> None:
        """Let go of the file."""
        if os.getpid() == self._process:
            self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _data_version(self) -> int:
        (version,) = self.connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _do(self, statement: str, **values: object) -> int:
        """Change rows, and tell how many."""
        return self.connection.execute(statement, values).rowcount

    def _add(self, statement: str, **values: object) -> int | None:
        """Add a row that numbers itself, and tell its number; None where it was not added."""
        done = self.connection.execute(statement, values)
        return done.lastrowid if done.rowcount == 1 else None

    def _all(self, statement: str, **values: object) -> list[Any]:
        return self.connection.execute(statement, values).fetchall()

    def _one(self, statement: str, **values: object) -> Any:
        return self.connection.execute(statement, values).fetchone()

    def shrink(self) -> None:
        """Give back to the disk what is not used any more; nobody writes meanwhile."""
        self._check_process()
        try:
            self.connection.execute("VACUUM")
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from error
