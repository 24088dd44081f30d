"""The store in a PostgreSQL database.

Rule: what PostgreSQL says in its own way, and nothing else. Whoever changes a flow holds it
first, so that those who reduce the same flow wait for each other and not for an entry that
stands in the way; that an entry follows the one that was seen is checked all the same.
"""

from __future__ import annotations

from typing import Final

from conductor_adapters.store.postgres_connection import PostgresConnection
from conductor_adapters.store.postgres_growth import Seen
from conductor_adapters.store.sql import SqlStore

__all__ = ["PostgresStore"]

_HOLD: Final = "SELECT conductor.hold(:flow_id)"
_CLOCK: Final = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


class PostgresStore(PostgresConnection, SqlStore):
    """A database with flows, opened by one thread of one process."""

    APPEND = """
        INSERT INTO entries (flow_id, seq, lines)
        SELECT :flow_id, :seq, :lines FROM entries, pg_current_xact_id()
        WHERE number = :behind AND flow_id = :flow_id AND seq = :seq - 1
        ON CONFLICT (flow_id, seq) DO NOTHING"""
    """The transaction has its id before the entry takes a number; see `postgres_growth`."""
    CLAIM = """
        UPDATE outbox SET not_before_ms = :until_ms WHERE number = ANY(ARRAY(
            SELECT number FROM outbox
            WHERE owner IS NULL AND kind = :kind AND not_before_ms <= :at_ms
            ORDER BY not_before_ms, number LIMIT :limit FOR UPDATE SKIP LOCKED))
        RETURNING flow_id, kind, name, work, deliveries, give_up, since_ms, sent_ms"""
    """As an array the rows are looked for once; a join might do that again and find others."""
    SENT = """
        UPDATE outbox SET sent_ms = :sent_ms, not_before_ms = :not_before_ms WHERE number = (
            SELECT number FROM outbox
            WHERE flow_id = :flow_id AND kind = :kind AND name = :name AND owner IS NULL
            FOR UPDATE SKIP LOCKED)"""
    """Who notes it of many orders holds none of their flows, and so must wait for nobody: an
    order that is held just now is being taken, or is waited for no more."""

    _seen = Seen()
    _sees: Seen | None = None
    _back = False

    def hold(self, flow_id: str) -> int | None:
        """Wait for whoever holds the flow, and tell the place that they left."""
        if self._reads:
            return self.place(flow_id)
        (place,) = self._one(_HOLD, flow_id=flow_id)
        return None if place is None else int(place)

    def clock(self) -> tuple[str, int]:
        """The clock of the server, which all who reach it share."""
        (now_ms,) = self._one(_CLOCK)
        return "server", int(now_ms)

    # --- what others append ---

    def changed(self) -> bool:
        """Whether entries were added since this was last asked, or may still come."""
        return super().changed() or self._back or bool(self._seen.missing)

    def grown(self, *, after: int) -> tuple[list[str], int]:
        """The flows to which something was appended behind a place, and the place now.

        It may name some to which nothing was, and passes over none, in whichever order others'
        transactions end.
        """
        grown, place, self._sees = self._seen.look(self._all, after=after, back=self._back)
        return grown, place

    def _connect_anew(self) -> None:
        super()._connect_anew()
        self._seen, self._back = Seen(), True

    def _begin(self, begin: bytes) -> None:
        self._sees = None
        super()._begin(begin)

    def _commit(self) -> None:
        super()._commit()
        if self._sees is not None:
            self._seen, self._back = self._sees, False
