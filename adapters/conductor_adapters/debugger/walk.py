"""A walk straight to success, and how many events nobody can do without.

Rule: a walk asks for nothing but what is meant to happen: work succeeds, policies pass that
approve by themselves, people approve, resume and retry, waits end, groups come. Every event is
sent to the reducer; one that does not count is no part of the walk. `least` is a bound from
below for every such way, read from the state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from attrs import evolve

from conductor_adapters.debugger.legal import example_group
from conductor_core import events
from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.checking.alphabet import OK, OPERATOR, PASSED
from conductor_core.checking.moves import finished, next_approver, rerun
from conductor_core.events import Event
from conductor_core.explain import quorum_of
from conductor_core.legality import ACCEPTED
from conductor_core.reducer import reduce
from conductor_core.spec import StepSpec
from conductor_core.state import FlowState

MOST: Final = 200_000
"""So many events a walk has at most."""


class Walk:
    """A walk from a state on: its `events`, and the `state` that they lead to."""

    def __init__(self, state: FlowState, now_ms: int, enough: Callable[[], bool]) -> None:
        self.state = state
        self.events: list[Event] = []
        self.given_up = False
        self._now_ms, self._enough = now_ms, enough

    @property
    def succeeded(self) -> bool:
        """Whether the flow has succeeded."""
        return self.state.status == "success"

    def go(self) -> None:
        """Walk on until the flow has succeeded, nothing counts any more, or it is enough."""
        while not self.succeeded and not self.given_up and self._round():
            pass

    def _round(self) -> bool:
        """Do what there is to do for the flow, else for each attempt, else what people must."""
        before = len(self.events)
        if self._send_first(self._about_flow()):
            return True
        for position in self.state.span if self._is_anything_open() else ():
            self._lead_on(position)
        if len(self.events) > before:
            return True
        # Who was retried along with another has not failed any more.
        asked = sum(map(self._send, self._about_people()))
        return asked > 0 or self._send_first(self._about_group())

    def _is_anything_open(self) -> bool:
        return bool(self.state.active or self.state.awaiting or self.state.waiting)

    def _lead_on(self, position: int) -> None:
        """Do for one step what there is to do, until that is nothing."""
        event = self._about_step(position)
        while event is not None and self._send(event):
            event = self._about_step(position)

    def _send_first(self, possible: Iterator[Event]) -> bool:
        """Send one event after another until one counts; tell whether one did."""
        return any(map(self._send, possible))

    def _send(self, event: Event) -> bool:
        if self._enough() or len(self.events) >= MOST:
            self.given_up = True
            return False
        transition = reduce(self.state, event)
        if transition.verdict is not ACCEPTED:
            return False
        self.state, self._now_ms = transition.state, event.at_ms
        self.events.append(event)
        return True

    # --- what there is to do ---

    def _about_flow(self) -> Iterator[Event]:
        state, now_ms = self.state, self._now_ms
        if not state.started:
            yield events.FlowStarted(at_ms=now_ms)
        if state.continuing:
            yield events.ContinuedAsNew(at_ms=now_ms, incarnation=state.incarnation)
        if state.wait_timer is not None and state.wait_due_at_ms is not None:
            yield self._timer(state.wait_timer, state.wait_due_at_ms)
        if state.generating == "running":
            groups = () if state.catalog.groups else (example_group(state, "generated"),)
            yield events.GroupsGenerated(at_ms=now_ms, groups=groups)

    def _about_step(self, position: int) -> Event | None:
        step, attempt = self.state.catalog.steps[position], self.state.live[position]
        if attempt.active:
            asks, ending = step.approval is not None, PASSED if approves_itself(step) else OK
            return _at(self._now_ms, finished(attempt.id, ending, with_subject=asks))
        if attempt.awaiting:
            return _approval(step, attempt, self._now_ms)
        if attempt.timer is not None and attempt.due_at_ms is not None:
            return self._timer(attempt.timer, attempt.due_at_ms)
        return None

    def _about_people(self) -> Iterator[Event]:
        state, now_ms = self.state, self._now_ms
        if state.paused:
            yield events.ResumeRequested(at_ms=now_ms, by=OPERATOR)
        for attempt in state.current_attempts():
            if attempt.failed:
                yield _at(now_ms, rerun(state, attempt.step, "retry-step"))

    def _about_group(self) -> Iterator[Event]:
        state, now_ms = self.state, self._now_ms
        if state.span:
            key = state.catalog.groups[state.current].key
            yield events.GroupRetryRequested(at_ms=now_ms, group=key, by=OPERATOR)

    def _timer(self, timer: str, due_at_ms: int) -> Event:
        return events.TimerFired(at_ms=max(self._now_ms, due_at_ms), timer=timer)


def approves_itself(step: StepSpec) -> bool:
    """Whether a plan of the step needs nobody where its policies pass (S8.2)."""
    return step.approval_spec.auto_approve_on_policy_pass


def _at(now_ms: int, event: Event) -> Event:
    return evolve(event, at_ms=now_ms)


def _approval(step: StepSpec, attempt: Attempt, now_ms: int) -> Event:
    """The next approval of what was planned, by somebody who may give it."""
    subject = None if attempt.result is None else attempt.result.subject
    return events.ApprovalResponded(
        at_ms=now_ms,
        step=step.key,
        response="approve",
        by=next_approver(step, attempt),
        subject=subject,
    )


# --- what nobody can do without ---


def least(state: FlowState) -> int:
    """So many events every way to success has at least on which nothing is skipped."""
    steps = state.catalog.steps
    left = range(state.span.start, len(steps)) if state.span else range(0)
    attempts = state.live.slice(left.start, left.stop)
    failed = any(attempt.failed for attempt in state.current_attempts())
    return (
        (not state.started)
        + state.needs_groups
        + (state.wait_due_at_ms is not None)
        + failed
        + (0 if failed else _waits(state))
        + _held_up(state, failed=failed)
        + sum(
            _least_of(state, steps[position], attempt)
            for position, attempt in zip(left, attempts, strict=True)
        )
    )


def _waits(state: FlowState) -> int:
    """What ends the waits for retries; where something failed, one retry of all does (S10.8)."""
    return sum(
        attempt.status is AttemptStatus.WAITING_TO_RETRY for attempt in state.current_attempts()
    )


def _held_up(state: FlowState, *, failed: bool) -> int:
    """What must come before anything may be dispatched, if anything must."""
    to_come = state.pending or state.waiting or state.wait_due_at_ms is not None or failed
    return state.paused + state.continuing if to_come else 0


def _least_of(state: FlowState, step: StepSpec, attempt: Attempt) -> int:
    """So many events it takes at least until a step has succeeded."""
    if attempt.awaiting:
        return quorum_of(state, attempt).missing
    if attempt.active or attempt.failed or attempt.status is AttemptStatus.WAITING_TO_RETRY:
        return 1 + _approvals(state, step)
    if attempt.status is AttemptStatus.PENDING or attempt.swept:
        return 0 if step.skipped else 1 + _approvals(state, step)
    return 0


def _approvals(state: FlowState, step: StepSpec) -> int:
    """So many approvals a plan of the step takes at least."""
    if step.approval is None or state.approval != "prompt" or approves_itself(step):
        return 0
    return step.approval.required
