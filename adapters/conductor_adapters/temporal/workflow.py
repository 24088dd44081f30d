"""The one workflow that runs every flow: an event comes in, is reduced, and its commands leave.

Rule: the run itself only waits until it is time to leave; all else happens where an event comes
in. It runs outside the sandbox: the reducer is pure, which its own tests enforce, and needs no
guard at every import.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from conductor_adapters.observing import log_entry, watched
from conductor_adapters.temporal import names
from conductor_adapters.temporal.carried import decode_carried, going_on, left
from conductor_adapters.temporal.delegate import Delegate, DelegatingPerformer
from conductor_adapters.temporal.delegation import relayed
from conductor_adapters.temporal.hosting import Hosting, at, started_ms
from conductor_adapters.temporal.packing import LARGEST, SHOWN, wire_size
from conductor_adapters.temporal.record import Record
from conductor_adapters.temporal.runner import SINK
from conductor_adapters.temporal.standing import details, explained, log_page, summary
from conductor_adapters.temporal.verdict_form import answer, refusal
from conductor_core import events, reduce
from conductor_core.codec import decode_event
from conductor_core.errors import ConductorError, FormatError
from conductor_core.events import Event
from conductor_core.json_text import dumps
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.verdicts import Accepted, Verdict

CANCELLED_BY: Final = "temporal"
"""Who asks where a workflow is cancelled in Temporal itself."""


@workflow.defn(name=names.FLOW, sandboxed=False)
class ConductorFlow:
    """A flow; its input is that of `carried`."""

    @workflow.init
    def __init__(self, told: dict[str, Any]) -> None:
        carried = decode_carried(told)
        self._settings = carried.settings
        self._previous = carried.previous
        self._request = carried.request
        self._is_first = carried.standing is None
        self._cancelled = False
        self._status = ""
        sink = workflow.extern_functions()[SINK]()
        self._record = Record(carried.state, carried.standing, at_ms=started_ms(), sink=sink)
        self._hosting = Hosting(
            carried,
            journal=self._record,
            latest_ms=lambda: self._record.latest_ms,
            observe=self._observe,
            next_input=self._next_input,
            performer=DelegatingPerformer,
        )
        performer = self._hosting.performer
        assert isinstance(performer, DelegatingPerformer), "it was asked for"
        self._performer = performer
        self._delegate = Delegate(
            self._hosting,
            performer,
            carried.settings,
        )

    @property
    def _state(self) -> FlowState:
        return self._hosting.state

    @workflow.run
    async def run(self, told: dict[str, Any]) -> dict[str, Any]:
        """Run the flow until it ends, or goes on in another run."""
        self._boot()
        while True:
            try:
                await workflow.wait_condition(self._wakes)
            except asyncio.CancelledError:
                await self._cancel()
                continue
            if self._delegate.failure is not None:
                # The task fails, and is tried again: another release may know better.
                raise self._delegate.failure
            if self._state.outcome is not None:
                return self._end()
            if self._hosting.is_leaving:
                self._hosting.leave()
            elif self._hosting.suggests():
                self._hosting.suggest()

    def _boot(self) -> None:
        """Begin, or take up what the last run left."""
        if self._is_first:
            self._hosting.loop.feed(events.FlowStarted(at_ms=self._record.latest_ms))
        else:
            self._hosting.loop.recover()
        if self._request is not None:
            self._hosting.report(self._request)
        self._hosting.booted = True

    def _wakes(self) -> bool:
        """Whether there is something to do, once all that came together has been applied."""
        hosting = self._hosting
        if hosting.turn.more or hosting.turn.evicted:
            return False
        if not self._delegate.is_at_rest:
            return self._delegate.failure is not None
        return self._state.outcome is not None or hosting.is_leaving or hosting.suggests()

    def _observe(self, event: Event, transition: Transition) -> None:
        if not workflow.unsafe.is_replaying():
            watched(log_entry, event, transition)
        status = transition.state.status
        if status != self._status or transition.state.awaiting:
            self._status = status
            workflow.set_current_details(details(transition.state))

    # --- ways in ---

    async def _take_in(self, event: Event) -> Verdict:
        """Feed an event that happens now, at once unless a child has the group."""
        event = at(event, self._hosting.now_ms())
        if self._delegate.is_at_rest:
            return self._hosting.feed(event, at_ms=event.at_ms)
        return await self._delegate.take_in(event)

    @workflow.update(name=names.TELL)
    async def tell(self, told: dict[str, Any]) -> Any:
        """Take an event in that happens now; the answer is its verdict."""
        self._hosting.traced()
        verdict = await self._take_in(decode_event(told))
        if not isinstance(verdict, Accepted):
            raise refusal(verdict)
        return answer(verdict)

    @tell.validator
    def _check(self, told: dict[str, Any]) -> None:
        """Refuse what would not be accepted, before anything is written."""
        try:
            event = at(decode_event(told), self._hosting.now_ms())
        except ConductorError as error:
            raise ApplicationError(str(error), type="bad-event", non_retryable=True) from None
        if (size := wire_size(dumps(told))) > LARGEST:
            problem = f"{size:,} bytes, of at most {LARGEST:,}"
            raise ApplicationError(problem, type="bad-event", non_retryable=True)
        if self._performer.delegated is not None and relayed(self._state, event) is not None:
            # The child knows better.
            return
        verdict = reduce(self._state, event).verdict
        if not isinstance(verdict, Accepted):
            raise refusal(verdict)

    @workflow.signal(name=names.TELL)
    async def hear(self, told: dict[str, Any]) -> None:
        """Take an event in that happens now, and say nothing."""
        self._hosting.leave_trace()
        try:
            event = decode_event(told)
            if (size := wire_size(dumps(told))) > LARGEST:
                raise FormatError("", f"{size:,} bytes, of at most {LARGEST:,}")
        except ConductorError as error:
            workflow.logger.warning("a signal that is no event is dropped: %s", error)
            return
        await self._take_in(event)

    @workflow.signal(name=names.REPORT)
    def report(self, told: Any) -> None:
        """Take in what a child reports of its group."""
        self._delegate.hear(told)

    async def _cancel(self) -> None:
        """Somebody cancelled the workflow in Temporal."""
        self._cancelled = True
        self._hosting.leave_trace()
        reason = workflow.cancellation_reason() or None
        await self._take_in(events.CancelRequested(at_ms=0, by=CANCELLED_BY, reason=reason))

    # --- the end of a run ---

    def _next_input(self) -> dict[str, Any]:
        standing = self._record.standing(self._state)
        return going_on(standing, self._settings, previous=workflow.info().run_id)

    def _end(self) -> dict[str, Any]:
        """End as the flow has; raises for every outcome but success."""
        state = self._state
        assert state.outcome is not None, "a run ends with its flow"
        self._record.close(state)
        told = left(self._record.standing(state), self._previous)
        if state.outcome.status == "success":
            return told
        if state.outcome.status == "cancelled" and self._cancelled:
            raise asyncio.CancelledError
        reason = state.outcome.reason or state.outcome.status
        message = state.outcome.message or reason
        raise ApplicationError(message[:SHOWN], told, type=reason, non_retryable=True)

    # --- queries ---

    @workflow.query(name=names.STATE)
    def state(self) -> dict[str, Any]:
        """The whole flow, as the next run would get it, and which group a child has."""
        return self._next_input() | {"delegated": self._performer.delegated}

    @workflow.query(name=names.SUMMARY)
    def summary(self) -> dict[str, Any]:
        """A few words about the flow."""
        return summary(self._state, self._record)

    @workflow.query(name=names.EXPLAIN)
    def explain(self) -> dict[str, Any]:
        """Why the flow waits, and who can help."""
        return explained(self._state)

    @workflow.query(name=names.LOG)
    def log(self, after: int = -1, most: int = 1_000) -> dict[str, Any]:
        """Lines of the log that this run has added behind an entry, and whether more follow."""
        return log_page(self._record, after, most, self._previous)
