"""The URL of a PostgreSQL database, as it may be told to anybody.

Rule: no password is ever told, also where the URL is written wrongly.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

SCHEMES: Final = ("postgresql://", "postgres://")
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
