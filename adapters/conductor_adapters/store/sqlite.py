"""A store in one file of SQLite, shared by the threads and processes of one machine.

Rule: a transaction that will write says so when it begins (BEGIN IMMEDIATE), so that it waits
for others once, at its start, and never fails in its middle for what it has read. What fails is
rolled back and raises StoreError; what was there before is as it was.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from conductor_adapters.store import statements as sql
from conductor_adapters.store.effects import Effects
from conductor_adapters.store.errors import FlowExists, StoreError, UnknownFlow
from conductor_adapters.store.protocol import Appended, FlowRow, Order, Snapshot, Stored
from conductor_adapters.store.sqlite_file import Synchronous, opened
from conductor_core.loglines import Position

Row = tuple[Any, ...]
AT_A_TIME: Final = 1000
"""So many rows are held at a time while a long answer is read."""


class SqliteStore:
    """A store in a file; an object belongs to the thread and the process that made it.

    `synchronous`: with FULL what was appended survives the loss of power, with NORMAL only the
    death of processes, and a power cut may take the last entries along.
    """

    def __init__(
        self, path: str | Path, *, synchronous: Synchronous = "FULL", create: bool = True
    ) -> None:
        self.path = Path(path)
        self._process = os.getpid()
        self.connection = opened(self.path, synchronous=synchronous, create=create)

    # --- flows and their logs ---

    def create(self, flow_id: str, header: str, position: Position, *, at_ms: int) -> None:
        """Keep a flow to which nothing has happened; FlowExists if there is one."""
        row = {"flow_id": flow_id, "at_ms": at_ms, **_standing(position)}
        with self._writing():
            if self._changed(sql.CREATE_FLOW, row) == 0:
                raise FlowExists(flow_id)
            self._changed(sql.ADD_ENTRY, {"flow_id": flow_id, "seq": 0, "lines": header})

    def load(self, flow_id: str, *, after: int | None = None) -> Stored:
        """A flow from its last snapshot on; with `after`, the entries after that one alone."""
        key = {"flow_id": flow_id}
        with self._reading():
            row = self._row(flow_id)
            ((_, header),) = self._rows(sql.ENTRIES + " LIMIT 1", {**key, "after": -1})
            found = self._snapshot(key) if after is None else None
            if found is not None:
                after = found.position.entries
            entries = [] if after is None else self._rows(sql.ENTRIES, {**key, "after": after})
        return Stored(row=row, header=header, snapshot=found, entries=tuple(entries))

    def append(self, entries: Sequence[Appended]) -> bool:
        """Append entries, all of one flow; False, and nothing, if another was faster."""
        first, last = entries[0], entries[-1]
        moved = {
            "flow_id": first.flow_id,
            "from_seq": first.seq - 1,
            "to_seq": last.seq,
            "status": last.status,
            "at_ms": last.at_ms,
            **_standing(last.position),
        }
        with self._writing():
            if self._changed(sql.MOVE_FLOW_ON, moved) == 0:
                return False
            for entry in entries:
                self._append(entry)
        return True

    def _append(self, entry: Appended) -> None:
        key = {"flow_id": entry.flow_id, "seq": entry.seq}
        self._changed(sql.ADD_ENTRY, {**key, "lines": entry.lines})
        self._carry_out(entry.flow_id, entry.effects, entry.at_ms)
        if entry.snapshot is not None:
            row = {**key, **_standing(entry.snapshot.position), "state": entry.snapshot.text}
            self._changed(sql.KEEP_SNAPSHOT, row)

    def _carry_out(self, flow_id: str, effects: Effects, now_ms: int) -> None:
        """Write down what is to be done, and what is not any more."""
        key = {"flow_id": flow_id}
        for name in effects.answered:
            self._changed(sql.ANSWER_ORDER, {**key, "name": name})
        for name in effects.given_up:
            self._changed(sql.GIVE_ORDER_UP, {**key, "name": name})
        if effects.ended:
            self._changed(sql.DROP_ORDERS, {**key, "now_ms": now_ms})
            self._changed(sql.GIVE_ORDERS_UP, {**key, "now_ms": now_ms})
            self._changed(sql.CLEAR_TIMERS, key)
        for order in effects.orders:
            row = {"name": order.name, "queue": order.queue, "command": order.command}
            self._changed(sql.ADD_ORDER, {**key, **row})
        for timer, due_ms in effects.timers:
            row = {**key, "timer": timer}
            if due_ms is None:
                self._changed(sql.CLEAR_TIMER, row)
            else:
                self._changed(sql.SET_TIMER, {**row, "due_ms": due_ms})

    def flows(self, *, status: str | None = None) -> Iterator[FlowRow]:
        """The flows, perhaps those of one status, by their ids."""
        statement = sql.FLOWS if status is None else sql.FLOWS_OF_STATUS
        with self._told():
            for row in self.connection.execute(statement, {"status": status}):
                yield FlowRow(*row)

    def lines(self, flow_id: str) -> Iterator[str]:
        """The lines of a log, with its header."""
        after = -1
        self._row(flow_id)
        statement = f"{sql.ENTRIES} LIMIT {AT_A_TIME}"
        while rows := self._rows(statement, {"flow_id": flow_id, "after": after}):
            for _, lines in rows:
                yield from lines.splitlines(keepends=True)
            after = rows[-1][0]

    # --- orders ---

    def lease(
        self, owner: str, *, queues: Collection[str], now_ms: int, until_ms: int, limit: int
    ) -> list[Order]:
        """Take orders of some queues that nobody has, the oldest first."""
        with self._writing():
            free: list[Row] = []
            for queue in queues:
                asked = {"queue": queue, "now_ms": now_ms, "limit": limit - len(free)}
                free += self._rows(sql.FREE_ORDERS, asked)
            for row in free:
                taken = {"id": row[0], "owner": owner, "until_ms": until_ms}
                self._changed(sql.TAKE_ORDER, taken)
        return [_order(row, until_ms) for row in free]

    def renew(self, owner: str, orders: Collection[int], *, until_ms: int) -> dict[int, bool]:
        """Go on with orders: those that are still the owner's, and whether they are to give up."""
        with self._writing():
            for order in orders:
                row = {"id": order, "owner": owner, "until_ms": until_ms}
                self._changed(sql.RENEW_ORDER, row)
            return self._held(owner)

    def held(self, owner: str) -> dict[int, bool]:
        """The orders that are the owner's, and whether they are to give up."""
        with self._told():
            return self._held(owner)

    def _held(self, owner: str) -> dict[int, bool]:
        rows = self._rows(sql.ORDERS_OF_OWNER, {"owner": owner})
        return {order: bool(given_up) for order, given_up in rows}

    def give_back(self, owner: str, orders: Collection[int]) -> None:
        """Let others take orders at once."""
        with self._writing():
            for order in orders:
                self._changed(sql.GIVE_ORDER_BACK, {"id": order, "owner": owner})

    def discard(self, owner: str, order: int) -> None:
        """Be done with an order that no entry answers."""
        with self._writing():
            self._changed(sql.DISCARD_ORDER, {"id": order, "owner": owner})

    # --- timers ---

    def due_timers(self, *, now_ms: int, limit: int) -> list[tuple[str, str]]:
        """Flows and their timers that are due, the earliest first."""
        with self._told():
            rows = self._rows(sql.DUE_TIMERS, {"now_ms": now_ms, "limit": limit})
        return [(flow_id, timer) for flow_id, timer in rows]

    def next_timer_ms(self) -> int | None:
        """When the next timer is due."""
        with self._told():
            ((due_ms,),) = self._rows(sql.NEXT_TIMER, {})
        return None if due_ms is None else int(due_ms)

    # --- the file ---

    def version(self) -> int:
        """A number that differs whenever another connection has written."""
        with self._told():
            ((version,),) = self._rows("PRAGMA data_version", {})
        return int(version)

    def close(self) -> None:
        """Let go of the file."""
        if os.getpid() == self._process:
            self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- transactions ---

    @contextmanager
    def _writing(self) -> Generator[None]:
        """A transaction that changes something: wholly, or not at all."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def _reading(self) -> Generator[None]:
        """A transaction that sees one moment, and holds nobody up."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def _transaction(self, begin: str) -> Generator[None]:
        with self._told():
            self.connection.execute(begin)
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                # Some errors, as that of a full disk, have ended the transaction already.
                with suppress(sqlite3.OperationalError):
                    self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _told(self) -> Generator[None]:
        """Tell what SQLite cannot do, and of which file."""
        if os.getpid() != self._process:
            raise StoreError(f"{self.path}: it was opened in another process, before a fork")
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from error

    def _changed(self, statement: str, parameters: dict[str, Any]) -> int:
        """Execute a statement, and return how many rows it changed."""
        return self.connection.execute(statement, parameters).rowcount

    def _rows(self, statement: str, parameters: dict[str, Any]) -> list[Row]:
        return self.connection.execute(statement, parameters).fetchall()

    def _row(self, flow_id: str) -> FlowRow:
        rows = self._rows(sql.FLOW, {"flow_id": flow_id})
        if not rows:
            raise UnknownFlow(flow_id)
        return FlowRow(*rows[0])

    def _snapshot(self, key: dict[str, str]) -> Snapshot | None:
        rows = self._rows(sql.SNAPSHOT, key)
        if not rows:
            return None
        ((seq, digest, since, look, text),) = rows
        position = Position(digest=digest, entries=seq, since=since, look=look)
        return Snapshot(position=position, text=text)


def _standing(position: Position) -> dict[str, Any]:
    """Where a log stands, as columns."""
    return {"digest": position.digest, "since": position.since, "look": position.look}


def _order(row: Row, until_ms: int) -> Order:
    order, flow_id, name, queue, command, deliveries, given_up = row
    return Order(
        id=order,
        flow_id=flow_id,
        name=name,
        queue=queue,
        command=command,
        deliveries=deliveries + 1,
        until_ms=until_ms,
        given_up=bool(given_up),
    )
