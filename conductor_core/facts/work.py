"""What the host saw of the flow's work: its start, its groups, its attempts, its timers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from attrs import evolve

from conductor_core.attempt import Result
from conductor_core.building import builder
from conductor_core.directives import Work
from conductor_core.draft import Draft, Expired, GraceOver, News, TimedOut, Unnoticed, WaitOver
from conductor_core.events import (
    GroupsGenerated,
    StepFinished,
    StepStarted,
    TimerFired,
)
from conductor_core.generation import Delivery, delivery_of


def on_flow_started(draft: Draft) -> None:
    """The flow runs from now on."""
    draft.started = True


def on_groups_generated(draft: Draft, event: GroupsGenerated) -> None:
    """Its groups arrived, all or some of them, or what cannot be its groups (S12.2)."""
    delivery = delivery_of(draft.catalog, event.groups)
    if delivery is Delivery.INVALID:
        draft.generating = "failing"
        return
    if delivery is Delivery.NEW:
        draft.extend(event.groups)
    if event.complete:
        draft.generating = "complete"


def on_generation_failed(draft: Draft) -> None:
    """No groups will arrive any more (S12.3)."""
    draft.generating = "failing"


def on_step_started(draft: Draft, event: StepStarted) -> Unnoticed:
    """A worker took the attempt up (S5.6); rules see only that it is active, as before."""
    position = position_of(draft, event.attempt)
    draft.put(position, draft.live[position].started())
    return UNNOTICED


def on_step_finished(draft: Draft, event: StepFinished) -> Work:
    """Its work ended; what that means is for the rules to say."""
    result = _result(
        output=event.output,
        error=event.error,
        noop=event.noop,
        policy=event.policy,
        subject=event.subject,
        metadata=event.metadata,
    )
    position = position_of(draft, event.attempt)
    step = draft.place.step_at(position)
    return _work(position, step, event.outcome, event.directive, result)


_result: Final = builder(Result)
_work: Final = builder(Work)
UNNOTICED: Final = Unnoticed()


def on_timer_fired(draft: Draft, event: TimerFired) -> News | None:
    """An open timer is due and closes; the attempt or the cancel that waited for it is told."""
    kind, _, name = event.timer.partition(":")
    if kind == "cancel":
        assert draft.cancellation is not None, "only a cancel has a grace"
        draft.cancellation = evolve(draft.cancellation, due_at_ms=None)
        return GraceOver()
    if "@" in name:
        draft.wait_due_at_ms = None
        return None
    position = position_of(draft, name)
    draft.put(position, draft.live[position].waiting_until(None))
    return TIMERS[kind](position)


TIMERS: Final[Mapping[str, Callable[[int], News]]] = {
    "timeout": TimedOut,
    "approval": Expired,
    "backoff": WaitOver,
}
"""What it means that an attempt's timer is due, by the kind of the timer."""


def position_of(draft: Draft, attempt_id: str) -> int:
    """The position of an attempt that the judge knows to exist."""
    position = draft.catalog.position_of_attempt(attempt_id)
    assert position is not None, f"{attempt_id!r} passed the judge"
    return position
