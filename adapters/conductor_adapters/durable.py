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

import asyncio
import logging
import os
import socket
import uuid
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Self, TypedDict, TypeVar, Unpack

from conductor_adapters.calls import Calls
from conductor_adapters.client import ClientFlow, FlowSummary
from conductor_adapters.clock import Alarm, Clock, WallClock
from conductor_adapters.hands import Hands
from conductor_adapters.host import Unstamped
from conductor_adapters.local import Asked, nobody
from conductor_adapters.metrics import Meter
from conductor_adapters.observing import Observer, log_entry, watched
from conductor_adapters.store.boot import since_boot_ms
from conductor_adapters.store.desk import Desk, Job, Result
from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.kept import SNAPSHOT_EVERY, log_lines
from conductor_adapters.store.leases import Leases
from conductor_adapters.store.ledger import Ledger, News, Taken
from conductor_adapters.store.protocol import ASK, GENERATE, STEP, Key, Store
from conductor_adapters.waiting import Waiter
from conductor_adapters.work import Finished, unusable
from conductor_adapters.workers import GroupsOf, Handler, Workers
from conductor_core import events, initial_state
from conductor_core.codec import encode_event
from conductor_core.commands import (
    CancelFutures,
    DispatchStep,
    GenerateSteps,
    RequestApproval,
)
from conductor_core.errors import ConductorError, FormatError, SpecError
from conductor_core.events import Event
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict

T = TypeVar("T")

CLOSE_GRACE_S: Final = 10.0
LEFT_BEHIND_S: Final = 0.1
AGAIN_S: Final = 1.0
"""So long an answer waits that the store did not take."""
THREADS: Final = 32
LEASE_S: Final = 10.0
SLOTS: Final = 100
POLL_S: Final = 0.05
MAX_DELIVERIES: Final = 10

_logger = logging.getLogger("conductor_adapters.store")


class HostOptions(TypedDict, total=False):
    """What may be said of a host beside its handlers; see docs/sqlite.md."""

    generators: Mapping[str, GroupsOf] | None
    clock: Clock | None
    threads: int
    ask: Asked
    observe: Observer | None
    meter: Meter | None
    lease_s: float
    slots: int
    poll_s: float
    max_deliveries: int
    snapshot_every: int
    lease_clock_ms: Callable[[], int]


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
        self.calls = Calls(options.get("threads", THREADS))
        self._ask = options.get("ask", nobody)
        self._observe = options.get("observe")
        self._meter = options.get("meter")
        self._open_store = open_store
        self._snapshot_every = options.get("snapshot_every", SNAPSHOT_EVERY)
        self._lease_ms = round(options.get("lease_s", LEASE_S) * 1000)
        self._leases = self._new_leases(options)
        self._desk = Desk(
            self._open_ledger,
            leases=self._leases,
            deliver=self._deliver,
            broken=self._broke,
            watched=self._is_watched,
            poll_s=options.get("poll_s", POLL_S),
        )
        self._opening: asyncio.Future[None] | None = None
        self._closed: Exception | None = None
        self._jobs: list[Job] = []
        self._flows: weakref.WeakValueDictionary[str, DurableFlow] = weakref.WeakValueDictionary()
        self._hands: dict[str, Hands] = {}
        self._generating: dict[str, Key] = {}
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
            lease_ms=self._lease_ms,
            max_deliveries=options.get("max_deliveries", MAX_DELIVERIES),
            clock_ms=options.get("lease_clock_ms", since_boot_ms),
        )

    def _open_ledger(self) -> Ledger:
        """Open the store in the thread that keeps it."""
        return Ledger(
            self._open_store(),
            now_ms=self.clock.now_ms,
            holder=self._leases,
            snapshot_every=self._snapshot_every,
        )

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
        await self._call(partial(self._start, state))
        await flow.refresh()
        return flow

    def _start(self, state: FlowState, ledger: Ledger) -> None:
        if self._leases is not None and (problems := [*self.workers.missing(state)]):
            others = self._leases.living_works()
            problems = [*_with(self.workers, others).missing(state)]
            if problems:
                raise SpecError(tuple(problems))
        ledger.start(state)

    async def flow(self, flow_id: str, *, observe: Observer | None = None) -> DurableFlow:
        """A flow that was started; raises UnknownFlow."""
        state = await self._call(lambda ledger: ledger.look(flow_id))
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
        return await self._call(
            lambda ledger: ledger.store.flows(statuses=statuses, after=place, limit=limit)
        )

    async def waiting_works(self) -> Sequence[tuple[str, str, int]]:
        """The kinds and names of work that nobody has taken, and how many of each."""
        return await self._call(lambda ledger: ledger.store.waiting_works())

    def _handle(self, state: FlowState, observe: Observer | None) -> DurableFlow:
        flow = self._flows.get(state.flow_id)
        if flow is None:
            flow = self._flows[state.flow_id] = DurableFlow(self, state)
        if observe is not None:
            flow.observers += (observe,)
        return flow

    def _is_watched(self, flow_id: str) -> bool:
        return flow_id in self._flows

    async def tell(self, flow_id: str, what: Unstamped[Event]) -> Verdict:
        """Feed an event that happens now; raises FormatError where it is none."""
        encode_event(what(at_ms=0))
        return await self._call(lambda ledger: ledger.feed(flow_id, what))

    async def look(self, flow_id: str) -> FlowState:
        """Where a flow is; raises UnknownFlow."""
        return await self._call(lambda ledger: ledger.look(flow_id))

    async def log(self, flow_id: str) -> Sequence[str]:
        """The lines of a flow's log so far."""
        rows = await self._call(lambda ledger: ledger.store.entries(flow_id))
        return log_lines(rows)

    # --- jobs ---

    async def open(self) -> None:
        """Open the store; raises StoreError. Everything else opens it if need be."""
        if self._opening is None:
            self._loop = asyncio.get_running_loop()
            self._opening = self._loop.create_future()
            self._desk.start(partial(self._from_thread, self._opened))
        await asyncio.shield(self._opening)

    def _opened(self, error: BaseException | None) -> None:
        assert self._opening is not None, "the desk was started"
        if error is None:
            self._opening.set_result(None)
        else:
            self._closed = ConductorError("the store could not be opened")
            self._opening.set_exception(error)

    async def _call(self, act: Callable[[Ledger], T]) -> T:
        """Have something done in a transaction, and wait for it."""
        await self.open()
        if self._closed is not None:
            raise self._closed
        answer: asyncio.Future[T] = self._loop.create_future()
        self._submit(Job(act, partial(_settle, answer)))
        return await answer

    def _submit(self, job: Job) -> None:
        """Hand a job over together with whatever else comes up in this turn of the loop."""
        if not self._jobs:
            self._loop.call_soon(self._flush)
        self._jobs.append(job)

    def _flush(self) -> None:
        if self._jobs:
            jobs, self._jobs = self._jobs, []
            self._desk.submit(jobs)

    def _from_thread(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call something on the loop; one that is closed waits for nothing."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    def _deliver(self, results: Sequence[Result], news: News) -> None:
        if results or news != _NO_NEWS:
            self._from_thread(self._delivered, results, news)

    def _broke(self, error: BaseException) -> None:
        _logger.error("the host cannot go on", exc_info=error)
        self._from_thread(self._give_up, error)

    def _give_up(self, error: BaseException) -> None:
        self._closed = error if isinstance(error, Exception) else ConductorError(str(error))
        for flow in tuple(self._flows.values()):
            flow.give_up(self._closed)

    def _delivered(self, results: Sequence[Result], news: News) -> None:
        """Act on what a transaction brought about: tell, begin, end, and only then answer."""
        for event, transition in news.entries:
            self._tell(event, transition)
        for flow_id, state in news.changed.items():
            if (flow := self._flows.get(flow_id)) is not None:
                flow.see(state)
        for taken in news.taken:
            self._begin(taken)
        for key in news.given_up:
            self._end(key)
        for key in news.lost:
            self._let_go(key)
        self._measure(news)
        if news.timers:
            self._set_alarm(news.next_due_ms)
        for job, result, error in results:
            job.done(result, error)

    def _tell(self, event: Event, transition: Any) -> None:
        """Show who watches an entry of this host."""
        watched(log_entry, event, transition)
        flow = self._flows.get(transition.state.flow_id)
        if flow is not None:
            flow.see(transition.state)
        for observer in (self._observe, *(() if flow is None else flow.observers)):
            if observer is not None:
                watched(observer, event, transition)

    def _measure(self, news: News) -> None:
        """Hand measures of the store to a meter; those of flows are read by `metrics`."""
        if self._meter is not None:
            for _ in news.lost:
                self._meter.count("conductor.leases.lost", {})
            if news.outbox_age_ms is not None:
                self._meter.measure("conductor.outbox.age", news.outbox_age_ms, {})

    # --- timers ---

    def _set_alarm(self, due_ms: int | None) -> None:
        """Wake when the next timer falls due."""
        if due_ms == self._alarm_ms:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_ms = None, due_ms
        if due_ms is not None and self._leases is not None and self._closed is None:
            self._alarm = self.clock.call_at(due_ms, self._ring)

    def _ring(self) -> None:
        self._alarm = self._alarm_ms = None
        self._desk.nudge()

    # --- what a worker does ---

    def _begin(self, taken: Taken) -> None:
        """Carry out what was taken."""
        command, flow_id = taken.command, taken.order.flow_id
        if self._closed is not None:
            return
        match command:
            case DispatchStep():
                self._hands_of(taken.state).dispatch_step(command)
            case GenerateSteps():
                self._generating[flow_id] = taken.order.key
                self._hands_of(taken.state).generate_steps(command)
            case RequestApproval():
                self._hands_of(taken.state).request_approval(command)
                self._drop(taken.order.key)
            case _:
                raise AssertionError(f"nobody takes {command!r}")

    def _hands_of(self, state: FlowState) -> Hands:
        hands = self._hands.get(state.flow_id)
        if hands is None:
            self._let_idle_hands_go()
            hands = self._hands[state.flow_id] = Hands(
                state,
                workers=self.workers,
                calls=self.calls,
                clock=self.clock,
                ask=self._ask,
                report=partial(self._report, state.flow_id),
                give_up=partial(self._failed, state.flow_id),
            )
        return hands

    def _let_idle_hands_go(self) -> None:
        """Forget, now and then, the hands that have nothing to do."""
        if len(self._hands) >= self._idle_at:
            busy = {key: hands for key, hands in self._hands.items() if hands.under_way()}
            self._hands = busy
            self._idle_at = max(64, 2 * len(busy))

    _idle_at = 64

    def _let_go(self, key: Key) -> None:
        """End what another worker is to do, and may be taken here again once it has ended."""
        assert self._leases is not None, "only a worker loses orders"
        flow_id, kind, name = key
        ended = partial(self._leases.ending.discard, key)
        hands = self._hands.get(flow_id)
        if hands is None or kind != STEP:
            ended()
        else:
            hands.let_go(name, ended)

    def _end(self, key: Key) -> None:
        """Ask work to give up."""
        flow_id, kind, name = key
        hands = self._hands.get(flow_id)
        if kind != STEP:
            if hands is not None and self._generating.pop(flow_id, None) == key:
                hands.end_generation()
            self._drop(key)
        elif hands is not None and hands.running(name) is not None:
            hands.cancel_futures(CancelFutures(attempts=(name,)))

    def _report(self, flow_id: str, what: Unstamped[Event]) -> None:
        """Take what work says to the store."""
        if isinstance(what, Finished):
            self._answer((flow_id, STEP, what.attempt), what)
            return
        event = what(at_ms=0)
        if isinstance(event, events.StepStarted):
            self._say_began((flow_id, STEP, event.attempt), what)
        elif (key := self._generating.pop(flow_id, None)) is not None:
            self._answer(key, what)

    def _say_began(self, key: Key, what: Unstamped[Event]) -> None:
        """Record that work began; nobody waits for it, and it is as well left out."""
        leases = self._leases
        assert leases is not None, "only a worker works"

        def act(ledger: Ledger) -> None:
            # Should the order have been lost meanwhile, its work began all the same.
            if key in leases.held:
                ledger.feed(key[0], what)

        self._submit(Job(act, _told))

    def _answer(self, key: Key, what: Unstamped[Event]) -> None:
        """Record how an order ended, and do not rest before the store has it."""
        leases = self._leases
        assert leases is not None, "only a worker works"
        hands = self._hands.get(key[0])

        def done(_result: object, error: BaseException | None) -> None:
            if isinstance(error, FormatError) and isinstance(what, Finished):
                self._answer(key, unusable(what.attempt, error))
            elif isinstance(error, StoreError) and self._closed is None:
                _logger.warning(
                    "what %s came to is kept until it can be written: %s", key[2], error
                )
                self._loop.call_later(AGAIN_S, self._answer, key, what)
            else:
                _told(None, error)

        if hands is not None:
            hands.orders.discard(key[2])
        self._submit(Job(lambda ledger: ledger.answer(key, leases.worker_id, what), done))

    def _drop(self, key: Key) -> None:
        """Be done with an order that no entry answers."""
        leases = self._leases
        assert leases is not None, "only a worker has orders"
        self._submit(Job(lambda ledger: ledger.drop(key, leases.worker_id), _told))

    def _failed(self, flow_id: str, error: Exception) -> None:
        """Work failed because of this host: others, or this one later, do it again."""
        flow = self._flows.get(flow_id)
        if flow is not None:
            flow.give_up(error)
        _logger.warning("work of flow %s was given back: %s", flow_id, error)
        for name in self._hands[flow_id].left_undone():
            self._submit(Job(partial(self._give_back, (flow_id, STEP, name)), _told))

    def _give_back(self, key: Key, ledger: Ledger) -> None:
        ledger.store.give_back(key, not_before_ms=ledger.now_ms() + self._lease_ms)
        ledger.news.ended.append(key)
        ledger.news.timers = True

    # --- the end ---

    def _tasks(self) -> set[asyncio.Task[None]]:
        return {task for hands in self._hands.values() for task in hands.under_way()}

    async def drain(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """Begin nothing more, and record what work achieves that ends in time."""
        if self._leases is not None:
            self._leases.stop()
        for hands in self._hands.values():
            hands.hold()
        await self._ended_within(grace_s)

    async def close(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """Let go of every flow: work is ended, and others take it up at once."""
        if self._opening is None or self._closed is not None:
            return
        if self._leases is not None:
            self._leases.stop()
        for hands in self._hands.values():
            hands.stop()
        late = await self._ended_within(grace_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=LEFT_BEHIND_S)
        leases = self._leases
        if leases is not None:
            with suppress(StoreError):
                await self._call(lambda _ledger: leases.retire())
        self._end_all()
        self._desk.stop()
        await asyncio.to_thread(self._desk.join)

    async def kill(self) -> None:
        """End as a process does that is killed: from here on nothing reaches the store."""
        if self._opening is None or self._closed is not None:
            return
        self._desk.kill()
        self._end_all()
        for hands in self._hands.values():
            hands.stop()
        await asyncio.to_thread(self._desk.join)

    def _end_all(self) -> None:
        self._flush()
        self._set_alarm(None)
        self._give_up(ConductorError("the host closed"))

    async def _ended_within(self, grace_s: float) -> set[asyncio.Task[None]]:
        tasks = {task for task in self._tasks() if not task.done()}
        if not tasks:
            return tasks
        _, late = await asyncio.wait(tasks, timeout=grace_s)
        return late

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


class DurableFlow(ClientFlow):
    """A flow in a store; use it on the loop's thread only."""

    def __init__(self, host: DurableHost, state: FlowState) -> None:
        self.flow_id = state.flow_id
        self.observers: tuple[Observer, ...] = ()
        self._host = host
        self._state = state
        self._waiters: list[Waiter] = []

    @property
    def state(self) -> FlowState:
        """Where the flow was when this was last told."""
        return self._state

    async def refresh(self) -> FlowState:
        """Where the flow is now."""
        self.see(await self._host.look(self.flow_id))
        return self._state

    async def until(self, holds: Callable[[FlowState], bool]) -> FlowState:
        """Wait for a state of which something holds; raises where this host cannot go on."""
        if holds(self._state):
            return self._state
        waiter = Waiter(holds)
        self._waiters.append(waiter)
        try:
            await self.refresh()
            return await waiter.seen
        finally:
            self._waiters.remove(waiter)

    async def send(self, request: Unstamped[events.Request]) -> Verdict:
        """Deliver a request and return its verdict."""
        return await self.tell(request)

    async def tell(self, what: Unstamped[Event]) -> Verdict:
        """Feed an event that happens now."""
        return await self._host.tell(self.flow_id, what)

    async def log(self) -> Sequence[str]:
        """The lines of the flow's log so far, each with its newline."""
        return await self._host.log(self.flow_id)

    def see(self, state: FlowState) -> None:
        """Take note of a state, and let whoever waits look at it."""
        if state is not self._state:
            self._state = state
            for waiter in self._waiters:
                waiter.look(state)

    def give_up(self, error: Exception) -> None:
        """Tell whoever waits that no state will come here."""
        for waiter in self._waiters:
            waiter.give_up(error)


_NO_NEWS: Final = News()


def _settle(answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Answer whoever waits; who has left hears nothing."""
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


def _told(_result: object, error: BaseException | None) -> None:
    """Leave word of what could not be written down and nobody waits for."""
    if error is not None:
        _logger.error("something could not be written down: %s", error, exc_info=error)


def _with(workers: Workers, works: Iterable[str]) -> Workers:
    """Workers that do more than these; only good for asking what is missing."""
    kinds = [work.partition(":") for work in works]
    return Workers(
        handlers={name: _never for kind, _, name in kinds if kind == STEP} | dict(workers.handlers),
        generators={name: _nothing for kind, _, name in kinds if kind == GENERATE}
        | dict(workers.generators),
    )


def _never(_context: object) -> object:
    raise AssertionError("only asked for, never called")


def _nothing(_command: object) -> Awaitable[Any]:
    raise AssertionError("only asked for, never called")
