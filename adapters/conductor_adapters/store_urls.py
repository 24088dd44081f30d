"""Interim."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from conductor_adapters.store.protocol import Store
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.store.sqlite_file import Synchronous


def opener(
    store: str | Path, *, synchronous: Synchronous = "FULL", create: bool = True
) -> Callable[[], Store]:
    """What opens a store."""
    return partial(SqliteStore, Path(store), synchronous=synchronous, create=create)
