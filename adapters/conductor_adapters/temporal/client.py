"""What operators do with flows on Temporal: the `Client` of every other host.

Rule: a client decides nothing. A flow that runs is asked by an update, one that has ended by the
reducer itself: where it revives a flow, a new run of the workflow is started with the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from typing import Any, Final, Self
from uuid import uuid4

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from conductor_adapters.client import FlowSummary
from conductor_adapters.clock import Clock, WallClock
from conductor_adapters.host import Unstamped
from conductor_adapters.routes import owner_of, route_problems
from conductor_adapters.store.errors import FlowExists, UnknownFlow
from conductor_adapters.store.taken_ids import of_flows
from conductor_adapters.temporal import names
from conductor_adapters.temporal.carried import (
    Standing,
    decode_standing,
    fresh,
    going_on,
)
from conductor_adapters.temporal.closing import left_by
from conductor_adapters.temporal.errors import (
    NoAnswer,
    NotReady,
    NotRunning,
    TemporalError,
    told,
)
from conductor_adapters.temporal.flow import TemporalFlow
from conductor_adapters.temporal.history import Run, replayed, run_of
from conductor_adapters.temporal.listing import Listing
from conductor_adapters.temporal.log_of import log_lines, seen_now
from conductor_adapters.temporal.options import Settings, decode_settings, option_problems
from conductor_adapters.temporal.verdict_form import refused, verdict_of
from conductor_core import initial_state, reduce
from conductor_core.codec import encode_event
from conductor_core.errors import SpecError, shown
from conductor_core.events import Event
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState
from conductor_core.verdicts import Accepted, Verdict

POLL_S: Final = 0.1
PATIENCE_S: Final = 30.0
"""So long a worker may take to answer."""
QUERY_S: Final = 3.0
"""So long is waited for a worker that tells where a flow is; without one, its history does."""
TASK_TIMEOUT_S: Final = 10.0
"""So soon a worker is given up that died while it reduced; Temporal's own default."""
WITHOUT_WORKERS_S: Final = 10.0
FORCED: Final = (WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.TIMED_OUT)
ENDED: Final = (
    WorkflowExecutionStatus.COMPLETED,
    WorkflowExecutionStatus.FAILED,
    WorkflowExecutionStatus.CANCELED,
)


class TemporalClient:
    """Starts, asks and watches flows of a namespace: `TemporalClient(await Client.connect(...))`.

    `settings` are those of flows that are started here; `task_queue` is where they run.
    `patience_s` bounds how long a request waits for a worker; what it asked for stands after it.
    A worker has `query_s` to say where a flow is; without one, or with 0, its history is replayed
    here. A worker that died while it reduced is given up after `task_timeout_s`.
    With `search_attributes` flows have `ConductorFlowType`, `ConductorOwnerId` and
    `ConductorOwnerType`, keywords which must be known to the namespace; the memo has them always.
    """

    def __init__(
        self,
        client: Client,
        *,
        settings: Settings | None = None,
        task_queue: str = names.TASK_QUEUE,
        search_attributes: bool = False,
        poll_s: float = POLL_S,
        patience_s: float = PATIENCE_S,
        query_s: float = QUERY_S,
        task_timeout_s: float = TASK_TIMEOUT_S,
        clock: Clock | None = None,
    ) -> None:
        self.client = client
        self.poll_s = poll_s
        self._settings = Settings() if settings is None else settings
        self._task_queue = task_queue
        self._search_attributes = search_attributes
        self._patience = timedelta(seconds=patience_s)
        self._query_s = query_s
        self._task_timeout = timedelta(seconds=task_timeout_s)
        self._clock = clock or WallClock()
        self._asks_histories_until_s = 0.0
        self._listing = Listing(client)

    def _told(self, flow_id: str | None = None) -> AbstractContextManager[None]:
        return told(self.client.service_client.config.target_host, flow_id)

    def _handle(self, flow_id: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(flow_id)

    # --- flows ---

    async def start(self, spec: FlowSpec, *, flow_id: str) -> TemporalFlow:
        """Start a flow, or find it where the same was started under this id.

        Raises FlowExists where another was, SpecError where the flow asks for what cannot be, and
        TooLarge for one that Temporal does not take.
        """
        flow, _ = await self.start_or_find(spec, flow_id=flow_id)
        return flow

    async def start_or_find(self, spec: FlowSpec, *, flow_id: str) -> tuple[TemporalFlow, bool]:
        """As `start`, and whether it was this call that started the flow."""
        state = initial_state(spec, flow_id)
        problems = (*route_problems(spec), *option_problems(spec))
        if problems:
            raise SpecError(problems)
        order = fresh(spec, flow_id, self._settings)
        try:
            with self._told():
                await self._begin(flow_id, order, self._told_at_first(spec))
        except WorkflowAlreadyStartedError:
            flow = await self.flow(flow_id)
            if flow.state.spec != spec:
                raise FlowExists(flow_id, of_flows(flow.state.spec, spec)) from None
            return flow, False
        return TemporalFlow(self, state), True

    async def has_workers(self) -> bool:
        """Whether a worker of the task queue was heard of in the last minutes."""
        with self._told():
            return await self._listing.has_pollers(self._task_queue)

    async def _begin(self, flow_id: str, order: dict[str, Any], about: Mapping[str, Any]) -> None:
        """Start a run of a flow's workflow; raises WorkflowAlreadyStartedError."""
        await self.client.start_workflow(
            names.FLOW,
            order,
            id=flow_id,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            task_timeout=self._task_timeout,
            **about,
        )

    def _told_at_first(self, spec: FlowSpec) -> dict[str, Any]:
        """What Temporal is told of a flow that is started."""
        owner_id, owner_type = owner_of(spec)
        about = {
            names.FLOW_TYPE: spec.type, names.OWNER_ID: owner_id, names.OWNER_TYPE: owner_type
        }  # fmt: skip
        known = {name: value for name, value in about.items() if value is not None}
        return {
            "task_queue": self._task_queue,
            "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
            "memo": {**known, names.BEGAN: self._clock.now_ms()},
            "search_attributes": _attributes(known) if self._search_attributes else None,
            "static_summary": f"{spec.type} flow",
        }

    async def flow(self, flow_id: str) -> TemporalFlow:
        """A flow that was started; raises UnknownFlow."""
        return TemporalFlow(self, await self.look(flow_id))

    async def list(
        self,
        *,
        statuses: Sequence[str] = (),
        after: FlowSummary | None = None,
        limit: int = 1_000,
    ) -> Sequence[FlowSummary]:
        """Flows in the order in which they began, perhaps of some statuses, behind another."""
        with self._told():
            return await self._listing.flows(statuses=statuses, after=after, limit=limit)

    async def waiting_works(self) -> Sequence[tuple[str, str, int]]:
        """The kinds and names of work that nobody has taken, and how many of each."""
        with self._told():
            return await self._listing.waiting_works()

    # --- events ---

    async def tell(self, flow_id: str, what: Unstamped[Event]) -> Verdict:
        """Feed an event that happens now; raises FormatError where it is none.

        Raises UnknownFlow, NoAnswer where no worker answers, NotRunning for a flow that was ended
        by force, and TemporalError for a cluster that cannot be reached.
        """
        name = str(uuid4())
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + self._patience.total_seconds()
        while True:
            try:
                verdict = await self._tell(flow_id, what, name)
            except NotReady:
                if loop.time() > give_up_s:
                    raise
            else:
                if verdict is not None:
                    return verdict
                if loop.time() > give_up_s:
                    raise self._no_answer(flow_id)
            await asyncio.sleep(self.poll_s)

    async def _tell(self, flow_id: str, what: Unstamped[Event], name: str) -> Verdict | None:
        """Feed an event; None where the flow has been revived meanwhile. Raises NotReady too."""
        try:
            return await self._update(flow_id, encode_event(what(at_ms=0)), name)
        except UnknownFlow:
            return await self._tell_ended(flow_id, what)

    async def _update(self, flow_id: str, event: dict[str, Any], name: str) -> Verdict:
        """Tell a flow that runs; raises UnknownFlow for one that does not."""
        # The library itself asks the server again and again, for ever.
        limit = asyncio.timeout(self._patience.total_seconds())
        try:
            async with limit:
                with self._told(flow_id):
                    handle = self._handle(flow_id)
                    return verdict_of(await handle.execute_update(names.TELL, event, id=name))
        except WorkflowUpdateFailedError as error:
            return refused(error.cause)
        except TimeoutError:
            raise self._no_answer(flow_id) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            # So the library says it too where whoever asked was cancelled.
            if isinstance(error.__cause__, asyncio.CancelledError) and not limit.expired():
                raise asyncio.CancelledError from None
            raise self._no_answer(flow_id) from None

    def _no_answer(self, flow_id: str) -> NoAnswer:
        return NoAnswer(
            f"flow {shown(flow_id)}: no worker of its task queue answered within "
            f"{self._patience.total_seconds():g} s; what was asked for counts when one does"
        )

    async def _tell_ended(self, flow_id: str, what: Unstamped[Event]) -> Verdict | None:
        """Tell a flow that has ended; None where somebody else has revived it meanwhile."""
        known = await self._describe(flow_id)
        if known.status in FORCED:
            raise _not_running(known)
        if known.status not in ENDED:
            return None
        standing, settings = await self._left(known)
        event = what(at_ms=max(self._clock.now_ms(), standing.latest_ms))
        verdict = reduce(standing.state, event).verdict
        if not isinstance(verdict, Accepted):
            # Somebody else may have revived it while its history was read.
            now = await self._describe(flow_id)
            return verdict if now.run_id == known.run_id else None
        order = going_on(standing, settings, previous=known.run_id, request=event)
        return verdict if await self._revive(known, order) else None

    async def _revive(self, known: WorkflowExecutionDescription, order: dict[str, Any]) -> bool:
        """Start another run after the last one, and see it begin; tells whether it was this one.

        The flow stays where it was: on its task queue, with its memo and its search attributes.
        """
        about = {
            "task_queue": known.task_queue,
            "id_reuse_policy": WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            "memo": {k: v for k, v in (await known.memo()).items() if k in names.KEPT},
            "search_attributes": _ours(known.typed_search_attributes),
            "static_summary": await known.static_summary(),
        }
        # Whoever revived it meanwhile, and led it to another end, has gone on with the log.
        if (await self._describe(known.id)).run_id != known.run_id:
            return False
        try:
            with self._told():
                await self._begin(known.id, order, about)
        except WorkflowAlreadyStartedError:
            return False
        await self._see_begin(known.id)
        return True

    async def _see_begin(self, flow_id: str) -> None:
        """Wait until a worker has begun a run: then what it was started with stands in the log."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + self._patience.total_seconds()
        while True:
            try:
                with self._told(flow_id):
                    await self._handle(flow_id).query(names.SUMMARY, rpc_timeout=self._patience)
            except NotReady:
                if loop.time() > give_up_s:
                    raise
                await asyncio.sleep(self.poll_s)
            except (TemporalError, WorkflowQueryFailedError):
                raise self._no_answer(flow_id) from None
            else:
                return

    async def take_up(self, flow_id: str) -> TemporalFlow:
        """Begin a flow again where it stood that was ended by force (terminated, or timed out).

        What ran then is dispatched again; what must not run twice unseen has failed (S14.3).
        """
        known = await self._describe(flow_id)
        if known.status in FORCED:
            run = await run_of(self.client, flow_id)
            standing = (await seen_now(self.client, run)).standing()
            settings = decode_settings(run.told["settings"])
            order = going_on(standing, settings, previous=known.run_id)
            await self._revive(known, order)
        return await self.flow(flow_id)

    async def _left(self, known: WorkflowExecutionDescription) -> tuple[Standing, Settings]:
        """Where a flow stands that has ended, and by which settings it was run."""
        run = await run_of(self.client, known.id, known.run_id)
        settings = decode_settings(run.told["settings"])
        standing = await left_by(self.client, run)
        if standing is None:
            standing = (await replayed(self.client, run)).standing()
        return standing, settings

    # --- looking ---

    async def _describe(self, flow_id: str) -> WorkflowExecutionDescription:
        with self._told(flow_id):
            known = await self._handle(flow_id).describe()
        if known.workflow_type != names.FLOW:
            raise TemporalError(
                f"{shown(flow_id)} is no flow but a workflow of type {shown(known.workflow_type)}"
            )
        return known

    async def mark(self, flow_id: str) -> tuple[tuple[str, int], ...]:
        """Something that changes whenever the flow does; raises NotRunning where it cannot."""
        known = await self._describe(flow_id)
        if known.status in FORCED:
            raise _not_running(known)
        seen = [(known.run_id, known.history_length)]
        for child in known.raw_description.pending_children:
            with self._told(flow_id), suppress(UnknownFlow):
                there = await self._handle(child.workflow_id).describe()
                seen.append((there.run_id, there.history_length))
        return tuple(seen)

    async def look(self, flow_id: str) -> FlowState:
        """Where a flow is; raises UnknownFlow."""
        known = await self._describe(flow_id)
        if known.status in ENDED:
            standing, _ = await self._left(known)
            return standing.state
        asked = None if known.status in FORCED else await self._asked(flow_id)
        if asked is None:
            run = await run_of(self.client, flow_id)
            asked = (await seen_now(self.client, run)).state
        return asked

    async def _asked(self, flow_id: str) -> FlowState | None:
        """What a worker says of a flow; None where none says anything."""
        loop = asyncio.get_running_loop()
        if self._query_s <= 0 or loop.time() < self._asks_histories_until_s:
            return None
        try:
            answer = await self._handle(flow_id).query(
                names.STATE, rpc_timeout=timedelta(seconds=self._query_s)
            )
        except (RPCError, WorkflowQueryFailedError) as error:
            if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
                raise UnknownFlow(flow_id) from None
            self._asks_histories_until_s = loop.time() + WITHOUT_WORKERS_S
            return None
        # What a child knows, it need not have said.
        return None if answer["delegated"] else decode_standing(answer).state

    async def log(self, flow_id: str, *, after: int = -1) -> Sequence[str]:
        """The lines of a log so far, or those behind an entry, made again from its histories.

        Raises UnknownFlow. What was ignored or rejected is not among them.
        """
        return await log_lines(self.client, flow_id, after=after)

    async def histories(self, flow_id: str) -> AsyncIterator[Run]:
        """The runs of a flow, the last one first."""
        run_id: str | None = None
        while True:
            run = await run_of(self.client, flow_id, run_id)
            yield run
            run_id = run.previous
            if run_id is None:
                return

    # --- the end ---

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Let go; the connection belongs to whoever made it."""


def _not_running(known: WorkflowExecutionDescription) -> NotRunning:
    status = known.status
    assert status is not None, "what was ended has a status"
    how = status.name.lower().replace("_", " ")
    return NotRunning(
        f"flow {shown(known.id)} was {how} in Temporal: nothing happens to it until it is taken up"
    )


def _ours(attributes: TypedSearchAttributes) -> TypedSearchAttributes:
    """The search attributes that a flow was started with."""
    return TypedSearchAttributes([pair for pair in attributes if pair.key.name in names.KEPT])


def _attributes(known: dict[str, str]) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
            for name, value in known.items()
        ]
    )
