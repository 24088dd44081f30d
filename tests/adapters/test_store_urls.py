"""What names a file and what a database, what neither, and what is told of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conductor_adapters.store import StoreError
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.store_urls import file_of, opener, told
from conductor_core.errors import ConductorError


@pytest.mark.parametrize(
    ("named", "file"),
    [
        (Path("flows.db"), "flows.db"),
        ("flows.db", "flows.db"),
        ("/var/flows.db", "/var/flows.db"),
        ("C:/flows.db", "C:/flows.db"),
        ("sqlite:flows.db", "flows.db"),
        ("sqlite:/var/flows.db", "/var/flows.db"),
        ("sqlite:///flows.db", "flows.db"),
        ("sqlite:////var/flows.db", "/var/flows.db"),
        ("postgresql.db", "postgresql.db"),
        ("odd:name@x", "odd:name@x"),
    ],
)
def test_a_file_is_named_by_its_path_or_a_url(named: str | Path, file: str) -> None:
    """With three slashes it is looked for from here, with four from the root."""
    assert file_of(named) == Path(file)
    assert told(named) == str(named)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_database_is_named_by_a_url(scheme: str) -> None:
    """As libpq does."""
    url = f"{scheme}://ann@host/flows"
    assert file_of(url) is None
    assert told(url) == url


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        ("mysql://ann:s3cret@host/flows", "mysql://ann@host/flows"),
        ("postgresql+psycopg://ann:s3cret@host/flows", "postgresql+psycopg://ann@host/flows"),
        ("postgresql:/ann:s3cret@host/flows", "postgresql:/ann@host/flows"),
        ("postgres:flows", "postgres:flows"),
        ("sqlite://flows.db", "sqlite://flows.db"),
        ("sqlite:", "sqlite:"),
        ("sqlite:///", "sqlite:///"),
        ("http://x", "http://x"),
    ],
)
def test_what_names_neither_is_refused(named: str, shown: str) -> None:
    """As it was given, without a password."""
    for ask in (file_of, opener):
        with pytest.raises(ConductorError) as caught:
            ask(named)
        assert str(caught.value) == f"expected a file or postgresql://..., got {shown!r}"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:s3cret@host:1/db", "postgresql://ann@host:1/db"),
        ("postgresql://ann:s3/c:r@t@host/db", "postgresql://ann@host/db"),
        ("postgresql://:s3cret@host/db", "postgresql://@host/db"),
        ("postgresql://ann:s3cret@one:1,two:2/db", "postgresql://ann@one:1,two:2/db"),
        ("postgresql://host:1/db", "postgresql://host:1/db"),
        ("postgresql://host/db?password=s3cret", "postgresql://host/db"),
        (
            "postgresql://host/db?user=ann&pass%77ord=s3cret&sslmode=require",
            "postgresql://host/db?user=ann&sslmode=require",
        ),
        ("postgresql://ann:s3?cr#et@host/db", "postgresql://ann@host/db"),
        ("postgresql://ann:s3cret@/db?host=/tmp", "postgresql://ann@/db?host=/tmp"),
    ],
)
def test_no_password_is_told(url: str, shown: str) -> None:
    """Wherever it stands, and whatever it consists of."""
    assert told(url) == shown


def test_a_file_is_opened(tmp_path: Path) -> None:
    """It is made where that is wanted."""
    path = tmp_path / "flows.db"
    with pytest.raises(StoreError, match="there is no such store"):
        opener(path, create=False)()
    for named in (path, f"sqlite:{path}"):
        store = opener(named, synchronous="NORMAL")()
        assert isinstance(store, SqliteStore)
        assert (store.path, store.synchronous, store.connections) == (path, "NORMAL", 1)
        store.close()


def test_a_database_is_opened(url: str) -> None:
    """With what keeps flows there."""
    with pytest.raises(StoreError, match="there is no such store"):
        opener(url, create=False)()
    store = opener(url)()
    with store.reading():
        assert store.clock()[0] == "server"
    store.close()


WITHOUT_PSYCOPG = """
import sys
sys.modules["psycopg"] = None
from conductor_adapters.store_urls import file_of, opener
opener("flows.db")
try:
    opener("postgresql://ann:s3cret@host/db")
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_what_a_database_needs_is_told_where_it_is_missing() -> None:
    """And nobody else needs it."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PSYCOPG], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(
        "ConductorError: postgresql://ann@host/db: a store in PostgreSQL needs its extra: "
        "pip install 'conductor-core[postgres]' ("
    )
