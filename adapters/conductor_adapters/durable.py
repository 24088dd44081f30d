"""Runs flows that outlive their host: in a store, by whichever process takes them up.

Rule: nothing begins before the transaction is for good that says so, and what work answers is
kept until the store has taken it.

A host is a client (`durable_client`) that works: where it has handlers, generators or somebody
to ask, it takes orders of every flow in the store, also of those that others started.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping
from typing import Unpack

from conductor_adapters.calls import Calls
from conductor_adapters.clock import Alarm
from conductor_adapters.durable_client import DurableClient
from conductor_adapters.durable_options import (
    LEASE_S,
    MAX_DELIVERIES,
    SLOTS,
    THREADS,
    HostOptions,
    of_clients,
)
from conductor_adapters.elsewhere import with_others
from conductor_adapters.executor import Executor
from conductor_adapters.local import Asker, nobody
from conductor_adapters.store.boot import boot_id, since_boot_ms
from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.leases import Leases
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import News
from conductor_adapters.store.protocol import ASK, GENERATE, STEP, Store
from conductor_adapters.waiting import CLOSE_GRACE_S, ended_within, left_behind
from conductor_adapters.workers import Handler, Workers
from conductor_core.errors import ConductorError, SpecError
from conductor_core.state import FlowState

_logger = logging.getLogger("conductor_adapters.store")


class DurableHost(DurableClient):
    """A client of a store and, where it has handlers, a worker; see `sqlite` for the arguments."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        open_store: Callable[[], Store],
        **options: Unpack[HostOptions],
    ) -> None:
        self.workers = Workers(handlers=handlers, generators=options.get("generators") or {})
        self._meter = options.get("meter")
        self._alarm: Alarm | None = None
        self._alarm_ms: int | None = None
        ask = options.get("ask", nobody)
        super().__init__(
            open_store=open_store,
            leases=self._new_leases(ask, options),
            **of_clients(options),
        )
        self._executor = self._new_executor(ask, options)

    def _new_leases(self, ask: Asker, options: HostOptions) -> Leases | None:
        """What this host takes; None where it only asks."""
        asks = [""] if ask is not nobody else []
        works = {STEP: [*self.workers.handlers], GENERATE: [*self.workers.generators], ASK: asks}
        if not any(works.values()):
            return None
        return Leases(
            "",
            name="",
            works=works,
            slots=options.get("slots", SLOTS),
            lease_ms=round(options.get("lease_s", LEASE_S) * 1000),
            max_deliveries=options.get("max_deliveries", MAX_DELIVERIES),
            clock_ms=options.get("lease_clock_ms", since_boot_ms),
        )

    def _new_executor(self, ask: Asker, options: HostOptions) -> Executor | None:
        """Who works here; None where this host only asks."""
        if self._leases is None:
            return None
        return Executor(
            self._leases,
            self._jobs,
            workers=self.workers,
            calls=Calls(options.get("threads", THREADS)),
            clock=self.clock,
            ask=ask,
            failed_at=self._failed_at,
        )

    def _open_ledger(self) -> Ledger:
        """Open the store in the thread that keeps it, under a name of its own."""
        ledger = super()._open_ledger()
        if self._leases is not None:
            _check_clock(ledger.store)
            self._leases.appear_as(f"{socket.gethostname()}:{os.getpid()}")
        return ledger

    def _start(self, state: FlowState, ledger: Ledger) -> None:
        """Start a flow; raises SpecError where something is missing here and on every worker."""
        if self._leases is not None and (problems := [*self.workers.missing(state)]):
            others = self._leases.living_works()
            problems = [*with_others(self.workers, others).missing(state)]
            if problems:
                raise SpecError(tuple(problems))
        ledger.start(state)

    def under_way(self) -> int:
        """How much work is under way here."""
        return 0 if self._executor is None else len(self._executor.tasks())

    # --- what a transaction brought about ---

    def _act(self, news: News) -> None:
        """Tell who watches, and then begin and end what is to begin and to end."""
        super()._act(news)
        if self._executor is not None:
            self._executor.act(news)
        self._measure(news)
        if news.timers:
            self._set_alarm(news.next_due_ms)

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
        if self._executor is not None:
            self._executor.stop()
        super()._give_up(error)

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
        if self._executor is not None:
            self._jobs.check_loop()
            self._executor.hold()
            self._executor.ask_for_a_round()
            await ended_within(self._executor.tasks(), grace_s)
            await self._executor.written(grace_s)

    async def close(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """Let go of every flow: work is ended, and others take it up at once."""
        if not self._jobs.was_opened:
            return
        self._jobs.check_loop()
        try:
            if self._executor is not None:
                await self._end_work(self._executor, grace_s)
        finally:
            # Also where whoever closes is cancelled: a thread that goes on would renew.
            self._jobs.close(ConductorError("the host closed"))
        await super().close()

    async def _end_work(self, executor: Executor, grace_s: float) -> None:
        """End work, write down what it came to, and leave the rest to others."""
        try:
            executor.stop()
            executor.ask_for_a_round()
            late = await ended_within(executor.tasks(), grace_s)
            executor.leave()
            await left_behind(late)
            await executor.written(grace_s)
        finally:
            executor.retire()

    async def kill(self) -> None:
        """End as a process does that is killed: from here on nothing reaches the store."""
        if not self._jobs.is_open:
            return
        self._jobs.kill(ConductorError("the host was killed"))
        await self._jobs.end()


def _check_clock(store: Store) -> None:
    """Raise StoreError where workers of other machines may come: leases go by our own clock."""
    clock, _ = store.clock()
    if clock != boot_id():
        store.close()
        raise StoreError(
            "this host works on what one machine shares, and a database is reached from many; "
            "expected a SQLite file, or Celery workers (conductor_adapters.celery)"
        )
