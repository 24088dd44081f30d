"""The store in a database that speaks SQL, whichever it is.

Rule: a method is a statement or two of `statements`, and says nothing else. How a statement is
carried out, and what goes wrong, is the matter of a connection (`sqlite_connection`,
`postgres_connection`), with which a class of stores is made.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from conductor_adapters.store import statements
from conductor_adapters.store.protocol import (
    LATEST,
    Conflict,
    FlowRow,
    Key,
    Order,
    Sendable,
    SnapshotRow,
    WorkerRow,
)


class SqlStore:
    """Rows of flows, in the hands of one thread of one process."""

    APPEND: ClassVar[str]
    """Compare and append; adds no row where another was faster."""
    CLAIM: ClassVar[str]
    """Put off what is to be sent, so that nobody else sends it meanwhile."""
    SENT: ClassVar[str] = statements.SENT
    """Take note of what was sent."""

    # --- what a connection does ---

    @abstractmethod
    def _do(self, statement: str, **values: object) -> int:
        """Change rows, and tell how many."""

    @abstractmethod
    def _add(self, statement: str, **values: object) -> int | None:
        """Add a row that numbers itself, and tell its number; None where it was not added."""

    @abstractmethod
    def _all(self, statement: str, **values: object) -> list[Any]:
        """Every row that is found."""

    @abstractmethod
    def _one(self, statement: str, **values: object) -> Any:
        """The first row that is found; None where there is none."""

    # --- flows and their logs ---

    def add_flow(self, row: FlowRow, header: str) -> int:
        """Begin the log of a flow, and tell its place; raises Conflict where there is one."""
        added = self._do(
            statements.ADD_FLOW,
            flow_id=row.flow_id,
            type=row.type,
            status=row.status,
            began_ms=row.began_ms,
            changed_ms=row.changed_ms,
            accepted_only=int(row.accepted_only),
        )
        if added == 0:
            raise Conflict(row.flow_id)
        place = self._add(statements.ADD_HEADER, flow_id=row.flow_id, lines=header)
        assert place is not None, "where the flow is new there is no header"
        return place

    def flow(self, flow_id: str) -> FlowRow | None:
        """What a list says of a flow."""
        found = self._one(statements.FLOW, flow_id=flow_id)
        return None if found is None else _flow_row(found)

    def flows(
        self, *, statuses: Sequence[str] = (), after: tuple[int, str] | None = None, limit: int
    ) -> list[FlowRow]:
        """Flows in the order in which they began."""
        began_ms, flow_id = (-(2**62), "") if after is None else after
        where = {"began_ms": began_ms, "flow_id": flow_id, "limit": limit}
        if not statuses:
            return [_flow_row(found) for found in self._all(statements.FLOWS, **where)]
        found = [
            _flow_row(each)
            for status in dict.fromkeys(statuses)
            for each in self._all(statements.FLOWS_OF_STATUS, status=status, **where)
        ]
        return sorted(found, key=lambda row: (row.began_ms, row.flow_id))[:limit]

    def set_status(self, flow_id: str, status: str, at_ms: int) -> None:
        """Say anew where a flow is."""
        self._do(statements.SET_STATUS, flow_id=flow_id, status=status, changed_ms=at_ms)

    def remove_flow(self, flow_id: str) -> None:
        """Forget a flow and everything about it."""
        for statement in statements.REMOVE_FLOW:
            self._do(statement, flow_id=flow_id)

    def append(self, flow_id: str, seq: int, lines: str, *, behind: int) -> int:
        """Append an entry behind a place, and tell its own; raises Conflict."""
        place = self._add(self.APPEND, flow_id=flow_id, seq=seq, lines=lines, behind=behind)
        if place is None:
            raise Conflict(flow_id, seq)
        return place

    def extend(self, flow_id: str, seq: int, lines: str) -> None:
        """Add lines behind those of an entry."""
        self._do(statements.EXTEND, flow_id=flow_id, seq=seq, lines=lines)

    def place(self, flow_id: str) -> int | None:
        """The place of the last entry, or of the header; None where there is no flow."""
        found = self._one(statements.PLACE, flow_id=flow_id)
        return None if found is None else int(found[0])

    def entries(self, flow_id: str, *, after: int = -1) -> list[tuple[int, str]]:
        """The entries behind a number with their lines."""
        return self._all(statements.ENTRIES, flow_id=flow_id, after=after)

    def grown(self, *, after: int) -> tuple[list[str], int]:
        """The flows to which something was appended behind a place, and the place now."""
        found = self._one(statements.LAST_NUMBER)
        last = 0 if found is None else int(found[0])
        grown = self._all(statements.GROWN, after=after, last=last) if last > after else []
        return [flow_id for (flow_id,) in grown], last

    def snapshot(self, flow_id: str) -> SnapshotRow | None:
        """The state of a flow that was put aside."""
        found = self._one(statements.SNAPSHOT, flow_id=flow_id)
        if found is None:
            return None
        seq, at_ms, position, state = found
        return SnapshotRow(seq=seq, at_ms=at_ms, position=position, state=state)

    def put_snapshot(self, flow_id: str, row: SnapshotRow) -> None:
        """Put a state aside, in place of an earlier one."""
        self._do(
            statements.PUT_SNAPSHOT,
            flow_id=flow_id,
            seq=row.seq,
            at_ms=row.at_ms,
            position=row.position,
            state=row.state,
        )

    # --- the outbox ---

    def put_order(
        self, order: Order, owner: str | None, *, at_ms: int, sent_until_ms: int = 0
    ) -> bool:
        """Put a command into the outbox, perhaps as taken, or as sent."""
        put = self._do(
            statements.PUT_ORDER,
            flow_id=order.flow_id,
            kind=order.kind,
            name=order.name,
            work=order.work,
            owner=owner,
            deliveries=order.deliveries,
            not_before_ms=sent_until_ms,
            since_ms=at_ms,
            sent_ms=at_ms if sent_until_ms else 0,
        )
        return put == 1

    def order(self, key: Key) -> tuple[Order, str | None] | None:
        """A command that is in the outbox, and who has taken it."""
        found = self._one(statements.ORDER, **_named(key))
        return None if found is None else (_order(*found[:6]), found[6])

    def ready(self, kind: str, work: str, *, at_ms: int, limit: int) -> list[Order]:
        """Commands that nobody has taken, the oldest first."""
        found = self._all(statements.READY, kind=kind, work=work, at_ms=at_ms, limit=limit)
        return [_order(*each) for each in found]

    def claim(self, kind: str, *, at_ms: int, until_ms: int, limit: int) -> list[Sendable]:
        """Commands that nobody has taken and that are to be looked at, which puts them off."""
        return [
            Sendable(_order(*each[:6]), since_ms=each[6], sent_ms=each[7])
            for each in self._all(
                self.CLAIM, kind=kind, at_ms=at_ms, until_ms=until_ms, limit=limit
            )
        ]

    def sent(self, key: Key, *, at_ms: int, until_ms: int) -> None:
        """Take note that a command was sent, and is not to be looked at before a time."""
        self._do(self.SENT, **_named(key), sent_ms=at_ms, not_before_ms=until_ms)

    def is_due(self, kind: str, *, at_ms: int) -> bool:
        """Whether there is anything to `claim`."""
        return self._one(statements.IS_DUE, kind=kind, at_ms=at_ms) is not None

    def take(self, key: Key, owner: str) -> None:
        """Take a command that nobody has taken."""
        self._do(statements.TAKE, **_named(key), owner=owner)

    def give_back(self, key: Key, *, not_before_ms: int = 0, uncounted: bool = False) -> None:
        """Let others take a command, perhaps as if it had not been delivered this time."""
        given = {"not_before_ms": not_before_ms, "uncounted": int(uncounted)}
        self._do(statements.GIVE_BACK, **_named(key), **given)

    def answered(self, key: Key, owner: str) -> bool:
        """Remove a command that its owner has carried out."""
        return self._do(statements.ANSWERED, **_named(key), owner=owner) == 1

    def remove_order(self, key: Key) -> None:
        """Remove a command, whoever has it."""
        self._do(statements.REMOVE_ORDER, **_named(key))

    def ask_to_give_up(self, key: Key) -> None:
        """Leave word for the owner of a command that it shall give up."""
        self._do(statements.ASK_TO_GIVE_UP, **_named(key))

    def orders_of(self, owner: str) -> list[Order]:
        """What a worker has taken."""
        return [_order(*each) for each in self._all(statements.ORDERS_OF, owner=owner)]

    def orders_in(self, flow_id: str) -> list[tuple[Order, str | None]]:
        """What is in the outbox for a flow, and who has it."""
        found = self._all(statements.ORDERS_IN, flow_id=flow_id)
        return [(_order(*each[:6]), each[6]) for each in found]

    def abandoned(self, *, boot: str, now_ms: int, limit: int) -> list[Order]:
        """Commands whose owners have gone."""
        found = self._all(statements.ABANDONED, boot=boot, now_ms=now_ms, limit=limit)
        return [_order(*each) for each in found]

    def oldest_ready_ms(self) -> int | None:
        """Since when the oldest work waits that nobody has taken."""
        (since_ms,) = self._one(statements.OLDEST_READY)
        return None if since_ms is None else int(since_ms)

    def waiting_works(self) -> list[tuple[str, str, int]]:
        """The kinds and names of work that nobody has taken, and how many of each."""
        return self._all(statements.WAITING_WORKS)

    # --- timers ---

    def put_timer(self, flow_id: str, timer: str, due_ms: int) -> None:
        """Set a timer, in place of one with the same id."""
        self._do(statements.PUT_TIMER, flow_id=flow_id, timer=timer, due_ms=due_ms)

    def remove_timer(self, flow_id: str, timer: str, *, due_by_ms: int = LATEST) -> bool:
        """Forget a timer, if it falls due by then."""
        gone = self._do(statements.REMOVE_TIMER, flow_id=flow_id, timer=timer, due_by_ms=due_by_ms)
        return gone == 1

    def remove_timers(self, flow_id: str) -> None:
        """Forget every timer of a flow."""
        self._do(statements.REMOVE_TIMERS, flow_id=flow_id)

    def due_timers(self, *, at_ms: int, limit: int) -> list[tuple[str, str]]:
        """The flows and timers that fell due, the earliest first."""
        return self._all(statements.DUE_TIMERS, at_ms=at_ms, limit=limit)

    def next_due_ms(self, *, at_ms: int) -> int | None:
        """When the next timer falls due, or what was put off may be taken."""
        (due_ms,) = self._one(statements.NEXT_DUE)
        (ready_ms,) = self._one(statements.NEXT_READY, at_ms=at_ms)
        found: list[int] = [ms for ms in (due_ms, ready_ms) if ms is not None]
        return min(found, default=None)

    # --- workers ---

    def renew(self, row: WorkerRow) -> None:
        """Say that a worker lives, and until when without another word."""
        self._do(
            statements.RENEW,
            worker_id=row.worker_id,
            name=row.name,
            boot=row.boot,
            until_ms=row.until_ms,
            works="\n".join(sorted(row.works)),
        )

    def retire(self, worker_id: str) -> None:
        """Say that a worker has gone."""
        self._do(statements.RETIRE, worker_id=worker_id)

    def workers(self, *, boot: str, now_ms: int) -> list[WorkerRow]:
        """The workers that live."""
        return [
            WorkerRow(
                worker_id=worker_id,
                name=name,
                boot=boot,
                until_ms=until_ms,
                works=frozenset(works.split("\n")) - {""},
            )
            for worker_id, name, boot, until_ms, works in self._all(
                statements.WORKERS, boot=boot, now_ms=now_ms
            )
        ]

    def bury(self, *, boot: str, now_ms: int) -> None:
        """Forget the workers that have gone and hold nothing."""
        self._do(statements.BURY, boot=boot, now_ms=now_ms)


def _named(key: Key) -> dict[str, str]:
    flow_id, kind, name = key
    return {"flow_id": flow_id, "kind": kind, "name": name}


def _flow_row(found: Any) -> FlowRow:
    flow_id, kind, status, began_ms, changed_ms, accepted_only = found
    return FlowRow(
        flow_id=flow_id,
        type=kind,
        status=status,
        began_ms=began_ms,
        changed_ms=changed_ms,
        accepted_only=bool(accepted_only),
    )


def _order(flow_id: str, kind: str, name: str, work: str, deliveries: int, give_up: int) -> Order:
    return Order(
        flow_id=flow_id,
        kind=kind,
        name=name,
        work=work,
        deliveries=deliveries,
        give_up=bool(give_up),
    )
