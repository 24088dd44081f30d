"""What docs/sqlite.md shows is what happens."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from pathlib import Path
from typing import Any

import pytest

from conductor_adapters.client import Client, ClientFlow
from conductor_adapters.durable import DurableHost
from conductor_adapters.durable_options import LEASE_S, MAX_DELIVERIES, POLL_S, SLOTS, HostOptions
from conductor_adapters.sqlite import SqliteHost
from conductor_adapters.store.kept import SNAPSHOT_EVERY
from conductor_adapters.store.statements import SCHEMA
from tests.documents import BLOCK, ROOT

SQLITE = (ROOT / "docs" / "sqlite.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = BLOCK.findall(SQLITE)
WORD = re.compile(r"`(\w+)`")


def test_the_code_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks run one after another, and print the blocks of text below them."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "sqlite"}
    printed = ""
    for language, text in BLOCKS:
        if language == "text":
            assert printed == text
        else:
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(compile(text, "docs/sqlite.md", "exec"), names)
            printed = output.getvalue()


def first_column(title: str) -> set[str]:
    """The words in the first column of a table."""
    rows = SQLITE.partition(f"\n| {title} | ")[2].partition("\n\n")[0].splitlines()[1:]
    return {word for row in rows for word in WORD.findall(row.split(" | ")[0])}


def test_every_argument_of_a_host_is_listed() -> None:
    """With its default."""
    own = inspect.signature(SqliteHost).parameters.keys() - {"handlers", "options"}
    assert first_column("argument") == own | HostOptions.__annotations__.keys()
    for default in (LEASE_S, SLOTS, POLL_S, MAX_DELIVERIES, SNAPSHOT_EVERY):
        assert f"({default:g}) |" in SQLITE


def test_every_table_of_the_schema_is_listed() -> None:
    """And nothing else."""
    made = re.findall(r"CREATE TABLE (\w+)", " ".join(SCHEMA))
    assert first_column("table") == set(made)


def test_every_verb_of_a_client_is_told() -> None:
    """Of the client, and of its flows."""
    for kind, name in ((Client, "host"), (ClientFlow, "flow")):
        for verb in vars(kind):
            if not verb.startswith("_"):
                assert f"`{name}.{verb}" in SQLITE


def test_a_host_is_a_client() -> None:
    """It has every verb of the protocol."""
    assert {name for name in vars(Client) if not name.startswith("_")} <= set(dir(DurableHost))
