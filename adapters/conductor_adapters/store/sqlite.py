"""The store in one SQLite file.

Rule: what SQLite says in its own way, and nothing else.
"""

from __future__ import annotations

from conductor_adapters.store.boot import boot_id, since_boot_ms
from conductor_adapters.store.sql import SqlStore
from conductor_adapters.store.sqlite_connection import SqliteConnection

__all__ = ["SqliteStore"]


class SqliteStore(SqliteConnection, SqlStore):
    """A file of flows, opened by one thread of one process."""

    APPEND = """
        INSERT OR IGNORE INTO entries (flow_id, seq, lines)
        VALUES (:flow_id, (SELECT seq + 1 FROM entries
            WHERE number = :behind AND flow_id = :flow_id AND seq = :seq - 1), :lines)"""
    """Where another was faster the row has no number, or one that is given, and is left out."""
    CLAIM = """
        UPDATE outbox SET not_before_ms = :until_ms WHERE number IN
            (SELECT number FROM outbox
            WHERE owner IS NULL AND kind = :kind AND not_before_ms <= :at_ms
            ORDER BY not_before_ms, number LIMIT :limit)
        RETURNING flow_id, kind, name, work, deliveries, give_up, since_ms, sent_ms"""

    def hold(self, flow_id: str) -> int | None:
        """The place of the last entry: whoever writes to a file is alone in it."""
        return self.place(flow_id)

    def clock(self) -> tuple[str, int]:
        """The clock of this machine since it booted, which all who may open the file share."""
        return boot_id(), since_boot_ms()
