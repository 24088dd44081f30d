"""Which store is meant by what a user names: a SQLite file, or a PostgreSQL database.

Rule: this is the one place that knows which kinds of stores there are, and what each needs is
imported when it is asked for. Whatever is told of a store is told without its password.

| named | meant |
|---|---|
| `flows.db`, `sqlite:flows.db`, `sqlite:///flows.db` | a file, from the current directory |
| `/var/flows.db`, `sqlite:/var/flows.db`, `sqlite:////var/flows.db` | a file |
| `postgresql://user@host/database`, `postgres://...` | a database, see `postgres_url` |
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from conductor_adapters.store.postgres_url import is_postgres, without_password
from conductor_adapters.store.protocol import Store
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.store.sqlite_file import Synchronous
from conductor_core.errors import ConductorError, shown

_SQLITE: Final = re.compile(r"sqlite:(?:///(?P<behind>.+)|(?P<path>(?!//).+))", re.DOTALL)
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|(?:sqlite|postgres|postgresql):")
"""What is named as no file is."""


def told(store: str | Path) -> str:
    """A store as it may be shown to anybody."""
    return without_password(store) if isinstance(store, str) and _URL.match(store) else str(store)


def file_of(store: str | Path) -> Path | None:
    """The file of a store, or None where it is a database; raises ConductorError for neither."""
    if isinstance(store, Path):
        return store
    if is_postgres(store):
        return None
    found = _SQLITE.fullmatch(store)
    if found is not None:
        return Path(found["behind"] or found["path"])
    if _URL.match(store):
        raise ConductorError(f"expected a file or postgresql://..., got {shown(told(store))}")
    return Path(store)


def opener(
    store: str | Path, *, create: bool = True, synchronous: Synchronous = "FULL"
) -> Callable[[], Store]:
    """What opens a store, in whichever thread; `synchronous` is for files alone.

    Raises ConductorError where there is no such kind of store, or what it needs is missing.
    """
    path = file_of(store)
    if path is not None:
        return partial(SqliteStore, path, synchronous=synchronous, create=create)
    try:
        from conductor_adapters.store.postgres import PostgresStore  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConductorError(
            f"{told(store)}: a store in PostgreSQL needs its extra: "
            f"pip install 'conductor-core[postgres]' ({error})"
        ) from None
    return partial(PostgresStore, str(store), create=create)
