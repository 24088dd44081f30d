"""What asks a store of flows, and watches it: the half of a durable host that does no work.

Rule: everything here happens on the loop's thread, and everything about the store in the
thread of its desk; what passes between them is a job, and what a transaction brought about.
Looking holds nobody up: what only reads is read as the store was at one moment.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self, TypeVar, Unpack

from conductor_adapters.client import FlowSummary
from conductor_adapters.clock import Clock, WallClock
from conductor_adapters.durable_flow import DurableFlow
from conductor_adapters.durable_options import POLL_S, ClientOptions, refuse_unknown
from conductor_adapters.host import Unstamped
from conductor_adapters.jobs import Jobs
from conductor_adapters.observing import Observer, log_entry, watched
from conductor_adapters.store.errors import UnknownFlow
from conductor_adapters.store.kept import SNAPSHOT_EVERY, log_lines
from conductor_adapters.store.leases import Leases
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.office import News
from conductor_adapters.store.protocol import Store
from conductor_core import initial_state
from conductor_core.codec import encode_event
from conductor_core.errors import ConductorError
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState
from conductor_core.verdicts import Verdict

T = TypeVar("T")


class DurableClient:
    """Starts flows in a store, asks and watches; see `sqlite` for the arguments.

    Who is given `leases` takes orders too, which is what a host does.
    """

    def __init__(
        self,
        *,
        open_store: Callable[[], Store],
        leases: Leases | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        refuse_unknown(options, ClientOptions)
        self.clock: Clock = options.get("clock") or WallClock()
        self._observe = options.get("observe")
        self._open_store = open_store
        self._snapshot_every = options.get("snapshot_every", SNAPSHOT_EVERY)
        self._leases = leases
        self._jobs = Jobs(
            self._open_ledger,
            leases=leases,
            act=self._act,
            broken=self._give_up,
            watched=self._is_watched,
            poll_s=options.get("poll_s", POLL_S),
        )
        self._flows: weakref.WeakValueDictionary[str, DurableFlow] = weakref.WeakValueDictionary()
        self._observed: dict[str, DurableFlow] = {}
        self._news = News()

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

    # --- flows ---

    async def start(
        self, spec: FlowSpec, *, flow_id: str, observe: Observer | None = None
    ) -> DurableFlow:
        """Start a flow, or find it where the same was started under this id.

        Raises FlowExists where another was. What `observe` sees are entries of this process;
        it is kept until the flow has ended.
        """
        state = initial_state(spec, flow_id)
        flow = self._handle(state, observe)
        try:
            await self._jobs.call(partial(self._start, state))
            await flow.refresh()
        except BaseException:
            # What stands under this id is another flow, or none.
            flow.observers = tuple(it for it in flow.observers if it is not observe)
            raise
        self._keep_observed(flow)
        return flow

    def _start(self, state: FlowState, ledger: Ledger) -> None:
        ledger.start(state)

    async def flow(self, flow_id: str, *, observe: Observer | None = None) -> DurableFlow:
        """A flow that was started; raises UnknownFlow."""
        flow = self._handle(await self.look(flow_id), observe)
        self._keep_observed(flow)
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

    def _handle(self, state: FlowState, observe: Observer | None) -> DurableFlow:
        flow = self._flows.get(state.flow_id)
        if flow is None:
            flow = self._flows[state.flow_id] = DurableFlow(self, state)
        if observe is not None and observe not in flow.observers:
            flow.observers += (observe,)
        return flow

    def _keep_observed(self, flow: DurableFlow) -> None:
        """Keep a flow that somebody observes until it has ended, though nobody else holds it."""
        if flow.observers and flow.state.outcome is None:
            self._observed[flow.flow_id] = flow

    def _is_watched(self, flow_id: str) -> bool:
        return flow_id in self._flows

    async def tell(self, flow_id: str, what: Unstamped[Event]) -> Verdict:
        """Feed an event that happens now; raises FormatError where it is none."""
        encode_event(what(at_ms=0))
        return await self._jobs.call(lambda ledger: ledger.feed(flow_id, what))

    async def look(self, flow_id: str) -> FlowState:
        """Where a flow is; raises UnknownFlow.

        Who watches it is told as the answer comes in, and not when it is waited for: what comes
        from the store comes in order, so that nobody sees a flow go back.
        """

        def arrived(state: FlowState) -> None:
            # What this very transaction changed afterwards was told before.
            flow = self._flows.get(flow_id)
            if flow is not None and not self._news.tells_of(flow_id):
                flow.see(state)

        return await self._jobs.call(
            lambda ledger: ledger.look(flow_id), reads=True, arrived=arrived
        )

    async def log(self, flow_id: str, *, after: int = -1) -> Sequence[str]:
        """The lines of a log so far, or those behind an entry; raises UnknownFlow.

        They are given as they are, also where they are damaged.
        """

        def read(ledger: Ledger) -> Sequence[str]:
            if ledger.store.flow(flow_id) is None:
                raise UnknownFlow(flow_id)
            return log_lines(ledger.store.entries(flow_id, after=after))

        return await self.consult(read)

    # --- what a transaction brought about ---

    def _act(self, news: News) -> None:
        """Tell who watches."""
        self._news = news
        for event, transition in news.entries:
            self._tell(event, transition)
        for flow_id, state in news.changed.items():
            if (flow := self._flows.get(flow_id)) is not None:
                flow.see(state)
            if state.outcome is not None:
                self._observed.pop(flow_id, None)

    def _tell(self, event: Event, transition: Transition) -> None:
        """Show who watches an entry of this host."""
        watched(log_entry, event, transition)
        flow = self._flows.get(transition.state.flow_id)
        if flow is not None:
            flow.see(transition.state)
        for observer in (self._observe, *(() if flow is None else flow.observers)):
            if observer is not None:
                watched(observer, event, transition)

    def _give_up(self, error: Exception) -> None:
        """Tell everybody who waits that no state will come."""
        for flow in tuple(self._flows.values()):
            flow.give_up(error)

    # --- the end ---

    async def close(self) -> None:
        """Let go of the store, once what was asked of it is done."""
        if self._jobs.was_opened:
            self._jobs.check_loop()
            self._jobs.close(ConductorError("the host closed"))
            await self._jobs.end()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()
