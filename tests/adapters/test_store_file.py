"""What a file must be to be a store, and what is said where it is not."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from conductor_adapters.store import StoreError, sqlite_file
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.store.sqlite_file import APPLICATION, MIGRATIONS, VERSION, file_system_of

NOBODY: Final = 65_534


def told(path: Path, *, create: bool = True) -> str:
    """What is wrong with a file, without its name."""
    with pytest.raises(StoreError) as caught:
        SqliteStore(path, create=create)
    return str(caught.value).removeprefix(f"{path}: ")


def test_a_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Whatever the mask of the process is; so are the files that SQLite puts beside it."""
    before = os.umask(0)
    try:
        with SqliteStore(tmp_path / "flows.db") as store:
            assert store.flows(limit=1) == []
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes.keys() >= {"flows.db", "flows.db-wal"}
    assert set(modes.values()) == {0o600}


def test_a_new_store_is_marked(tmp_path: Path) -> None:
    """As ours, with the version of its schema, and with the durability that was asked for."""
    with SqliteStore(tmp_path / "flows.db") as full:
        assert pragmas(full) == (APPLICATION, VERSION, "wal", 2)
    with SqliteStore(tmp_path / "flows.db", synchronous="NORMAL", create=False) as normal:
        assert pragmas(normal) == (APPLICATION, VERSION, "wal", 1)


def pragmas(store: SqliteStore) -> tuple[object, ...]:
    """What holds for a store."""
    names = ("application_id", "user_version", "journal_mode", "synchronous")
    return tuple(store.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    """As one that a process made which died before it could go on."""
    path = tmp_path / "flows.db"
    path.touch()
    with SqliteStore(path) as store:
        assert store.flows(limit=1) == []


def test_a_link_leads_to_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    """Also where the file is not there yet, or was there and empty and open to others."""
    before = os.umask(0)
    try:
        for name in ("new.db", "empty.db"):
            (tmp_path / f"link-{name}").symlink_to(tmp_path / name)
        (tmp_path / "empty.db").touch(0o644)
        for name in ("new.db", "empty.db"):
            with SqliteStore(tmp_path / f"link-{name}") as store, store.transaction():
                found = [path for path in tmp_path.glob(f"{name}*") if path.is_file()]
                assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    finally:
        os.umask(before)


def test_a_schema_without_a_version_is_told(tmp_path: Path) -> None:
    """No release of ours has left one."""
    path = tmp_path / "flows.db"
    SqliteStore(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version = 0")
    raw.close()
    assert told(path) == "its schema has no version"


def test_what_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """It is told, and not a byte of it changes."""
    path = tmp_path / "notes.txt"
    path.write_text("these are no rows, these are words " * 50)
    before = path.read_bytes()
    assert told(path) == "it is no database"
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_database_of_another_product_is_left_alone(tmp_path: Path) -> None:
    """With its tables, or with a mark of its own."""
    for name, statement in (
        ("tables.db", "CREATE TABLE theirs (x)"),
        ("marked.db", "PRAGMA application_id = 7"),
    ):
        path = tmp_path / name
        with sqlite3.connect(path) as other:
            other.execute(statement)
        other.close()
        before = path.read_bytes()
        assert told(path) == "it is a database of another product"
        assert path.read_bytes() == before


def test_a_newer_schema_is_told(tmp_path: Path) -> None:
    """Both versions are named."""
    path = tmp_path / "flows.db"
    SqliteStore(path).close()
    with sqlite3.connect(path) as later:
        later.execute(f"PRAGMA user_version = {VERSION + 1}")
    later.close()
    expected = f"its schema has version {VERSION + 1}, this release knows up to {VERSION}"
    assert told(path) == expected


def test_an_older_schema_is_taken_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, each wholly or not at all."""
    path = tmp_path / "flows.db"
    SqliteStore(path).close()
    monkeypatch.setattr(sqlite_file, "VERSION", VERSION + 2)

    def one(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE one (x)")

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE two (x)")
        connection.execute("this is no statement")

    monkeypatch.setattr(sqlite_file, "MIGRATIONS", (*MIGRATIONS, one, broken))
    assert told(path).startswith('near "this"')
    assert tables(path) >= {"flows", "one"}
    assert "two" not in tables(path)
    monkeypatch.setattr(sqlite_file, "MIGRATIONS", (*MIGRATIONS, broken, one))
    with pytest.raises(StoreError):
        SqliteStore(path)  # the second step takes up "one" again, which is there


def test_a_store_of_the_first_version_learns_what_was_sent(tmp_path: Path) -> None:
    """Its outbox is what a new one's is, and what is in it was never sent."""
    path, new = tmp_path / "flows.db", tmp_path / "new.db"
    for made in (path, new):
        SqliteStore(made).close()
    with sqlite3.connect(path) as first:
        first.execute("DROP INDEX outbox_due")
        first.execute("ALTER TABLE outbox DROP COLUMN sent_ms")
        first.execute("INSERT INTO outbox VALUES (1, 'f', 'step', 'a#1', 'a', NULL, 0, 0, 0, 7)")
        first.execute("PRAGMA user_version = 1")
    first.close()
    with SqliteStore(path) as store, SqliteStore(new) as fresh:
        assert columns(store) == columns(fresh)
        with store.transaction():
            (found,) = store.claim("step", at_ms=8, until_ms=9, limit=9)
    assert (found.order.name, found.since_ms, found.sent_ms) == ("a#1", 7, 0)


def columns(store: SqliteStore) -> tuple[list[object], list[object]]:
    """The columns of an outbox, and its indices."""
    return (
        store.connection.execute("PRAGMA table_info(outbox)").fetchall(),
        sorted(store.connection.execute("SELECT name FROM pragma_index_list('outbox')")),
    )


def tables(path: Path) -> set[str]:
    """The tables of a database."""
    with sqlite3.connect(path) as raw:
        return {name for (name,) in raw.execute("SELECT name FROM sqlite_master")}


def test_a_place_that_is_none_is_told(tmp_path: Path) -> None:
    """A directory, a directory that is missing, a store that should be there."""
    assert told(tmp_path) == "it is a directory"
    assert told(tmp_path / "none" / "flows.db").startswith("there is no directory")
    assert told(tmp_path / "flows.db", create=False) == "there is no such store"
    assert list(tmp_path.iterdir()) == []


def test_what_may_not_be_written_is_told() -> None:
    """As on media that are read-only; root may write everything, and is somebody else here."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "flows.db")
        SqliteStore(path).close()
        path.chmod(0o444)
        Path(folder).chmod(0o755)
        assert as_nobody(path) == f"{path}: it may not be written"


def as_nobody(path: Path) -> str:
    """What somebody without rights is told of a store."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(NOBODY)
            SqliteStore(path)
        except StoreError as error:
            os.write(tell, str(error).encode())
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(told) as answer:
        os.waitpid(child, 0)
        return answer.read()


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/x /net nfs4 rw 0 0
//server/y /net/with\\040space cifs rw 0 0
broken line
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [("/srv", "ext4"), ("/net/a", "nfs4"), ("/network", "ext4"), ("/net/with space/b", "cifs")],
)
def test_the_file_system_of_a_place_is_known(tmp_path: Path, place: str, kind: str) -> None:
    """The deepest mount that is above it."""
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert file_system_of(Path(place), mounts) == kind
    assert file_system_of(Path(place), tmp_path / "none") is None


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is made there."""
    monkeypatch.setattr(sqlite_file, "file_system_of", lambda _folder: "nfs4")
    assert told(tmp_path / "flows.db").startswith("it lies on a network file system (nfs4)")
    assert list(tmp_path.iterdir()) == []


OPENING = """
import sys
from pathlib import Path
from conductor_adapters.store.sqlite import SqliteStore
for number in range(40):
    SqliteStore(Path(sys.argv[1]) / f"{number}.db").close()
"""


def test_several_processes_may_make_a_store_at_once(tmp_path: Path) -> None:
    """One makes it, the others find it made."""
    command = [sys.executable, "-c", OPENING, str(tmp_path)]
    children = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [child.communicate(timeout=50)[1] for child in children] == [""] * 4


def test_a_name_that_means_something_to_sqlite_is_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is a file."""
    monkeypatch.chdir(tmp_path)
    SqliteStore(":memory:").close()
    assert (tmp_path / ":memory:").stat().st_size > 0
