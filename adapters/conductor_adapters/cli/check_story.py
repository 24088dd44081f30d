"""A counterexample for people: what happens, event by event, and where that leaves the flow.

Rule: an event is told as `lines` tells it, together with those of its particulars that a search
chooses and `lines` leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conductor_adapters.cli.console import cut
from conductor_adapters.cli.durations import told_duration
from conductor_adapters.cli.lines import described, line_of
from conductor_core.attempt import AttemptStatus
from conductor_core.checking import Story
from conductor_core.events import ApprovalResponded, Event, StepFinished
from conductor_core.reducer import Transition
from conductor_core.state import FlowState

SHOWN: Final = 8
"""So many attempts are named where a story ends, the others counted."""


def told_events(story: Story) -> Iterator[str]:
    """Tell each event with what became of it."""
    now_ms = 0
    for before, event, after in story.transitions():
        said = described(event)
        waited = f"after {told_duration(event.at_ms - now_ms)}: " if event.at_ms > now_ms else ""
        now_ms = max(now_ms, event.at_ms)
        came_of_it = line_of(event, after).removeprefix(said)
        yield cut(f"{waited}{said}{_particulars(before, event, after)}{came_of_it}")


def told_end(state: FlowState) -> str:
    """Say where a story leaves the flow: its status, and the attempts that ever began."""
    begun = [
        f"{attempt.id} {attempt.status.value}"
        for attempt in state.attempts()
        if attempt.status is not AttemptStatus.PENDING
    ]
    more = f" and {len(begun) - SHOWN} more" if len(begun) > SHOWN else ""
    status = f"{state.status}, paused" if state.paused else state.status
    return cut(f"{status}; {', '.join(begun[:SHOWN]) or 'nothing ran'}{more}")


def _particulars(before: FlowState, event: Event, after: Transition) -> str:
    """What an event says beside what is told of it anyway."""
    match event:
        case StepFinished():
            return "".join(_of_work(event))
        case ApprovalResponded(subject=None):
            return ", without naming a subject"
        case ApprovalResponded() if _is_about_something_else(before, event):
            return ", but means another subject"
        case _:
            return ""


def _of_work(event: StepFinished) -> Iterator[str]:
    if event.noop is True:
        yield ", with nothing to do"
    if event.policy is None:
        return
    if not event.policy.evaluated:
        yield ", its policies could not be evaluated"
    elif event.policy.deny_violations:
        yield f", a policy denies it ({', '.join(event.policy.deny_violations)})"
    else:
        yield ", all policies pass"


def _is_about_something_else(before: FlowState, event: ApprovalResponded) -> bool:
    """Whether an answer is about another subject than what was planned."""
    position = before.catalog.position_of(event.step)
    result = None if position is None else before.live[position].result
    return result is None or result.subject != event.subject
