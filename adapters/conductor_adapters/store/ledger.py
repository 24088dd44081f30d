"""A flow of a store in the hands of one process: read once, kept up to date, written to.

Rule: what stands in the store is true. A ledger reduces an event on what it last saw, and
appends; if another process was faster, it reads what that appended and reduces anew. Every
entry that is read is reduced and written again, and must come out as it was kept: a store that
was changed by hand, or by a disk, is found out before anything is done for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import frozen

from conductor_adapters.host import Unstamped
from conductor_adapters.store.effects import effects_of
from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.protocol import Appended, Snapshot, Store
from conductor_core import initial_state, reduce
from conductor_core.codec import decode_event, reader
from conductor_core.errors import FormatError, LogError
from conductor_core.events import Event
from conductor_core.json_text import loads
from conductor_core.log import Header, LogWriter, replay, restore, snapshot
from conductor_core.loglines import Position
from conductor_core.reducer import Transition
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState

SNAPSHOT_EVERY: Final = 200
"""So many entries lie between two snapshots at least, and as many as the flow has steps."""


@frozen(kw_only=True)
class _Standing:
    """A state, where its log stands, the time of its last event, its last snapshot."""

    state: FlowState
    position: Position
    latest_ms: int
    put_aside: int = 0

    @property
    def seq(self) -> int:
        """How many entries led to it."""
        return self.position.entries


class Ledger:
    """A flow as this process knows it."""

    def __init__(self, store: Store, flow_id: str, *, snapshot_every: int = SNAPSHOT_EVERY) -> None:
        self.flow_id = flow_id
        self._store = store
        self._snapshot_every = snapshot_every
        stored = store.load(flow_id)
        self._header: Header = reader(Header)(loads(stored.header), Header)
        begun = None if stored.snapshot is None else _restored(stored.snapshot)
        at_ms = stored.row.latest_ms
        played = None if begun is None else self._played(begun, stored.entries, at_ms)
        self._standing = self._replayed() if played is None else played

    @classmethod
    def begun(cls, store: Store, spec: FlowSpec, flow_id: str, *, at_ms: int) -> Ledger:
        """Keep a new flow; raises FlowExists, and SpecError for a bad flow id."""
        writer = LogWriter(initial_state(spec, flow_id), at_ms=at_ms)
        store.create(flow_id, writer.header(), writer.position, at_ms=at_ms)
        return cls(store, flow_id)

    @property
    def state(self) -> FlowState:
        """The state after the last entry that was seen."""
        return self._standing.state

    @property
    def seq(self) -> int:
        """How many entries led to it."""
        return self._standing.seq

    def feed(self, facts: Sequence[Unstamped[Event]], *, now_ms: int) -> list[Transition]:
        """Reduce events that happen now, in turn, and append what became of them for good.

        Raises FormatError for what no log can express, and StoreError where it could not be
        kept; then nothing has happened.
        """
        while True:
            standing, entries, transitions = self._standing, list[Appended](), list[Transition]()
            for what in facts:
                event = what(at_ms=max(now_ms, standing.latest_ms))
                standing, entry, transition = self._reduced(standing, event)
                entries.append(entry)
                transitions.append(transition)
            if self._store.append(entries):
                self._standing = standing
                return transitions
            if not self.refresh():
                raise StoreError(f"flow {self.flow_id!r} has lost entries that it had before")

    def refresh(self) -> bool:
        """See what others have appended meanwhile; tell whether there was anything."""
        stored = self._store.load(self.flow_id, after=self.seq)
        played = self._played(self._standing, stored.entries, stored.row.latest_ms)
        self._standing = self._replayed() if played is None else played
        return bool(stored.entries)

    def _reduced(self, before: _Standing, event: Event) -> tuple[_Standing, Appended, Transition]:
        """What becomes of an event, and the entry that says so."""
        transition = reduce(before.state, event)
        writer = LogWriter.at(self._header, before.position)
        try:
            lines = writer.entry(event, transition)
        except LogError as error:
            raise FormatError("", error.reason) from None
        seq, state = writer.position.entries, transition.state
        since = seq - before.put_aside
        is_due = since >= max(self._snapshot_every, len(state.live))
        after = _Standing(
            state=state,
            position=writer.position,
            latest_ms=event.at_ms,
            put_aside=seq if is_due else before.put_aside,
        )
        entry = Appended(
            flow_id=self.flow_id,
            seq=seq,
            lines=lines,
            position=writer.position,
            status=state.status,
            at_ms=event.at_ms,
            effects=effects_of(event, transition),
            snapshot=_put_aside(after) if is_due else None,
        )
        return after, entry, transition

    def _played(
        self, before: _Standing, entries: Iterable[tuple[int, str]], latest_ms: int
    ) -> _Standing | None:
        """What entries lead to; None where they are not what the reducer says."""
        state, position = before.state, before.position
        for _, lines in entries:
            try:
                event = decode_event(loads(lines.partition("\n")[0])["event"])
            except (FormatError, TypeError, KeyError):
                return None
            writer = LogWriter.at(self._header, position)
            transition = reduce(state, event)
            if writer.entry(event, transition) != lines:
                return None
            state, position = transition.state, writer.position
        return _Standing(
            state=state, position=position, latest_ms=latest_ms, put_aside=before.put_aside
        )

    def _replayed(self) -> _Standing:
        """What the whole log leads to; raises StoreError where it is damaged."""
        try:
            replayed = replay(self._store.lines(self.flow_id), flow_id=self.flow_id)
        except LogError as error:
            raise StoreError(f"the log of flow {self.flow_id!r} is damaged: {error}") from error
        # Read after the lines: it is at least as late as the last of them.
        latest_ms = self._store.load(self.flow_id, after=replayed.entries).row.latest_ms
        return _Standing(state=replayed.state, position=replayed.position, latest_ms=latest_ms)


def _put_aside(standing: _Standing) -> Snapshot:
    return Snapshot(position=standing.position, text=snapshot(standing.state))


def _restored(found: Snapshot) -> _Standing | None:
    """Where a snapshot stands; None for one that is damaged, since it is only a cache."""
    try:
        state = restore(found.text)
    except LogError:
        return None
    position = found.position
    return _Standing(state=state, position=position, latest_ms=0, put_aside=position.entries)
