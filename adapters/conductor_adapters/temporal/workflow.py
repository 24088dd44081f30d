"""The one workflow that runs every flow: an event comes in, is reduced, and its commands leave.

Rule: whatever reaches the flow comes through `FlowLoop`, synchronously and in the order in which
it came (`runner`); the run itself only waits until it is time to leave. It runs outside the
sandbox: the reducer is pure, which its own tests enforce, and needs no guard at every import.
"""

from __future__ import annotations

import asyncio
from typing import Any

from attrs import evolve
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from conductor_adapters.host import FlowLoop, Unstamped
from conductor_adapters.observing import log_entry, watched
from conductor_adapters.temporal import names
from conductor_adapters.temporal.carried import decode_carried, going_on, left
from conductor_adapters.temporal.packing import TooLarge
from conductor_adapters.temporal.performer import TemporalPerformer
from conductor_adapters.temporal.record import Record
from conductor_adapters.temporal.runner import SINK, TURN, Turn
from conductor_adapters.temporal.standing import details, explained, log_page, summary
from conductor_adapters.temporal.verdict_form import answer, refusal
from conductor_core import events, reduce
from conductor_core.codec import decode_event
from conductor_core.commands import ContinueAsNew
from conductor_core.errors import ConductorError
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.verdicts import Accepted, Verdict

CANCELLED_BY = "temporal"
"""Who asks where a workflow is cancelled in Temporal itself."""


@workflow.defn(name=names.FLOW, sandboxed=False)
class ConductorFlow:
    """A flow; its input is that of `carried`."""

    @workflow.init
    def __init__(self, told: dict[str, Any]) -> None:
        known = workflow.extern_functions()
        self._turn: Turn = known[TURN]()
        carried = decode_carried(told)
        self._settings = carried.settings
        self._previous = carried.previous
        self._is_first = carried.standing is None
        self._arrives = carried.state.continuing
        self._leaving = False
        self._booted = False
        self._cancelled = False
        self._heard = 0
        self._trace = -1
        self._status = ""
        self._start_ms = _ms(workflow.info().start_time.timestamp())
        self._record = Record(
            carried.state, carried.standing, at_ms=self._start_ms, sink=known[SINK]()
        )
        performer = TemporalPerformer(
            settings=carried.settings,
            turn=self._turn,
            state=lambda: self._loop.state,
            report=self._report,
            happened=lambda what: self._report(what(at_ms=self._record.latest_ms)),
            seen=self._seen,
            traced=self._traced,
            leaves=self._leaves,
        )
        self._loop = FlowLoop(
            carried.state,
            journal=self._record,
            performer=performer,
            now_ms=self._now_ms,
            observe=self._observe,
        )

    @workflow.run
    async def run(self, told: dict[str, Any]) -> dict[str, Any]:
        """Run the flow until it ends, or goes on in another run."""
        self._boot()
        while True:
            try:
                await workflow.wait_condition(self._wakes)
            except asyncio.CancelledError:
                self._cancel()
                continue
            if self._loop.state.outcome is not None:
                return self._end()
            if self._is_leaving():
                self._leave()
            self._suggest()

    def _boot(self) -> None:
        """Begin, or take up what the last run left."""
        if self._is_first:
            self._loop.feed(events.FlowStarted(at_ms=self._start_ms))
        else:
            self._loop.recover()
        self._booted = True

    def _wakes(self) -> bool:
        """Whether there is something to do, once all that came together has been applied."""
        if self._turn.more or self._turn.evicted:
            return False
        return self._loop.state.outcome is not None or self._is_leaving() or self._suggests()

    def _is_leaving(self) -> bool:
        # What people ask in the task that leaves may have made it needless.
        return self._leaving and self._loop.state.continuing

    # --- events ---

    def _now_ms(self) -> int:
        """The time: while the flow is taken up, that at which its run was started."""
        if not self._booted:
            return self._record.latest_ms
        return max(self._record.latest_ms, _ms(workflow.time()))

    def _report(self, event: Event) -> None:
        """Feed a fact that says when it happened."""
        self._feed(event, at_ms=max(event.at_ms, self._record.latest_ms))

    def _seen(self, what: Unstamped[Event]) -> None:
        """Feed a fact that happens now; since nobody says when, a trace is left."""
        self._leave_trace()
        self._loop.report(what)

    def _feed(self, event: Event, *, at_ms: int) -> Verdict:
        return self._loop.feed(_at(event, at_ms))

    def _observe(self, event: Event, transition: Transition) -> None:
        if not workflow.unsafe.is_replaying():
            watched(log_entry, event, transition)
        status = transition.state.status
        if status != self._status or transition.state.awaiting:
            self._status = status
            workflow.set_current_details(details(transition.state))

    def _traced(self) -> None:
        """Take note that this task of the workflow commands something."""
        self._trace = self._turn.number

    def _leave_trace(self) -> None:
        """Command something that does nothing."""
        self._heard += 1
        workflow.upsert_memo({"conductor-heard": self._heard})
        self._traced()

    # --- ways in ---

    @workflow.update(name=names.TELL)
    def tell(self, told: dict[str, Any]) -> Any:
        """Take an event in that happens now; the answer is its verdict."""
        self._traced()
        return answer(self._feed(decode_event(told), at_ms=self._now_ms()))

    @tell.validator
    def _check(self, told: dict[str, Any]) -> None:
        """Refuse what would not be accepted, before anything is written."""
        try:
            event = _at(decode_event(told), self._now_ms())
        except ConductorError as error:
            raise ApplicationError(str(error), type="bad-event", non_retryable=True) from None
        verdict = reduce(self._loop.state, event).verdict
        if not isinstance(verdict, Accepted):
            raise refusal(verdict)

    @workflow.signal(name=names.TELL)
    def hear(self, told: dict[str, Any]) -> None:
        """Take an event in that happens now, and say nothing."""
        self._leave_trace()
        try:
            event = decode_event(told)
        except ConductorError as error:
            workflow.logger.warning("a signal that is no event is dropped: %s", error)
            return
        self._feed(event, at_ms=self._now_ms())

    def _cancel(self) -> None:
        """Somebody cancelled the workflow in Temporal."""
        self._cancelled = True
        self._leave_trace()
        reason = workflow.cancellation_reason() or None
        self._feed(
            events.CancelRequested(at_ms=0, by=CANCELLED_BY, reason=reason), at_ms=self._now_ms()
        )

    # --- the end of a run ---

    def _suggests(self) -> bool:
        """Whether Temporal wants a fresh history, in a task that is there in every replay."""
        state = self._loop.state
        if not state.is_live or state.suggested or state.continuing:
            return False
        return self._trace == self._turn.number and workflow.info().is_continue_as_new_suggested()

    def _suggest(self) -> None:
        if self._suggests():
            incarnation = self._loop.state.incarnation
            self._loop.report(
                lambda *, at_ms: events.ContinueAsNewSuggested(at_ms=at_ms, incarnation=incarnation)
            )

    def _leaves(self, _command: ContinueAsNew) -> bool:
        """Whether a continue-as-new is carried out by leaving; else it is done already."""
        if self._arrives:
            self._arrives = False
            return False
        try:
            self._next_input()
        except TooLarge as error:
            workflow.logger.warning("the flow stays in its history: %s", error)
            return False
        self._leaving = True
        return True

    def _next_input(self) -> dict[str, Any]:
        standing = self._record.standing(self._loop.state)
        return going_on(standing, self._settings, previous=workflow.info().run_id)

    def _leave(self) -> None:
        workflow.continue_as_new(self._next_input())

    def _end(self) -> dict[str, Any]:
        """End as the flow has; raises for every outcome but success."""
        state = self._loop.state
        assert state.outcome is not None, "a run ends with its flow"
        self._record.close(state)
        told = left(self._record.standing(state), self._previous)
        if state.outcome.status == "success":
            return told
        if state.outcome.status == "cancelled" and self._cancelled:
            raise asyncio.CancelledError
        reason = state.outcome.reason or state.outcome.status
        message = state.outcome.message or reason
        raise ApplicationError(message, told, type=reason, non_retryable=True)

    # --- queries ---

    @workflow.query(name=names.STATE)
    def state(self) -> dict[str, Any]:
        """The whole flow, as the next run would get it."""
        return self._next_input()

    @workflow.query(name=names.SUMMARY)
    def summary(self) -> dict[str, Any]:
        """A few words about the flow."""
        return summary(self._loop.state, self._record)

    @workflow.query(name=names.EXPLAIN)
    def explain(self) -> dict[str, Any]:
        """Why the flow waits, and who can help."""
        return explained(self._loop.state)

    @workflow.query(name=names.LOG)
    def log(self, after: int = -1, most: int = 1_000) -> dict[str, Any]:
        """Lines of the log that this run has added behind an entry, and whether more follow."""
        return log_page(self._record, after, most, self._previous)


def _at(event: Event, at_ms: int) -> Event:
    return event if event.at_ms == at_ms else evolve(event, at_ms=at_ms)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
