"""What a database must be to hold a store, what is said where it is not, and what it keeps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from conductor_adapters.store import StoreError
from conductor_adapters.store.protocol import LATEST
from tests.adapters.databases import add_flow, opened, sql, within

ROOT: Final = Path(__file__).parents[2]


def wrong(url: str, *, create: bool = True) -> str:
    """What is wrong with a database, without its name."""
    with pytest.raises(StoreError) as caught, opened(url, create=create):
        pass
    return str(caught.value).removeprefix(f"{url}: ")


# --- setting up ---


def test_a_store_is_made_only_where_that_is_asked_for(url: str) -> None:
    """Whoever only looks for one changes nothing."""
    assert wrong(url, create=False) == "there is no such store"
    assert sql(url, "SELECT 1 FROM pg_namespace WHERE nspname = 'conductor'") == []
    with opened(url) as store, store.reading():
        assert store.flows(limit=1) == []
    with opened(url, create=False) as store, store.reading():
        assert store.flows(limit=1) == []


OPENING: Final = """
import sys
from conductor_adapters.store.postgres import PostgresStore

sys.stdin.read()
with PostgresStore(sys.argv[1]) as store, store.transaction():
    print(store.clock()[0], store.flows(limit=1))
"""


def test_of_those_who_set_up_at_once_one_does(url: str) -> None:
    """All of four processes have the same store then."""
    command = [sys.executable, "-c", OPENING, url]
    children = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
        child.stdin = None
    assert [child.communicate(timeout=50)[0] for child in children] == ["server []\n"] * 4
    assert [child.returncode for child in children] == [0] * 4
    assert sql(url, "SELECT number FROM conductor.version") == [(1,)]


def test_a_store_meets_nobody_s_tables(url: str) -> None:
    """Neither those of the database, nor those that the role finds first."""
    sql(url, "CREATE TABLE public.flows (mine INTEGER)")
    with opened(url) as store:
        add_flow(store)
        assert within(store, "SELECT COUNT(*) FROM public.flows") == 0
        assert within(store, "SHOW search_path") == '"$user", public'


def test_the_schema_of_another_product_is_left_alone(url: str) -> None:
    """It is told, and nothing is added to it."""
    sql(url, "CREATE SCHEMA conductor CREATE TABLE theirs (number INTEGER)")
    assert wrong(url) == "its schema 'conductor' is that of another product"
    assert wrong(url, create=False) == "there is no such store"


def test_a_schema_that_was_made_for_us_is_filled(url: str) -> None:
    """By a role that may make none, and that may open what is there."""
    user = url.replace("postgres@", "worker@")
    sql(url, "DROP ROLE IF EXISTS worker")
    sql(url, "CREATE ROLE worker LOGIN")
    try:
        assert wrong(user) == "permission denied for database " + url.rpartition("/")[2]
        sql(url, "CREATE SCHEMA conductor AUTHORIZATION worker")
        for _ in range(2):
            with opened(user) as store, store.reading():
                assert store.flows(limit=1) == []
    finally:
        sql(url, "DROP SCHEMA IF EXISTS conductor CASCADE; DROP ROLE worker")


def test_a_database_that_cannot_hold_every_text_is_refused(url: str) -> None:
    """Before anything is made in it."""
    other = f"{url}_latin"
    name = other.rpartition("/")[2]
    sql(
        url,
        f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    )
    assert wrong(other) == "the database has the encoding LATIN1, expected UTF8"
    assert sql(other, "SELECT 1 FROM pg_namespace WHERE nspname = 'conductor'") == []


def test_a_server_that_is_too_old_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As this one will be to a later release."""
    from conductor_adapters.store import postgres_schema  # noqa: PLC0415 - it needs psycopg

    monkeypatch.setattr(postgres_schema, "OLDEST", 99)
    assert re.fullmatch(r"it is PostgreSQL \d\d, expected 99 or later", wrong(url))


# --- versions ---


@pytest.mark.parametrize("version", [0, 2])
def test_another_version_is_refused(url: str, version: int) -> None:
    """Both versions are told."""
    with opened(url):
        pass
    sql(url, f"UPDATE conductor.version SET number = {version}")
    expected = f"its schema has version {version}, this release knows 1"
    assert wrong(url) == expected
    assert wrong(url, create=False) == expected


def test_a_schema_without_a_version_is_refused(url: str) -> None:
    """Nobody knows what it is."""
    with opened(url):
        pass
    sql(url, "DELETE FROM conductor.version")
    assert wrong(url) == "its schema has no version"


def test_a_version_that_changes_meanwhile_is_seen(url: str) -> None:
    """By the next transaction, which does nothing, whether it writes or reads."""
    with opened(url) as store:
        add_flow(store)
        sql(url, "UPDATE conductor.version SET number = 2")
        for transaction in (store.transaction, store.reading):
            refused = pytest.raises(StoreError, match="has version 2 by now, and had 1 when")
            with refused, transaction():
                raise AssertionError("it began")
        sql(url, "UPDATE conductor.version SET number = 1")
        with store.reading():
            assert store.flow("f") is not None


def test_a_change_of_version_waits_for_those_who_work(url: str) -> None:
    """Who has begun holds the version until the end."""
    change = "SET lock_timeout = 50; LOCK TABLE conductor.version IN ACCESS EXCLUSIVE MODE"
    refused = pytest.raises(Exception, match="lock timeout")
    with opened(url) as store, store.transaction(), refused:
        sql(url, f"BEGIN; {change}; COMMIT")


# --- what is told of errors ---


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@127.0.0.1:1/flows",
        "postgresql://127.0.0.1:1/flows?user=ann&password=s3cret",
        "postgresql://ann:s3cret@127.0.0.1:port/flows",
        "postgresql://ann:s3cret%zz@127.0.0.1/flows",
        "postgresql://ann:s3cret@127.0.0.1/flows?nothing=1",
        "postgresql://ann:s3cret@127.0.0.1/flows?prepare=maybe",
        "postgresql://ann:s3cret@127.0.0.1:1/flows?prepare=off",
        "postgresql://ann:s3cret@127.0.0.1:1/\udcff",
    ],
)
def test_no_password_is_told(url: str) -> None:
    """Whether the server is not there, or the URL is none."""
    told = wrong(url)
    assert "s3cret" not in told
    assert told.startswith("postgresql://")
    assert len(told.splitlines()) == 1


# --- texts and numbers ---


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_is_no_text_here_is_refused(url: str, text: str) -> None:
    """It is told, and the store goes on."""
    with opened(url) as store:
        with pytest.raises(StoreError) as caught:
            add_flow(store, text)
        assert str(caught.value) == f"{text!r} is no text that a store can hold"
        add_flow(store)


def test_a_number_that_is_too_large_is_told(url: str) -> None:
    """And leaves nothing behind."""
    with opened(url) as store:
        with pytest.raises(StoreError, match="out of range"), store.transaction():
            store.put_timer("f", "t", 2**63)
        with store.reading():
            assert store.due_timers(at_ms=LATEST, limit=9) == []


def test_flows_are_in_the_order_of_their_bytes(url: str) -> None:
    """Whatever the language of the database is, as in a file."""
    names = ["B", "a", "Z", "b", "é", "-"]
    with opened(url) as store:
        for name in names:
            add_flow(store, name)
        with store.reading():
            found = [row.flow_id for row in store.flows(limit=9)]
            behind = [row.flow_id for row in store.flows(after=(1, "Z"), limit=9)]
    assert found == sorted(names)
    assert behind == ["a", "b", "é"]


# --- transactions ---


def test_a_transaction_within_another_is_refused(url: str) -> None:
    """The server would take both for one."""
    with opened(url) as store:
        with pytest.raises(StoreError, match="a transaction is open already"), store.transaction():
            add_flow(store)
        with store.reading():
            assert store.flow("f") is None


def test_an_error_that_is_swallowed_undoes_everything(url: str) -> None:
    """The server has given the transaction up, and that is told."""
    with opened(url) as store:
        told = pytest.raises(StoreError, match="given up after an error")
        with told, store.transaction(), suppress(Exception):
            store.put_timer("f", "t", 1)
            store.put_timer("f", "t", 2**63)
        with store.reading():
            assert store.due_timers(at_ms=LATEST, limit=9) == []


def test_who_reads_sees_one_moment_and_writes_nothing(url: str) -> None:
    """Whatever others do meanwhile."""
    with opened(url) as store, opened(url) as other:
        with store.reading():
            assert store.flow("f") is None
            assert store.hold("f") is None
            add_flow(other)
            assert store.flow("f") is None
        with pytest.raises(StoreError, match="read-only"), store.reading():
            store.put_timer("f", "t", 1)


@pytest.mark.parametrize(
    ("server", "durable", "other"),
    [("on", "on", "off"), ("off", "on", "off"), ("remote_write", "remote_write", "off")],
)
def test_what_is_durable_waits_for_the_disk(
    url: str, server: str, durable: str, other: str
) -> None:
    """Also where the server does not; and what need not wait does not."""
    name = url.rpartition("/")[2]
    sql(url, f"ALTER DATABASE {name} SET synchronous_commit = {server}")
    with opened(url) as store:
        with store.transaction():
            assert within(store, "SHOW synchronous_commit") == durable
        with store.transaction(durable=False):
            assert within(store, "SHOW synchronous_commit") == other


def test_nothing_stays_behind_in_a_session(url: str) -> None:
    """So that connections of a pool may be given to others."""
    asked = "SELECT string_agg(name, ' ') FROM pg_settings WHERE source = 'session'"
    with opened(url) as store:
        before = within(store, asked)
        add_flow(store)
        assert within(store, asked) == before


def test_a_store_works_without_prepared_statements(url: str) -> None:
    """As proxies need it that know none."""
    with opened(f"{url}?application_name=pooled&prepare=off") as store:
        assert within(store, "SHOW application_name") == "pooled"
        for number in range(20):
            add_flow(store, f"f{number}")
        assert within(store, "SELECT COUNT(*) FROM pg_prepared_statements") == 0
    with opened(url) as store:
        for number in range(20):
            add_flow(store, f"g{number}")
        assert within(store, "SELECT COUNT(*) FROM pg_prepared_statements") > 0


def test_a_store_is_not_taken_into_a_fork(url: str) -> None:
    """The child is told, and the parent goes on, also when the child closes it."""
    told, tell = os.pipe()
    with opened(url) as store:
        add_flow(store)
        child = os.fork()
        if child == 0:
            try:
                store.changed()
            except StoreError as error:
                os.write(tell, str(error).encode())
            store.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert (
            os.read(told, 1000).decode().endswith("it was opened in another process, before a fork")
        )
        with store.reading():
            assert store.flow("f") is not None
        assert store.connections == 1
    os.close(told)
    os.close(tell)
