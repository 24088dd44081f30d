"""The URL of a PostgreSQL database: as it may be told to anybody, and as libpq takes it.

Rule: no password is ever told, also where the URL is written wrongly. What stands in a URL is
libpq's business, but for one thing that libpq does not know: `prepare=off`.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

SCHEMES: Final = ("postgresql://", "postgres://")
NOT_PREPARED: Final = "prepare=off"
"""Behind the `?`: nothing is prepared in the server. Proxies need it that give each transaction
another connection and know no prepared statements, such as PgBouncer 1.18 (`transaction`)."""
SECRETS: Final = frozenset({"password", "sslpassword"})
"""What libpq takes for a secret where it stands behind the `?`."""
_CREDENTIALS: Final = re.compile(r"(?<=:)(/*[^:/?#@]*):.*@", re.DOTALL)


def is_postgres(url: str) -> bool:
    """Whether something names a PostgreSQL database."""
    return url.startswith(SCHEMES)


def without_password(url: str) -> str:
    """A URL as it may be told; up to the last `@`, since a password may hold others."""
    place, mark, query = _CREDENTIALS.sub(r"\1@", url).partition("?")
    kept = [each for each in query.split("&") if unquote(each.partition("=")[0]) not in SECRETS]
    return f"{place}{mark}{'&'.join(kept)}" if kept != [""] and kept else place


def as_libpq_takes_it(url: str) -> tuple[str, bool]:
    """A URL as libpq takes it, and whether statements may be prepared."""
    place, _, query = url.partition("?")
    said = query.split("&")
    if NOT_PREPARED not in said:
        return url, True
    rest = "&".join(each for each in said if each != NOT_PREPARED)
    return f"{place}?{rest}" if rest else place, False
