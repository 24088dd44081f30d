"""Whether a store has failed for good, so that no patience of a worker helps.

Rule: a disk that is full, or a file that is held by others, is no such failure: what work came
to is kept until it can be written.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from attrs import frozen

from conductor_adapters.store.errors import StoreError

BEYOND_REPAIR: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
PRIMARY: Final = 0xFF
"""These bits of an error code of SQLite tell its kind."""


class FailedForGood(StoreError):
    """A store that takes nothing any more."""


@frozen
class FileWatch:
    """Remembers which file a store is: SQLite goes on with one that has been taken away."""

    path: Path
    was: os.stat_result

    @classmethod
    def of(cls, path: Path) -> FileWatch:
        """Watch a file; raises FailedForGood where there is none any more."""
        try:
            return cls(path, path.stat())
        except FileNotFoundError:
            raise _removed(path) from None
        except OSError as error:
            raise FailedForGood(f"{path}: {error.strerror}") from None

    def check(self) -> None:
        """Raise FailedForGood where the file is gone, or is another one."""
        try:
            if os.path.samestat(self.path.stat(), self.was):
                return
        except FileNotFoundError:
            raise _removed(self.path) from None
        except OSError:
            return
        raise FailedForGood(f"{self.path}: the file of the store was replaced by another")


def _removed(path: Path) -> FailedForGood:
    return FailedForGood(f"{path}: the file of the store was removed")


def is_for_good(error: StoreError) -> bool:
    """Whether what SQLite reported does not pass."""
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return isinstance(code, int) and code & PRIMARY in BEYOND_REPAIR
