"""Runs flows that outlive their host: in a store, by whichever process takes them up.

Rule: everything here happens on the loop's thread, and everything about the store in the
thread of its desk; what passes between them is a job, and what a transaction brought about.
Nothing begins before the transaction is for good that says so, and what work answers is kept
until the store has taken it.

A host is two things. It is a client: it starts flows, delivers requests, watches. And where
it has handlers, generators or somebody to ask, it is a worker: it takes orders of every flow
in the store, also of those that others started.
"""

from __future__ import annotations

import logging
import os
import socket
import uuid
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Self, TypeVar, Unpack

from conductor_adapters.calls import Calls
from conductor_adapters.client import FlowSummary
from conductor_adapters.clock import Alarm, Clock, WallClock
from conductor_adapters.crew import Crew
from conductor_adapters.durable_flow import DurableFlow
from conductor_adapters.durable_options import (
    LEASE_S,
    MAX_DELIVERIES,
    POLL_S,
    SLOTS,
    THREADS,
    HostOptions,
)
from conductor_adapters.host import Unstamped
from conductor_adapters.jobs import Jobs
from conductor_adapters.local import nobody
from conductor_adapters.observing import Observer, log_entry, watched
from conductor_adapters.others import with_others
from conductor_adapters.store.boot import since_boot_ms
from conductor_adapters.store.kept import SNAPSHOT_EVERY, log_lines
from conductor_adapters.store.leases import Leases
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import News
from conductor_adapters.store.protocol import ASK, GENERATE, STEP, Store
from conductor_adapters.waiting import CLOSE_GRACE_S, ended_within, left_behind
from conductor_adapters.workers import Handler, Workers
from conductor_core import initial_state
from conductor_core.codec import encode_event
from conductor_core.errors import ConductorError, SpecError
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict

T = TypeVar("T")

_logger = logging.getLogger("conductor_adapters.store")


class DurableHost:
    """A client of a store and, where it has handlers, a worker; see `sqlite` for the arguments."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        open_store: Callable[[], Store],
        **options: Unpack[HostOptions],
    ) -> None:
        self.workers = Workers(handlers=handlers, generators=options.get("generators") or {})
        self.clock: Clock = options.get("clock") or WallClock()
        self._ask = options.get("ask", nobody)
        self._observe = options.get("observe")
        self._meter = options.get("meter")
        self._open_store = open_store
        self._snapshot_every = options.get("snapshot_every", SNAPSHOT_EVERY)
        self._leases = self._new_leases(options)
        self._jobs = Jobs(
            self._open_ledger,
            leases=self._leases,
            act=self._act,
            broken=self._give_up,
            watched=self._is_watched,
            poll_s=options.get("poll_s", POLL_S),
        )
        self._crew = self._new_crew(options)
        self._flows: weakref.WeakValueDictionary[str, DurableFlow] = weakref.WeakValueDictionary()
        self._observed: dict[str, DurableFlow] = {}
        self._alarm: Alarm | None = None
        self._alarm_ms: int | None = None

    def _new_leases(self, options: HostOptions) -> Leases | None:
        """What this host takes; None where it only asks."""
        asks = [""] if self._ask is not nobody else []
        works = {STEP: [*self.workers.handlers], GENERATE: [*self.workers.generators], ASK: asks}
        if not any(works.values()):
            return None
        name = f"{socket.gethostname()}:{os.getpid()}"
        return Leases(
            f"{name}:{uuid.uuid4().hex[:8]}",
            name=name,
            works=works,
            slots=options.get("slots", SLOTS),
            lease_ms=round(options.get("lease_s", LEASE_S) * 1000),
            max_deliveries=options.get("max_deliveries", MAX_DELIVERIES),
            clock_ms=options.get("lease_clock_ms", since_boot_ms),
        )

    def _new_crew(self, options: HostOptions) -> Crew | None:
        """Who works here; None where this host only asks."""
        if self._leases is None:
            return None
        return Crew(
            self._leases,
            self._jobs,
            workers=self.workers,
            calls=Calls(options.get("threads", THREADS)),
            clock=self.clock,
            ask=self._ask,
            failed_at=self._failed_at,
        )

    def _open_ledger(self) -> Ledger:
        """Open the store in the thread that keeps it."""
        return Ledger(
            self._open_store(),
            now_ms=self.clock.now_ms,
            holder=self._leases,
            snapshot_every=self._snapshot_every,
        )

    async def open(self) -> None:
        """Open the store; raises StoreError. Everything else opens it if need be."""
        await self._jobs.open()

    # --- what a client does ---

    async def start(
        self, spec: FlowSpec, *, flow_id: str, observe: Observer | None = None
    ) -> DurableFlow:
        """Start a flow, or find it where the same was started under this id.

        Raises FlowExists where another was, SpecError where a handler or a generator is
        missing here and on every other worker that lives.
        """
        state = initial_state(spec, flow_id)
        flow = self._handle(state, observe)
        await self._jobs.call(partial(self._start, state))
        await flow.refresh()
        return flow

    def _start(self, state: FlowState, ledger: Ledger) -> None:
        if self._leases is not None and (problems := [*self.workers.missing(state)]):
            others = self._leases.living_works()
            problems = [*with_others(self.workers, others).missing(state)]
            if problems:
                raise SpecError(tuple(problems))
        ledger.start(state)

    async def flow(self, flow_id: str, *, observe: Observer | None = None) -> DurableFlow:
        """A flow that was started; raises UnknownFlow."""
        state = await self.look(flow_id)
        flow = self._handle(state, observe)
        flow.see(state)
        return flow

    async def list(
        self,
        *,
        statuses: Sequence[str] = (),
        after: FlowSummary | None = None,
        limit: int = 1_000,
    ) -> Sequence[FlowSummary]:
        """Flows in the order in which they began, perhaps of some statuses, behind another."""
        place = None if after is None else (after.began_ms, after.flow_id)
        return await self.consult(
            lambda ledger: ledger.store.flows(statuses=statuses, after=place, limit=limit)
        )

    async def waiting_works(self) -> Sequence[tuple[str, str, int]]:
        """The kinds and names of work that nobody has taken, and how many of each."""
        return await self.consult(lambda ledger: ledger.store.waiting_works())

    async def consult(self, look: Callable[[Ledger], T]) -> T:
        """Look into the store, where nothing is changed; for what no verb here is for."""
        return await self._jobs.call(look, reads=True)

    @property
    def broken(self) -> Exception | None:
        """Why nothing goes to the store any more; None while it does."""
        return self._jobs.closed

    def under_way(self) -> int:
        """How much work is under way here."""
        return 0 if self._crew is None else len(self._crew.tasks())

    def _handle(self, state: FlowState, observe: Observer | None) -> DurableFlow:
        flow = self._flows.get(state.flow_id)
        if flow is None:
            flow = self._flows[state.flow_id] = DurableFlow(self, state)
        if observe is not None:
            flow.observers += (observe,)
            if state.outcome is None:
                self._observed[state.flow_id] = flow
        return flow

    def _is_watched(self, flow_id: str) -> bool:
        return flow_id in self._flows

    async def tell(self, flow_id: str, what: Unstamped[Event]) -> Verdict:
        """Feed an event that happens now; raises FormatError where it is none."""
        encode_event(what(at_ms=0))
        return await self._jobs.call(lambda ledger: ledger.feed(flow_id, what))

    async def look(self, flow_id: str) -> FlowState:
        """Where a flow is; raises UnknownFlow."""
        return await self.consult(lambda ledger: ledger.look(flow_id))

    async def log(self, flow_id: str) -> Sequence[str]:
        """The lines of a flow's log so far."""
        rows = await self.consult(lambda ledger: ledger.store.entries(flow_id))
        return log_lines(rows)

    # --- what a transaction brought about ---

    def _act(self, news: News) -> None:
        """Tell who watches, and then begin and end what is to begin and to end."""
        for event, transition in news.entries:
            self._tell(event, transition)
        for flow_id, state in news.changed.items():
            if (flow := self._flows.get(flow_id)) is not None:
                flow.see(state)
        if self._crew is not None:
            self._crew.act(news)
        self._measure(news)
        if news.timers:
            self._set_alarm(news.next_due_ms)

    def _tell(self, event: Event, transition: Transition) -> None:
        """Show who watches an entry of this host."""
        watched(log_entry, event, transition)
        flow = self._flows.get(transition.state.flow_id)
        if flow is not None:
            flow.see(transition.state)
        if transition.state.outcome is not None:
            self._observed.pop(transition.state.flow_id, None)
        for observer in (self._observe, *(() if flow is None else flow.observers)):
            if observer is not None:
                watched(observer, event, transition)

    def _measure(self, news: News) -> None:
        """Hand measures of the store to a meter; those of flows are read by `metrics`."""
        if self._meter is None:
            return
        try:
            for _ in news.lost:
                self._meter.count("conductor.leases.lost", {})
            if news.outbox_age_ms is not None:
                self._meter.measure("conductor.outbox.age", news.outbox_age_ms, {})
        except Exception:
            # As of an observer: what it raises is its own affair.
            _logger.exception("the meter of a host raised")

    def _failed_at(self, flow_id: str, error: Exception) -> None:
        """Tell who waits here for a flow that this host failed it."""
        if (flow := self._flows.get(flow_id)) is not None:
            flow.give_up(error)

    def _give_up(self, error: Exception) -> None:
        """End what runs here, and tell everybody who waits that no state will come."""
        self._set_alarm(None)
        if self._crew is not None:
            self._crew.stop()
        for flow in tuple(self._flows.values()):
            flow.give_up(error)

    # --- timers ---

    def _set_alarm(self, due_ms: int | None) -> None:
        """Wake when the next timer falls due."""
        if due_ms == self._alarm_ms:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_ms = None, due_ms
        if due_ms is not None and self._leases is not None and self._jobs.closed is None:
            self._alarm = self.clock.call_at(due_ms, self._ring)

    def _ring(self) -> None:
        self._alarm = self._alarm_ms = None
        self._jobs.nudge()

    # --- the end ---

    async def drain(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """Begin nothing more, and record what work achieves that ends in time."""
        if self._crew is not None:
            self._crew.hold()
            await ended_within(self._crew.tasks(), grace_s)
            await self._crew.written(grace_s)

    async def close(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """Let go of every flow: work is ended, and others take it up at once."""
        if not self._jobs.was_opened:
            return
        try:
            if self._crew is not None:
                await self._end_work(self._crew, grace_s)
        finally:
            self._jobs.close(ConductorError("the host closed"))
        await self._jobs.end()

    async def _end_work(self, crew: Crew, grace_s: float) -> None:
        """End work, write down what it came to, and leave the rest to others."""
        try:
            crew.stop()
            late = await ended_within(crew.tasks(), grace_s)
            crew.leave()
            await left_behind(late)
            await crew.written(grace_s)
        finally:
            crew.retire()

    async def kill(self) -> None:
        """End as a process does that is killed: from here on nothing reaches the store."""
        if not self._jobs.is_open:
            return
        self._jobs.kill(ConductorError("the host was killed"))
        await self._jobs.end()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()
