"""Reaching a PostgreSQL server: how a connection is opened, and what is told of its errors.

Rule: what a URL or the environment says holds; here stands only what is better than libpq's
own silence: a server that does not answer is not waited for without end.
"""

from __future__ import annotations

import os
import re
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.postgres_schema import Connection
from conductor_adapters.store.postgres_url import as_libpq_takes_it, without_password

DEFAULTS: Final[dict[str, str]] = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "fallback_application_name": "conductor",
}
"""What is not said otherwise: within half a minute or so a server that is gone is noticed."""


def connected(url: str) -> Connection:
    """A new connection; raises StoreError."""
    name = without_password(url)
    info, prepares = as_libpq_takes_it(url)
    try:
        said = conninfo_to_dict(info)
    except (psycopg.Error, UnicodeEncodeError):
        # What is wrong may be told with the password in it.
        raise StoreError(f"{name}: it is no URL of a PostgreSQL database") from None
    defaults: dict[str, Any] = {key: DEFAULTS[key] for key in DEFAULTS.keys() - said.keys()}
    if "PGCONNECT_TIMEOUT" in os.environ:
        defaults.pop("connect_timeout", None)
    try:
        connection: Connection = psycopg.connect(
            info, autocommit=True, client_encoding="utf8", **defaults
        )
    except psycopg.Error as error:
        raise StoreError(f"{name}: {told(error)}") from error
    if not prepares:
        connection.prepare_threshold = None
    # One type for all numbers, and one for all text: so each statement is prepared once.
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(str, StrDumper)
    return connection


def told(error: psycopg.Error) -> str:
    """What the server says, in one line."""
    text = error.diag.message_primary or str(error)
    return re.sub(r"\s+", " ", text).strip()
