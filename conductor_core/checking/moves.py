"""What may happen next: the events of an alphabet that a state is open to.

Rule: what is enabled is read from the state (its attempts, its timers, what it asked for) and
has no meaning here; whether an event counts is for the reducer to say, and one that is
refused only costs a question. Of steps that are alike one is tried for all.

All happens at time 0, but for an answer that comes too late; `times` finds out when it could
have happened. What must not count at all is sent by `strays`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import evolve, frozen

from conductor_core import events
from conductor_core.attempt import Attempt, AttemptStatus
from conductor_core.checking.alphabet import OPERATOR, Alphabet, Ending, Spent
from conductor_core.checking.strays import strays
from conductor_core.events import Event
from conductor_core.spec import StepSpec
from conductor_core.state import FlowState

STRANGER: Final = "stranger"
ANSWERS: Final = (
    events.FlowStarted,
    events.StepFinished,
    events.TimerFired,
    events.GroupsGenerated,
    events.GenerationFailed,
    events.ContinuedAsNew,
)
"""What a host owes to a flow: it answers every command that has an answer."""


@frozen
class Move:
    """An event that may come next, and what will be spent then."""

    event: Event
    spent: Spent


def moves(
    alphabet: Alphabet, state: FlowState, spent: Spent, positions: Sequence[int]
) -> Iterator[Move]:
    """Everything that may happen next; of the current group only what `positions` name."""
    if not state.started and state.outcome is None:
        yield Move(events.FlowStarted(at_ms=0), spent)
    steps, live = state.catalog.steps, state.live
    for position in positions:
        yield from _about(alphabet, state, spent, steps[position], live[position])
    yield from _about_group(alphabet, state, spent)
    yield from _about_generation(alphabet, state, spent)
    yield from _about_flow(alphabet, state, spent)
    if alphabet.strays:
        yield from (Move(event, spent) for event in strays(state))


def _about(
    alphabet: Alphabet, state: FlowState, spent: Spent, step: StepSpec, attempt: Attempt
) -> Iterator[Move]:
    """What may happen to one attempt of the current group."""
    timer = attempt.timer
    if timer is not None and alphabet.timers:
        yield Move(events.TimerFired(at_ms=0, timer=timer), spent)
    if attempt.active:
        yield from _about_work(alphabet, spent, step, attempt)
    elif attempt.awaiting:
        yield from _about_approval(alphabet, spent, step, attempt)
    elif attempt.failed:
        yield from _about_failure(alphabet, state, spent, attempt)
    elif attempt.status is AttemptStatus.WAITING_TO_RETRY and alphabet.retry_now:
        yield Move(events.RetryNowRequested(at_ms=0, step=attempt.step, by=OPERATOR), spent)


# --- work ---


def _about_work(
    alphabet: Alphabet, spent: Spent, step: StepSpec, attempt: Attempt
) -> Iterator[Move]:
    if alphabet.starts and attempt.status is AttemptStatus.QUEUED:
        yield Move(events.StepStarted(at_ms=0, attempt=attempt.id), spent)
    asks = alphabet.may_ask_people(step)
    for ending in alphabet.endings_of(step):
        yield Move(finished(attempt.id, ending, with_subject=asks), spent)


def finished(attempt: str, ending: Ending, *, with_subject: bool = False) -> events.StepFinished:
    """The event of such an ending; what people may be asked about has a subject of its own."""
    return events.StepFinished(
        at_ms=0,
        attempt=attempt,
        outcome=ending.outcome,
        directive=ending.directive,
        error=ending.error,
        noop=ending.noop,
        policy=ending.policy,
        subject=f"what {attempt} planned" if with_subject else None,
    )


# --- approvals ---


def _about_approval(
    alphabet: Alphabet, spent: Spent, step: StepSpec, attempt: Attempt
) -> Iterator[Move]:
    assert attempt.approval is not None, f"{attempt.id!r} was never asked about"
    spec, asked_ms = step.approval_spec, attempt.approval.requested_at_ms
    by = next_approver(step, attempt)
    again = Spent(spent.reruns, spent.replans + 1, spent.suggestions)
    for response in alphabet.answers:
        if response != "retry":
            yield Move(_answer(attempt, response, by, asked_ms), spent)
        elif again.replans <= alphabet.replans:
            yield Move(_answer(attempt, response, by, asked_ms), again)
    if "approve" not in alphabet.answers:
        return
    if alphabet.stale and spec.stale_after_ms is not None and again.replans <= alphabet.replans:
        yield Move(_answer(attempt, "approve", by, asked_ms + spec.stale_after_ms), again)
    if alphabet.silent:
        told = _answer(attempt, "approve", by, asked_ms)
        yield Move(evolve(told, subject=None), spent)
    if alphabet.impostors:
        yield from (Move(event, spent) for event in _impostors(step, attempt, by, asked_ms))


def _answer(
    attempt: Attempt, response: str, by: str, at_ms: int, subject: str | None = None
) -> events.ApprovalResponded:
    """An answer about what was asked about, unless another subject is given."""
    if subject is None and attempt.result is not None:
        subject = attempt.result.subject
    return events.ApprovalResponded(
        at_ms=at_ms, step=attempt.step, response=response, by=by, subject=subject
    )


def _impostors(step: StepSpec, attempt: Attempt, by: str, at_ms: int) -> Iterator[Event]:
    """Approvals that must not count (section 8)."""
    yield _answer(attempt, "approve", by, at_ms, f"not what {attempt.id} planned")
    assert attempt.approval is not None, f"{attempt.id!r} was never asked about"
    for name in attempt.approval.approvers[-1:]:
        yield _answer(attempt, "approve", name, at_ms)
    if step.approval_spec.approvers is not None:
        yield _answer(attempt, "approve", STRANGER, at_ms)


def next_approver(step: StepSpec, attempt: Attempt) -> str:
    """The first who may approve and has not; where anybody may, somebody who has not."""
    assert attempt.approval is not None, f"{attempt.id!r} was never asked about"
    given = attempt.approval.approvers
    named = step.approval_spec.approvers
    if named is None:
        return f"{OPERATOR}-{len(given) + 1}"
    return next((name for name in named if name not in given), named[0])


# --- failures ---


def _about_failure(
    alphabet: Alphabet, state: FlowState, spent: Spent, attempt: Attempt
) -> Iterator[Move]:
    after = Spent(spent.reruns + 1, spent.replans, spent.suggestions)
    if after.reruns > alphabet.reruns:
        return
    for operation in alphabet.operations:
        yield from (Move(event, after) for event in _reruns(state, attempt.step, operation))


def _reruns(state: FlowState, step: str, operation: str) -> Iterator[Event]:
    """What people may ask for when a step failed, by the name of the operation."""
    match operation:
        case "retry-step" | "skip-step":
            yield rerun(state, step, operation)
        case "retry-from-plan":
            yield from _replans(state, step)
        case "skip-along":
            yield from _skips_along(state, step)
        case _:  # it is about the group, or no failure at all
            pass


def rerun(state: FlowState, step: str, operation: str) -> events.RerunRequested:
    """The plain rerun of a step."""
    return events.RerunRequested(
        at_ms=0, by=OPERATOR, flow_id=state.flow_id, step_id=step, operation=operation
    )


def _replans(state: FlowState, step: str) -> Iterator[Event]:
    """A retry from every step of the group up to the one that failed (S10.3).

    In a parallel group, too: there the order is that in which the steps are declared.
    """
    plain = evolve(rerun(state, step, "retry-step"), stale_plan=True)
    target = state.catalog.position_of(step)
    assert target is not None, f"{step!r} failed"
    for position in range(state.span.start, target + 1):
        yield evolve(plain, replan_step_id=state.catalog.steps[position].key)


def _skips_along(state: FlowState, step: str) -> Iterator[Event]:
    """A retry and a skip, each with the skip of every other step from this group on (S10.4)."""
    for operation in ("retry-step", "skip-step"):
        plain = rerun(state, step, operation)
        for position in range(state.span.start, len(state.live)):
            other = state.catalog.steps[position].key
            if other != step:
                yield evolve(plain, additional_skip_step_ids=(other,))


def _about_group(alphabet: Alphabet, state: FlowState, spent: Spent) -> Iterator[Move]:
    if not state.span:
        return
    wait = state.wait_timer
    if wait is not None:
        if alphabet.timers:
            yield Move(events.TimerFired(at_ms=0, timer=wait), spent)
        if alphabet.retry_now:
            step = state.catalog.steps[state.span.start].key
            yield Move(events.RetryNowRequested(at_ms=0, step=step, by=OPERATOR), spent)
    after = Spent(spent.reruns + 1, spent.replans, spent.suggestions)
    held_up = state.awaiting or state.parked or state.stop is not None
    if held_up and "retry-group" in alphabet.operations and after.reruns <= alphabet.reruns:
        key = state.catalog.groups[state.current].key
        yield Move(events.GroupRetryRequested(at_ms=0, group=key, by=OPERATOR), after)


# --- the flow as a whole ---


def _about_generation(alphabet: Alphabet, state: FlowState, spent: Spent) -> Iterator[Move]:
    """Groups come all at once or in two parts; nothing more may come, or nothing at all."""
    if state.generating != "running":
        return
    known = state.catalog.group_of
    rest = tuple(group for group in alphabet.generated if known(group.key) is None)
    yield Move(events.GroupsGenerated(at_ms=0, groups=rest), spent)
    for some in range(1, len(rest) + 1):
        part = events.GroupsGenerated(at_ms=0, groups=rest[:some], complete=False)
        yield Move(part, spent)
    if alphabet.generation_fails:
        yield Move(events.GenerationFailed(at_ms=0), spent)
        if rest:
            yield Move(events.GroupsGenerated(at_ms=0), spent)


def _about_flow(alphabet: Alphabet, state: FlowState, spent: Spent) -> Iterator[Move]:
    """What concerns no attempt; what cannot count any more is not tried."""
    if state.outcome is not None:
        return
    if state.continuing:
        yield Move(events.ContinuedAsNew(at_ms=0, incarnation=state.incarnation), spent)
        if "take-over" in alphabet.operations and state.current > 0:
            yield Move(second_leg(state), spent)
    if state.cancellation is not None:
        if state.cancellation.due_at_ms is not None and alphabet.timers:
            yield Move(events.TimerFired(at_ms=0, timer="cancel"), spent)
        return
    if alphabet.cancels:
        yield from (Move(event, spent) for event in _cancels(alphabet, state))
    if alphabet.appended:
        yield Move(events.AppendRequested(at_ms=0, by=OPERATOR, groups=alphabet.appended), spent)
    if not state.started:
        return
    if alphabet.pauses and state.paused:
        yield Move(events.ResumeRequested(at_ms=0, by=OPERATOR), spent)
    elif alphabet.pauses:
        yield Move(events.PauseRequested(at_ms=0, by=OPERATOR), spent)
    for option in alphabet.options:
        yield Move(events.ApprovalOptionChanged(at_ms=0, option=option, by=OPERATOR), spent)
    after = Spent(spent.reruns, spent.replans, spent.suggestions + 1)
    if after.suggestions <= alphabet.suggestions and not state.suggested and not state.continuing:
        suggestion = events.ContinueAsNewSuggested(at_ms=0, incarnation=state.incarnation)
        yield Move(suggestion, after)


def second_leg(state: FlowState) -> events.RerunRequested:
    """The rerun by which a continued run takes over; its step is not looked at (S10.6)."""
    return evolve(rerun(state, "", "retry-step"), continue_from_idx=state.current)


def _cancels(alphabet: Alphabet, state: FlowState) -> Iterator[Event]:
    """A cancel of the flow, and those that name a part of it (S9.1)."""
    yield events.CancelRequested(at_ms=0, by=OPERATOR)
    if not alphabet.cancels_parts:
        return
    for group in state.catalog.groups:
        yield events.CancelRequested(at_ms=0, by=OPERATOR, group=group.key)
    for step in state.catalog.steps:
        yield events.CancelRequested(at_ms=0, by=OPERATOR, step=step.key)
