"""What docs/sqlite.md shows is what happens."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from conductor_adapters.client import Client, ClientFlow
from conductor_adapters.durable import DurableHost
from conductor_adapters.durable_options import LEASE_S, MAX_DELIVERIES, POLL_S, SLOTS, HostOptions
from conductor_adapters.sqlite import SqliteHost
from conductor_adapters.store.kept import SNAPSHOT_EVERY
from conductor_adapters.store.statements import SCHEMA
from tests.documents import ROOT, check_prints, first_column, public

SQLITE_PATH = ROOT / "docs" / "sqlite.md"
SQLITE = SQLITE_PATH.read_text(encoding="utf-8")
WORD = re.compile(r"`(\w+)`")


def test_the_code_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks run one after another, and print the blocks of text below them."""
    monkeypatch.chdir(tmp_path)
    check_prints(SQLITE_PATH)


def test_every_argument_of_a_host_is_listed() -> None:
    """With its default."""
    own = inspect.signature(SqliteHost).parameters.keys() - {"handlers", "options"}
    assert first_column(SQLITE, "argument", WORD) == own | HostOptions.__annotations__.keys()
    for default in (LEASE_S, SLOTS, POLL_S, MAX_DELIVERIES, SNAPSHOT_EVERY):
        assert f"({default:g}) |" in SQLITE


def test_every_table_of_the_schema_is_listed() -> None:
    """And nothing else."""
    made = re.findall(r"CREATE TABLE (\w+)", " ".join(SCHEMA))
    assert first_column(SQLITE, "table", WORD) == set(made)


def test_every_verb_of_a_client_is_told() -> None:
    """Of the client, and of its flows."""
    for kind, name in ((Client, "host"), (ClientFlow, "flow")):
        for verb in public(kind):
            assert f"`{name}.{verb}" in SQLITE


def test_a_host_is_a_client() -> None:
    """It has every verb of the protocol."""
    assert public(Client) <= set(dir(DurableHost))
