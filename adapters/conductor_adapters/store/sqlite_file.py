"""Opening the file of a SQLite store: what it must be, and what is wrong where it is not.

Rule: whatever stands in the way is found before anything is written, and a file that is no
store of ours is left as it is. The file is for its owner alone.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, TypeAlias

from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.statements import OUTBOX_DUE, SCHEMA

Synchronous: TypeAlias = Literal["FULL", "NORMAL"]

APPLICATION: Final = 0x636F6E64
"""What SQLite keeps in the head of the file to say whose it is: `cond`."""
VERSION: Final = 2
"""The version of the schema: 2 knows what was sent to a broker."""
BUSY_S: Final = 30.0
"""How long a transaction waits for those of other processes."""
CHECKPOINT_PAGES: Final = 4_000
"""At so many pages, of 4 KiB each, the log before the file is carried over into it."""
POLL_S: Final = 0.01
OWNER_ONLY: Final = 0o600
MOUNTS: Final = Path("/proc/self/mounts")
NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs"}
)
"""File systems whose locks and shared memory SQLite cannot rely on."""


def _know_what_was_sent(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE outbox ADD COLUMN sent_ms BIGINT NOT NULL DEFAULT 0")
    connection.execute(OUTBOX_DUE)


MIGRATIONS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (_know_what_was_sent,)
"""What takes a store from each version to the next, from version 1 on."""


def opened(path: Path, *, synchronous: Synchronous, create: bool) -> sqlite3.Connection:
    """A connection to a store, which is made where there is none; raises StoreError."""
    # The file itself, not a link to it; and of a path that is absolute SQLite takes nothing for
    # a name of its own.
    path = path.resolve()
    _check_place(path, create=create)
    if create:
        _make_file(path)
    try:
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from None
    try:
        _prepare(connection, path, synchronous)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"{path}: {_told(error)}") from None
    except OSError as error:
        connection.close()
        raise StoreError(f"{path}: {error.strerror}") from None
    except StoreError:
        connection.close()
        raise
    return connection


def _check_place(path: Path, *, create: bool) -> None:
    """Refuse what cannot be a store before SQLite makes files beside it."""
    if path.is_dir():
        raise StoreError(f"{path}: it is a directory")
    if not path.exists():
        if not create:
            raise StoreError(f"{path}: there is no such store")
        if not path.parent.is_dir():
            raise StoreError(f"{path}: there is no directory {str(path.parent)!r}")
    kind = file_system_of(path.parent)
    if kind in NETWORK:
        raise StoreError(
            f"{path}: it lies on a network file system ({kind}), where the locks of SQLite are "
            "not reliable; use a local disk"
        )


def file_system_of(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """The kind of the file system of a folder, where the system tells it."""
    try:
        rows = [line.split(" ") for line in mounts.read_text("utf-8").splitlines()]
    except OSError:
        return None
    place = str(folder.resolve())
    found = {_unescaped(row[1]): row[2] for row in rows if len(row) > 2}
    above = [mount for mount in found if f"{place}/".startswith(f"{mount.rstrip('/')}/")]
    return found[max(above, key=len)] if above else None


def _unescaped(name: str) -> str:
    """A mount point, in whose name spaces and the like stand as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), name)


def _make_file(path: Path) -> None:
    """Make an empty file that its owner alone may read, unless there is one."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY))
    except FileExistsError:
        pass
    except OSError as error:
        raise StoreError(f"{path}: it cannot be made: {error.strerror}") from None


def _prepare(connection: sqlite3.Connection, path: Path, synchronous: Synchronous) -> None:
    """Check whose file it is, and set up what holds for one connection."""
    if not os.access(path, os.W_OK):
        raise StoreError(f"{path}: it may not be written")
    connection.execute("PRAGMA trusted_schema = OFF")
    application, version = _marks(connection)
    if application != APPLICATION:
        # Another process may be about to set it up: that is decided with the file held.
        _set_up(connection, path)
    else:
        _check_marks(path, application, version)
        _migrate(connection, version)
    if _write_ahead(connection) != "wal":
        raise StoreError(f"{path}: its file system does not allow a write-ahead log (WAL)")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")


def _write_ahead(connection: sqlite3.Connection) -> str:
    """Switch to a write-ahead log, for which SQLite does not wait by itself; the mode then."""
    patience_s = time.monotonic() + BUSY_S
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > patience_s:
                raise
            time.sleep(POLL_S)
        else:
            return str(mode)


def _marks(connection: sqlite3.Connection) -> tuple[int, int]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application, version


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _check_marks(path: Path, application: int, version: int) -> None:
    if application != APPLICATION:
        raise StoreError(f"{path}: it is a database of another product")
    if version < 1:
        raise StoreError(f"{path}: its schema has no version")
    if version > VERSION:
        raise StoreError(
            f"{path}: its schema has version {version}, this release knows up to {VERSION}"
        )


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new store, unless another process has just done so."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        application, version = _marks(connection)
        if (application, version) == (0, 0) and not _has_tables(connection):
            path.chmod(OWNER_ONLY)  # A file that was there and empty may be open to others.
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        else:
            _check_marks(path, application, version)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Take a store to this version, one step after the other, each wholly or not at all."""
    for number in range(version, VERSION):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _marks(connection)[1] == number:
                MIGRATIONS[number - 1](connection)
                connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _told(error: sqlite3.Error) -> str:
    """What SQLite says, in the words of whoever named the file."""
    if "not a database" in str(error):
        return "it is no database"
    return str(error)
