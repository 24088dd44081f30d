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
    TimerFired,
)
from conductor_core.generation import Delivery
from conductor_core.verdicts import Accepted


def on_flow_started(draft: Draft) -> None:
    """The flow runs from now on."""
    draft.started = True


def on_groups_generated(draft: Draft, event: GroupsGenerated, delivery: Delivery) -> None:
    """Its groups arrived, all or some of them, or what cannot be its groups (S12.2)."""
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


def on_step_started(draft: Draft, position: int) -> Unnoticed:
    """A worker took the attempt up (S5.6); rules see only that it is active, as before."""
    draft.put(position, draft.live[position].started())
    return UNNOTICED


def on_step_finished(draft: Draft, event: StepFinished, position: int) -> Work:
    """Its work ended; what that means is for the rules to say."""
    result = _result(
        output=event.output,
        error=event.error,
        noop=event.noop,
        policy=event.policy,
        subject=event.subject,
        metadata=event.metadata,
    )
    step = draft.place.step_at(position)
    return _work(position, step, event.outcome, event.directive, result)


_result: Final = builder(Result)
_work: Final = builder(Work)
UNNOTICED: Final = Unnoticed()


def on_timer_fired(draft: Draft, event: TimerFired, found: int | Accepted) -> News | None:
    """An open timer is due and closes; the attempt or the cancel that waited for it is told."""
    kind = event.timer.partition(":")[0]
    if kind == "cancel":
        assert draft.cancellation is not None, "only a cancel has a grace"
        draft.cancellation = evolve(draft.cancellation, due_at_ms=None)
        return GraceOver()
    if isinstance(found, Accepted):  # It is that of the group.
        draft.wait_due_at_ms = None
        return None
    draft.put(found, draft.live[found].waiting_until(None))
    return TIMERS[kind](found)


TIMERS: Final[Mapping[str, Callable[[int], News]]] = {
    "timeout": TimedOut,
    "approval": Expired,
    "backoff": WaitOver,
}
"""What it means that an attempt's timer is due, by the kind of the timer."""
