"""Every sequence of events over a tiny flow, up to some length, reducer and model side by side.

Rule: a state that was reached before is not entered again, since equal states behave alike
(law 1). All happens at time 0: an open timer may fire at any time, and a plan with
`stale_after_ms` 0 is stale at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from attrs import field, frozen

from conductor_core import FlowSpec, FlowState, GroupSpec, StepSpec, events
from conductor_core.attempt import Attempt
from conductor_core.events import Event, StepError
from property_tests.differential import FLOW_ID, Pair

BY = "ana"
LATER = (GroupSpec(key="later", steps=(StepSpec(key="z"),)),)


@frozen(kw_only=True)
class Explored:
    """What was met: how many states and events, and how often each status and verdict."""

    states: int
    events: int
    statuses: Counter[str] = field(factory=Counter)
    verdicts: Counter[str] = field(factory=Counter)


def explore(spec: FlowSpec, depth: int) -> Explored:
    """Send every event of the menu in every state that so many events lead to."""
    start = Pair(spec).state
    seen: set[FlowState] = {start}
    frontier: list[tuple[FlowState, tuple[Event, ...]]] = [(start, ())]
    statuses, verdicts = Counter[str](), Counter[str]()
    for _ in range(depth):
        entered: list[tuple[FlowState, tuple[Event, ...]]] = []
        for state, path in frontier:
            for event, verdict, after in outcomes(spec, state, path):
                verdicts[verdict] += 1
                if after not in seen:
                    seen.add(after)
                    statuses[after.status] += 1
                    entered.append((after, (*path, event)))
        frontier = entered
    return Explored(states=len(seen), events=verdicts.total(), statuses=statuses, verdicts=verdicts)


def outcomes(
    spec: FlowSpec, state: FlowState, path: tuple[Event, ...]
) -> Iterator[tuple[Event, str, FlowState]]:
    """Each event of the menu, its verdict and the state after it, on both sides alike."""
    pair = Pair.after(spec, path)
    for event in menu(state):
        difference = pair.send(event)
        assert difference is None, str(difference)
        yield event, pair.verdict, pair.state
        if pair.state is not state:
            pair = Pair.after(spec, path)
            state = pair.state


def menu(state: FlowState) -> Iterator[Event]:
    """At least one event of every kind, and each that the state could be waiting for."""
    yield events.FlowStarted(at_ms=0)
    for attempt in state.live:
        yield from _about_work(attempt)
        yield from _about_failure(state, attempt)
    yield from _about_approvals(state)
    for timer in (*(timer for timer, _ in state.timers()), "tea"):
        yield events.TimerFired(at_ms=0, timer=timer)
    for group in state.catalog.groups:
        yield events.GroupRetryRequested(at_ms=0, group=group.key, by=BY)
    yield from _about_generation()
    yield from _about_the_flow(state)


def _about_work(attempt: Attempt) -> Iterator[Event]:
    """Every way in which work ends; for an attempt that is not at work, one that is stale."""
    finished = partial(events.StepFinished, at_ms=0, attempt=attempt.id)
    yield finished(outcome="succeeded")
    if attempt.active:
        yield finished(outcome="failed")
        yield finished(outcome="failed", error=StepError(terminal=True))
        yield finished(outcome="cancelled")
        yield finished(outcome="failed", directive="retry-group")
        yield finished(outcome="failed", directive="await-retry")
        yield finished(outcome="succeeded", directive="skip-group")
        yield finished(outcome="succeeded", directive="stop")
        yield events.StepStarted(at_ms=0, attempt=attempt.id)


def _about_failure(state: FlowState, attempt: Attempt) -> Iterator[Event]:
    """What people do about a failure."""
    rerun = partial(events.RerunRequested, at_ms=0, by=BY, flow_id=FLOW_ID, step_id=attempt.step)
    yield rerun()
    if attempt.failed:
        yield rerun(operation="skip-step")
        first, last = state.live[0].step, state.live[len(state.live) - 1].step
        yield rerun(stale_plan=True, replan_step_id=first)
        yield rerun(additional_skip_step_ids=(last,))
        yield rerun(operation="skip-step", additional_skip_step_ids=(last,))
    yield events.RetryNowRequested(at_ms=0, step=attempt.step, by=BY)


def _about_approvals(state: FlowState) -> Iterator[Event]:
    for attempt in state.open_approvals():
        for response in ("deny", "skip-current", "skip-current-and-dependents", "retry", "shrug"):
            yield answer(attempt.step, response)
        yield answer(attempt.step, "approve", by="bo")
    for attempt in state.live:
        yield answer(attempt.step, "approve")
    yield events.ApprovalOptionChanged(at_ms=0, option="approve-all", by=BY)


def answer(step: str, response: str, *, by: str = BY) -> Event:
    """A response to an approval."""
    return events.ApprovalResponded(at_ms=0, step=step, response=response, by=by)


def _about_generation() -> Iterator[Event]:
    for complete in (False, True):
        yield events.GroupsGenerated(at_ms=0, groups=LATER, complete=complete)
    yield events.GroupsGenerated(at_ms=0)
    yield events.GenerationFailed(at_ms=0)


def _about_the_flow(state: FlowState) -> Iterator[Event]:
    yield events.ContinueAsNewSuggested(at_ms=0, incarnation=state.incarnation)
    yield events.ContinuedAsNew(at_ms=0, incarnation=state.incarnation)
    yield events.PauseRequested(at_ms=0, by=BY)
    yield events.ResumeRequested(at_ms=0, by=BY)
    yield events.AppendRequested(at_ms=0, by=BY, groups=LATER)
    yield events.CancelRequested(at_ms=0, by=BY)
