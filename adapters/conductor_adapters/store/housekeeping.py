"""Keeping a store: what has ended is removed, logs go out and come in, a running file is copied.

Rule: a store may be in use meanwhile; whatever is done here is done in transactions that others
wait for a moment at most, but for `shrink`. What comes in is verified, line by line, before a
row is written.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from conductor_adapters.store.errors import FlowExists, StoreError
from conductor_adapters.store.kept import event_of, log_lines
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.protocol import Conflict, FlowRow, Store
from conductor_adapters.store.sqlite import SqliteStore
from conductor_adapters.store.sqlite_file import OWNER_ONLY
from conductor_adapters.store.taken_ids import of_logs
from conductor_core import events
from conductor_core.json_text import loads
from conductor_core.log import Replay, replay

__all__ = ["backup", "exported", "imported", "remove_ended"]

ENDED: Final = ("success", "error", "cancelled")
AT_ONCE: Final = 100


def remove_ended(store: Store, *, before_ms: int) -> int:
    """Remove the flows that ended before a time, with their logs; tells how many.

    One that ended in `error` could have been rerun: whoever removes it says that it will not.
    """
    removed, after = 0, None
    while True:
        with store.transaction():
            rows = store.flows(statuses=ENDED, after=after, limit=AT_ONCE)
            old = [row for row in rows if row.changed_ms < before_ms]
            gone = [row for row in old if _removed(store, row)]
        removed += len(gone)
        if not rows:
            return removed
        after = rows[-1].began_ms, rows[-1].flow_id


def _removed(store: Store, row: FlowRow) -> bool:
    """Remove a flow, unless somebody was faster who went on with it, or removed it."""
    store.hold(row.flow_id)
    if store.flow(row.flow_id) != row:
        return False
    store.remove_flow(row.flow_id)
    return True


def exported(store: Store, flow_id: str) -> list[str]:
    """The lines of a log, each with its newline; raises UnknownFlow."""
    ledger = Ledger(store, now_ms=lambda: 0)
    with ledger.reading():
        ledger.look(flow_id)
        return log_lines(store.entries(flow_id))


def imported(ledger: Ledger, lines: Iterable[bytes | str]) -> str:
    """Take a log in, verified, and put what its flow waits for into the outbox; returns its id.

    The flow goes on as after a crash: what was under way begins again, and what must not run
    twice unseen has been interrupted (S14.3). Raises LogError, and FlowExists where the flow
    is there already.
    """
    raws = list(lines)
    replayed = replay(raws)
    texts = [line if isinstance(line, str) else line.decode() for line in raws]
    if replayed.truncated is not None:
        raise replayed.truncated
    flow_id = replayed.header.flow_id
    with ledger.transaction():
        _add(ledger.store, replayed, texts)
        ledger.recover(flow_id)
        if not replayed.state.started and replayed.state.outcome is None:
            ledger.feed(flow_id, events.FlowStarted)
    return flow_id


def _add(store: Store, replayed: Replay, lines: list[str]) -> None:
    """Write the rows of a log; raises FlowExists."""
    header, *rows = _rows(lines)
    row = FlowRow(
        flow_id=replayed.header.flow_id,
        type=replayed.header.spec.type,
        status=replayed.state.status,
        began_ms=replayed.header.at_ms,
        changed_ms=event_of(rows[-1]).at_ms if rows else replayed.header.at_ms,
        accepted_only=replayed.header.accepted_only,
    )
    try:
        place = store.add_flow(row, header)
    except Conflict:
        there = log_lines(store.entries(row.flow_id))
        raise FlowExists(row.flow_id, of_logs(there, lines)) from None
    for seq, text in enumerate(rows, 1):
        place = store.append(row.flow_id, seq, text, behind=place)


def _rows(lines: list[str]) -> Iterator[str]:
    """The lines of a log in rows: the header, then each entry with what follows it."""
    row = ""
    for line in lines:
        ended = line if line.endswith("\n") else f"{line}\n"
        if row and "seq" in loads(ended):
            yield row
            row = ""
        row += ended
    yield row


def _check(copy: sqlite3.Connection, path: Path) -> None:
    """Raise DatabaseError for a copy of what is damaged."""
    (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"{path} is damaged: {found}")


def backup(store: SqliteStore, target: Path) -> None:
    """Copy a store to a new file while it is in use; raises StoreError.

    The copy is whole and of one moment. What it holds runs twice if both are worked on.
    """
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY))
    except OSError as error:
        raise StoreError(f"{target}: it cannot be made: {error.strerror}") from None
    try:
        copy = sqlite3.connect(target.absolute(), isolation_level=None)
        try:
            # In one step: one of several begins anew whenever another process writes.
            store.connection.backup(copy)
            _check(copy, store.path)
        finally:
            copy.close()
    except sqlite3.Error as error:
        target.unlink()
        raise StoreError(f"{target}: {error}") from error
