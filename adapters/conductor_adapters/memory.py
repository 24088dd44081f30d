"""Runs flows in this process, on asyncio.

Rule: everything that concerns a flow happens on the loop's thread, one event at a time; what
runs elsewhere (threads, processes, sleeps) comes back to it as a fact. A flow outlives its
host only through its journal, and work that ended because the host closed is no fact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from conductor_adapters.calls import Calls
from conductor_adapters.clock import Clock, WallClock
from conductor_adapters.handle import FlowHandle
from conductor_adapters.host import FlowLoop, Journal, Unstamped
from conductor_adapters.journal import NoJournal
from conductor_adapters.local import Asker, LocalPerformer, nobody
from conductor_adapters.observing import Observer, log_entry, watched
from conductor_adapters.waiting import CLOSE_GRACE_S, Waiter, ended_within, left_behind
from conductor_adapters.workers import GroupsOf, Handler, Workers
from conductor_core import events, initial_state
from conductor_core.codec import encode_event
from conductor_core.commands import Outcome
from conductor_core.errors import ConductorError, FormatError, SpecError
from conductor_core.reducer import Transition
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict

__all__ = ["Asker", "MemoryFlow", "MemoryHost"]


class MemoryHost:
    """Runs flows in this process; use it as `async with MemoryHost({...}) as host`.

    `handlers` are found by the name of the work, `generators` by the type of the flow.
    Coroutine functions run on the loop, other functions in at most `threads` threads.
    `ask` is told of every approval that is asked for, perhaps again after a crash; `observe`
    sees the entries of all flows (see `metrics` for one that measures them).
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        generators: Mapping[str, GroupsOf] | None = None,
        clock: Clock | None = None,
        threads: int = 32,
        ask: Asker = nobody,
        observe: Observer | None = None,
    ) -> None:
        self.workers = Workers(handlers=handlers, generators=generators or {})
        self.clock: Clock = WallClock() if clock is None else clock
        self.ask = ask
        self.observe = observe
        self.calls = Calls(threads)
        self._flows: dict[str, MemoryFlow] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def start(
        self,
        spec: FlowSpec,
        *,
        flow_id: str,
        journal: Journal | None = None,
        observe: Observer | None = None,
    ) -> MemoryFlow:
        """Start a flow; raises SpecError where a handler or a generator is missing."""
        flow = self._take(initial_state(spec, flow_id), journal, observe)
        flow.tell(events.FlowStarted)
        return flow

    async def recover(
        self,
        state: FlowState,
        *,
        journal: Journal | None = None,
        observe: Observer | None = None,
    ) -> MemoryFlow:
        """Take up a flow whose last host is gone, from the last state of its journal.

        Raises SpecError where a handler or a generator is missing for what is left of it.
        """
        flow = self._take(state, journal, observe)
        flow.recover()
        if flow.state.outcome is None and not flow.state.started:
            flow.tell(events.FlowStarted)
        return flow

    def _take(
        self, state: FlowState, journal: Journal | None, observe: Observer | None
    ) -> MemoryFlow:
        problems = tuple(self.workers.missing(state))
        if problems:
            raise SpecError(problems)
        flow = MemoryFlow(self, state, journal or NoJournal(), observe)
        self.check_alone(flow)
        return flow

    def check_alone(self, flow: MemoryFlow) -> None:
        """Raise ConductorError where another flow runs here under the same id."""
        if self._flows.get(flow.flow_id, flow) is not flow:
            raise ConductorError(f"flow {flow.flow_id!r} runs here already")

    def keep(self, flow: MemoryFlow) -> None:
        """Remember a flow for as long as it is live, and its work for as long as it runs."""
        if flow.state.is_live and not flow.is_broken:
            self._flows[flow.flow_id] = flow
        elif self._flows.get(flow.flow_id) is flow:
            del self._flows[flow.flow_id]
            for task in flow.under_way():
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)

    async def drain(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """Begin nothing more, and record what work achieves that ends in time."""
        for flow in self._flows.values():
            flow.hold()
        await ended_within(self._under_way(), grace_s)

    async def close(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """Let go of every flow: their work is ended, their journals can be recovered."""
        for flow in tuple(self._flows.values()):
            flow.close()
        # A thread that does not listen is left behind.
        await left_behind(await ended_within(self._under_way(), grace_s))

    def _under_way(self) -> set[asyncio.Task[None]]:
        """All work that has not ended, also that of flows that have finished."""
        running = {task for flow in self._flows.values() for task in flow.under_way()}
        return {task for task in running | self._ending if not task.done()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class MemoryFlow(FlowHandle):
    """A flow that runs in this process; use it on the loop's thread only."""

    def __init__(
        self,
        host: MemoryHost,
        state: FlowState,
        journal: Journal,
        observe: Observer | None,
    ) -> None:
        self.flow_id = state.flow_id
        self._host = host
        self._observers = tuple(o for o in (host.observe, observe) if o is not None)
        self._broken: Exception | None = None
        self._kept = False
        self._home = asyncio.get_running_loop()
        self._waiters: list[Waiter] = []
        self._performer = LocalPerformer(
            state,
            workers=host.workers,
            calls=host.calls,
            clock=host.clock,
            ask=host.ask,
            report=self.report,
            give_up=self._break,
        )
        self._loop = FlowLoop(
            state,
            journal=journal,
            performer=self._performer,
            now_ms=host.clock.now_ms,
            observe=self._observe,
        )

    @property
    def state(self) -> FlowState:
        """Where the flow is."""
        return self._loop.state

    async def until(self, holds: Callable[[FlowState], bool]) -> FlowState:
        """Wait for a state of which something holds; raises if the flow cannot go on here."""
        if holds(self.state):
            return self.state
        if self._broken is not None:
            raise self._broken
        waiter = Waiter(holds)
        self._waiters.append(waiter)
        try:
            return await waiter.seen
        finally:
            self._waiters.remove(waiter)

    async def wait(self) -> Outcome:
        """Wait for the end of the flow."""
        state = await self.until(lambda state: state.outcome is not None)
        assert state.outcome is not None, "a flow that ended has an outcome"
        return state.outcome

    async def send(self, request: Unstamped[events.Request]) -> Verdict:
        """Deliver a request and return its verdict."""
        return self.tell(request)

    def tell(self, what: Unstamped[events.Event]) -> Verdict:
        """Feed an event that happens now; raises if it is none, or if the flow is broken."""
        if self._broken is not None:
            raise self._broken
        if asyncio.get_running_loop() is not self._home:
            raise ConductorError(f"flow {self.flow_id!r} belongs to another loop")
        self._host.check_alone(self)
        event = what(at_ms=self._loop.now_ms())
        encode_event(event)  # raises FormatError where no journal could express it
        with self._breakable():
            return self._loop.feed(event)

    def report(self, what: Unstamped[events.Event]) -> None:
        """Feed a fact that happens now, also when the flow was let go of; raises FormatError."""
        try:
            self._loop.report(what)
        except FormatError:
            raise
        except Exception as error:  # noqa: BLE001 - whoever waits for the flow gets to know it
            self._break(error)

    def recover(self) -> None:
        """Carry out what the last host left pending."""
        self._kept = self.state.is_live
        self._host.keep(self)
        with self._breakable():
            self._loop.recover()

    @property
    def is_broken(self) -> bool:
        """Whether the flow cannot go on here."""
        return self._broken is not None

    def under_way(self) -> tuple[asyncio.Task[None], ...]:
        """The work that has not ended yet."""
        return self._performer.under_way()

    def hold(self) -> None:
        """Carry nothing out any more; what has begun runs on."""
        self._loop.stop()
        self._performer.hold()

    def close(self) -> None:
        """Let go of the flow; its work is asked to give up."""
        self._break(ConductorError(f"the host of flow {self.flow_id!r} closed"))

    def _observe(self, event: events.Event, transition: Transition) -> None:
        if transition.state.is_live is not self._kept:
            self._kept = transition.state.is_live
            self._host.keep(self)
        watched(log_entry, event, transition)
        for waiter in self._waiters:
            waiter.look(transition.state)
        for observer in self._observers:
            watched(observer, event, transition)

    @contextmanager
    def _breakable(self) -> Generator[None]:
        """Break the flow on every error but that of an event which no journal can express."""
        try:
            yield
        except FormatError:
            raise
        except Exception as error:
            self._break(error)
            raise

    def _break(self, error: Exception) -> None:
        """Stop where the journal stands: what it could not take did not happen."""
        if self._broken is None:
            self._broken = error
            self._loop.stop()
            self._performer.stop()
            self._host.keep(self)
            for waiter in self._waiters:
                waiter.give_up(error)
