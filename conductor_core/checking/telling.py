"""A story for people: what happens, event by event, and where that leaves the flow.

Rule: an event is told as `lines` tells it, with the time that passed before it, and with what
an answer says of its subject, which a search chooses and `lines` leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from conductor_core.attempt import AttemptStatus
from conductor_core.durations import told_duration
from conductor_core.events import ApprovalResponded, Event
from conductor_core.lines import described, line_of
from conductor_core.reducer import Transition
from conductor_core.state import FlowState

SHOWN: Final = 8
"""So many attempts are named where a story ends, the others counted."""


def told_events(happened: Iterable[tuple[FlowState, Event, Transition]]) -> Iterator[str]:
    """Tell each event with what became of it."""
    now_ms = 0
    for before, event, after in happened:
        said = described(event)
        waited = f"after {told_duration(event.at_ms - now_ms)}: " if event.at_ms > now_ms else ""
        now_ms = max(now_ms, event.at_ms)
        came_of_it = line_of(event, after).removeprefix(said)
        yield f"{waited}{said}{_of_its_subject(before, event)}{came_of_it}"


def told_end(state: FlowState) -> str:
    """Say where a story leaves the flow: its status, and the attempts that ever began."""
    begun = [
        f"{attempt.id} {attempt.status.value}"
        for attempt in state.attempts()
        if attempt.status is not AttemptStatus.PENDING
    ]
    more = f" and {len(begun) - SHOWN} more" if len(begun) > SHOWN else ""
    hidden = state.paused and state.status != "paused"
    status = f"{state.status}, paused" if hidden else state.status
    return f"{status}; {', '.join(begun[:SHOWN]) or 'nothing ran'}{more}"


def _of_its_subject(before: FlowState, event: Event) -> str:
    """What an answer says of its subject, if that is not the one that was planned."""
    match event:
        case ApprovalResponded(subject=None):
            return ", without naming a subject"
        case ApprovalResponded() if _is_about_something_else(before, event):
            return ", but means another subject"
        case _:
            return ""


def _is_about_something_else(before: FlowState, event: ApprovalResponded) -> bool:
    """Whether an answer is about another subject than what was planned."""
    position = before.catalog.position_of(event.step)
    result = None if position is None else before.live[position].result
    return result is None or result.subject != event.subject
