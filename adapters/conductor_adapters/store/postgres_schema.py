"""The tables of a store in a PostgreSQL database: set up once, and of which version they are.

Rule: all of it stands in a schema of its own, so that no name meets another product's; text is
compared byte by byte (`COLLATE "C"`), as SQLite does, whatever the database's language is. Who
works reads the version row first and so holds its table: a change of version waits for all
transactions that began before it, and those that begin after it see it.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import psycopg

from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.statements import NUMBER, SCHEMA, SERIAL

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

NAMESPACE: Final = "conductor"
VERSION: Final = 1
ENCODING: Final = "UTF8"
OLDEST: Final = 13
"""The oldest server that tells which transactions are under way as `postgres_growth` asks it."""
_SET_UP_LOCK: Final = 0x636F6E64
"""An advisory lock of ours: who sets a store up holds it."""
_VERSION_TABLE: Final = "CREATE TABLE version (number INTEGER NOT NULL)"

HOLD: Final = """
    CREATE FUNCTION hold(held TEXT) RETURNS BIGINT LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended(held, 1819240241));
        -- A statement of its own: it sees what was committed before the lock was granted.
        RETURN (SELECT number FROM conductor.entries
            WHERE flow_id = held ORDER BY seq DESC LIMIT 1);
    END $$"""
"""The number is ours, so that the lock is not one of another product's for the same text."""

SETTINGS: Final = (
    # Its rows come and go: what is dead is removed before it slows those down who look.
    """ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0)""",
    """ALTER TABLE timers SET (autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 2000)""",
)


def tables() -> tuple[str, ...]:
    """The tables of every store, as PostgreSQL says it."""
    own = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    return tuple(
        statement.replace(SERIAL, own).replace(NUMBER, own).replace(" TEXT", ' TEXT COLLATE "C"')
        for statement in SCHEMA
    )


def check_server(connection: Connection, name: str) -> None:
    """Refuse a server that is too old, and a database that cannot hold every text."""
    release = connection.info.server_version // 10_000
    if release < OLDEST:
        raise StoreError(f"{name}: it is PostgreSQL {release}, expected {OLDEST} or later")
    found = connection.info.parameter_status("server_encoding")
    if found != ENCODING:
        raise StoreError(f"{name}: the database has the encoding {found}, expected {ENCODING}")


def prepare(connection: Connection, name: str, *, create: bool) -> None:
    """See that the store is there and of this version, and set it up where it may be made."""
    check_server(connection, name)
    if _is_there(connection):
        return
    if not create:
        raise StoreError(f"{name}: there is no such store")
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_SET_UP_LOCK])
        if not _is_there(connection):
            _set_up(connection, name)


def _is_there(connection: Connection) -> bool:
    """Whether the schema is there, and ours."""
    found = connection.execute(
        "SELECT 1 FROM pg_class WHERE relname = 'version' AND relnamespace = "
        "(SELECT oid FROM pg_namespace WHERE nspname = %s)",
        [NAMESPACE],
    )
    return found.fetchone() is not None


def _set_up(connection: Connection, name: str) -> None:
    """Make the schema, or fill one that somebody made for us."""
    found = connection.execute(
        "SELECT 1 FROM pg_class WHERE relnamespace = "
        "(SELECT oid FROM pg_namespace WHERE nspname = %s) LIMIT 1",
        [NAMESPACE],
    )
    if found.fetchone() is not None:
        raise StoreError(f"{name}: its schema {NAMESPACE!r} is that of another product")
    known = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [NAMESPACE])
    # Who may not make a schema may fill one: so it is not asked for where it is there.
    if known.fetchone() is None:
        connection.execute(f"CREATE SCHEMA {NAMESPACE}".encode())
    connection.execute(f"SET LOCAL search_path = {NAMESPACE}, pg_temp".encode())
    for statement in (*tables(), _VERSION_TABLE, HOLD, *SETTINGS):
        connection.execute(statement.encode())
    connection.execute("INSERT INTO version VALUES (%s)", [VERSION])


def check_version(name: str, row: tuple[int] | None, *, opened: bool) -> None:
    """Refuse another version: one that was found at the opening, or one that came meanwhile."""
    if row is None:
        raise StoreError(f"{name}: its schema has no version")
    (version,) = row
    if version == VERSION:
        return
    if opened:
        raise StoreError(
            f"{name}: its schema has version {version} by now, and had {VERSION} when it was "
            "opened; open it anew, with the release that others use"
        )
    raise StoreError(f"{name}: its schema has version {version}, this release knows {VERSION}")
