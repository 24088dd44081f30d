"""Asking and watching the flows of one SQLite file, for programs that do none of the work.

Rule: this is the client of `durable_client` on the store of `store.sqlite`, and nothing else.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Unpack

from conductor_adapters.durable_client import DurableClient
from conductor_adapters.durable_options import ClientOptions
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.store.sqlite_file import Synchronous


class SqliteClient(DurableClient):
    """Starts, asks and watches, and does no work; the file must be there, unless it may be made.

    `clock`, `observe`, `poll_s` and `synchronous` are those of SqliteHost.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        synchronous: Synchronous = "FULL",
        create: bool = False,
        **options: Unpack[ClientOptions],
    ) -> None:
        self.path = Path(path)
        super().__init__(
            open_store=partial(SqliteStore, self.path, synchronous=synchronous, create=create),
            **options,
        )
