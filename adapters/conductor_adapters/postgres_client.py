"""Asking and watching the flows of a PostgreSQL database, for programs that do none of the work.

Rule: this is the client of `durable_client` on the store of `store.postgres`, and nothing else.
"""

from __future__ import annotations

from functools import partial
from typing import Unpack

from conductor_adapters.durable_client import DurableClient
from conductor_adapters.durable_options import ClientOptions
from conductor_adapters.store.postgres import PostgresStore

__all__ = ["ClientOptions", "PostgresClient"]


class PostgresClient(DurableClient):
    """Starts, asks and watches, and does no work; the store must be there, unless it may be made.

    `url` is that of PostgresStore; `clock`, `observe` and `poll_s` are those of SqliteClient.
    """

    def __init__(self, url: str, *, create: bool = False, **options: Unpack[ClientOptions]) -> None:
        super().__init__(open_store=partial(PostgresStore, url, create=create), **options)
