"""A PostgreSQL database in the hands of one thread: transactions, and what goes wrong.

Rule: a connection belongs to the process and the thread that opened it. What the server
reports becomes a StoreError with the URL, without its password, and the transaction in which it
happened has not happened; only where the connection is lost while a transaction is about to end
nobody knows, and that is what is told. The next transaction opens another connection.

Everything that holds for a session is said by each transaction as it begins, in the same
message, and not when a connection is opened: so transactions may be spread over the connections
of a pooling proxy, and nothing of ours stays behind in those.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from typing import Any, Final, Self

import psycopg
from psycopg.pq import TransactionStatus

from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.postgres_link import connected, told
from conductor_adapters.store.postgres_schema import NAMESPACE, check_version, prepare
from conductor_adapters.store.postgres_url import without_password
from conductor_core.errors import shown

PATIENCE_MS: Final = 30_000
"""So long a transaction waits for those of others, as with SQLite."""
IDLE_MS: Final = 60_000
"""After so long in a transaction in which it asks nothing a client is taken for gone."""

# --- what a transaction begins with ---

_WRITE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
_WAIT: Final = "SET LOCAL synchronous_commit = on;"
_DO_NOT_WAIT: Final = "SET LOCAL synchronous_commit = off;"
_SETTINGS: Final = f"""
    SET LOCAL search_path = {NAMESPACE}, pg_temp;
    SET LOCAL lock_timeout = {PATIENCE_MS};
    SET LOCAL idle_in_transaction_session_timeout = {IDLE_MS};"""

_VERSION: Final = "SELECT number FROM conductor.version"
_LAST: Final = "SELECT number FROM conductor.entries ORDER BY number DESC LIMIT 1"


class PostgresConnection:
    """A database, opened by one thread of one process.

    `url` is what libpq takes, with whatever it says of TLS, of passwords and of several hosts.
    Behind a proxy that gives each transaction another connection it says `prepare=off`, unless
    that proxy knows prepared statements.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self.name = without_password(url)
        self.connections = 0
        self._url = url
        self._process = os.getpid()
        self._reads = False
        self._connect(create=create)
        self._number = self._last_number()

    # --- connections ---

    def _connect(self, *, create: bool) -> None:
        """Open a connection, and see that the store is there."""
        connection = connected(self._url)
        try:
            prepare(connection, self.name, create=create)
            found = connection.execute(_VERSION)
            check_version(self.name, found.fetchone(), opened=self.connections > 0)
            (waits,) = connection.execute("SHOW synchronous_commit").fetchone() or ("on",)
        except psycopg.Error as error:
            connection.close()
            raise StoreError(f"{self.name}: {told(error)}") from error
        except StoreError:
            connection.close()
            raise
        # Any other setting waits at least for the disk of the server.
        self._durable = _WRITE + (_WAIT if waits == "off" else "")
        self.connection = connection
        self._cursor = connection.cursor()
        self.connections += 1

    def _connect_anew(self) -> None:
        self.connection.close()
        self._connect(create=False)

    def _revive(self) -> None:
        if self.connection.closed:
            self._connect_anew()

    # --- transactions ---

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """Do everything within, for good when it ends, or else nothing.

        What is durable waits as `synchronous_commit` of the server says, of its role or of its
        database, but where that is `off` for the disk of the server, as with `on`.
        """
        return self._within(self._durable if durable else _WRITE + _DO_NOT_WAIT)

    def reading(self) -> AbstractContextManager[None]:
        """Read everything within as it is at one moment; nobody is held up, nothing written."""
        return self._within(_READ, reads=True)

    @contextmanager
    def _within(self, begin: str, *, reads: bool = False) -> Generator[None]:
        self._check_process()
        self._reads = reads
        try:
            try:
                self._begin((begin + _SETTINGS + _VERSION).encode())
                yield
                self._commit()
            except BaseException:
                self._roll_back()
                raise
        except UnicodeEncodeError as error:
            raise StoreError(f"{shown(error.object)} is no text that a store can hold") from error
        except psycopg.Error as error:
            raise StoreError(f"{self.name}: {told(error)}") from error

    def _begin(self, begin: bytes) -> None:
        """Begin, on another connection where this one is lost: nothing has happened yet."""
        self._revive()
        if not self._is_idle():
            # The server would warn, and take both for one.
            raise StoreError(f"{self.name}: a transaction is open already")
        try:
            self._cursor.execute(begin, prepare=False)
        except psycopg.OperationalError:
            if not self.connection.closed:
                raise
            self._connect_anew()
            self._cursor.execute(begin, prepare=False)
        while self._cursor.nextset():
            pass
        check_version(self.name, self._cursor.fetchone(), opened=True)

    def _commit(self) -> None:
        try:
            self._cursor.execute(b"COMMIT", prepare=False)
        except psycopg.OperationalError as error:
            if self.connection.closed and not self._reads:
                raise StoreError(
                    f"{self.name}: the connection was lost while a transaction was about to "
                    f"end, and nobody knows whether it is for good: {told(error)}"
                ) from error
            raise
        if self._cursor.statusmessage != "COMMIT":
            raise StoreError(f"{self.name}: the transaction was given up after an error in it")

    def _roll_back(self) -> None:
        """Undo what is open; a connection that cannot is let go of, and undone by the server."""
        if not self._is_idle():
            with suppress(psycopg.Error):
                self._cursor.execute(b"ROLLBACK", prepare=False)
            if not self._is_idle():
                self.connection.close()

    def _is_idle(self) -> bool:
        return self.connection.info.transaction_status is TransactionStatus.IDLE

    def changed(self) -> bool:
        """Whether entries were added since this was last asked, be it from here."""
        self._check_process()
        try:
            self._revive()
            number = self._last_number()
        except psycopg.Error as error:
            raise StoreError(f"{self.name}: {told(error)}") from error
        changed, self._number = number != self._number, number
        return changed

    def _last_number(self) -> int:
        found = self._cursor.execute(_LAST).fetchone()
        return 0 if found is None else int(found[0])

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise StoreError(f"{self.name}: it was opened in another process, before a fork")

    def close(self) -> None:
        """Let go of the database."""
        if os.getpid() == self._process:
            self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    # --- statements ---

    def _run(self, statement: bytes, values: dict[str, object]) -> psycopg.Cursor[Any]:
        try:
            return self._cursor.execute(statement, values)
        except psycopg.DataError as error:
            for value in values.values():
                if isinstance(value, str) and "\0" in value:
                    raise StoreError(f"{shown(value)} is no text that a store can hold") from error
            raise

    def _do(self, statement: str, **values: object) -> int:
        """Change rows, and tell how many."""
        return self._run(renamed(statement), values).rowcount

    def _add(self, statement: str, **values: object) -> int | None:
        """Add a row that numbers itself, and tell its number; None where it was not added."""
        row = self._run(renamed(statement, " RETURNING number"), values).fetchone()
        return None if row is None else int(row[0])

    def _all(self, statement: str, **values: object) -> list[Any]:
        return self._run(renamed(statement), values).fetchall()

    def _one(self, statement: str, **values: object) -> Any:
        return self._run(renamed(statement), values).fetchone()


_PARAMETER: Final = re.compile(r"'[^']*'|(?<!:):([a-z_]+)")


@cache
def renamed(statement: str, more: str = "") -> bytes:
    """A statement with its parameters named as psycopg does: `:name` becomes `%(name)s`.

    What stands in quotes stays, and so does the `::` of a cast.
    """

    def other(found: re.Match[str]) -> str:
        return found[0] if found[1] is None else f"%({found[1]})s"

    return (_PARAMETER.sub(other, statement.replace("%", "%%")) + more).encode()
