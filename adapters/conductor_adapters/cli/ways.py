"""The shortest way to the end of a flow, in words.

Rule: what the way is, `shortest_way` says, and whether it is the shortest; the first events are
told one by one and all others counted. It is looked for no longer than TIME_S.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from conductor_adapters.cli.console import counted
from conductor_adapters.debugger.shortest_way import Means, NoWay, Way, shortest_way
from conductor_core import events
from conductor_core.codec import encode_event
from conductor_core.events import Event
from conductor_core.lines import described
from conductor_core.state import FlowState

TIME_S: Final = 1.0
SHOWN: Final = 10
"""So many events are told one by one."""
ENDS: Final = {"succeeded": "succeeds", "failed": "fails", "cancelled": "is cancelled"}
ANSWERS: Final = {"approve": "approves", "deny": "denies", "skip-current": "skips"}
BESIDES: Final = {
    Means.PLAIN: "",
    Means.SKIPS: ", by skips: nothing else leads there",
    Means.ANYTHING: ": it cannot succeed any more",
}


def way_of(state: FlowState, now_ms: int) -> Way | NoWay:
    """The shortest way that is found in a moment."""
    return shortest_way(state, now_ms, enough=_after(TIME_S))


def _after(seconds: float) -> Callable[[], bool]:
    """Enough is enough after so long."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def told_way(way: Way | NoWay, state: FlowState) -> Iterator[str]:
    """Tell a way by its length and its first events."""
    if isinstance(way, str):
        yield from _told_none(way, state)
        return
    yield f"{_kind(way)}{counted(way.count, 'event')}{BESIDES[way.means]}"
    yield from (f"  {told_step(way, event)}" for event in way.events[:SHOWN])
    if way.count > SHOWN:
        yield f"  and {way.count - SHOWN:,} more"


def _kind(way: Way) -> str:
    """Say no more of a way than what was found out."""
    if not way.whole:
        return "a way that may lead to success: at least "
    goal = "an end" if way.means is Means.ANYTHING else "success"
    return f"{'the shortest' if way.shortest else 'a short'} way to {goal}: "


def _told_none(why: NoWay, state: FlowState) -> Iterator[str]:
    match why:
        case "over":
            yield f"it has finished ({state.status}): nothing is left to do"
        case "impossible":
            yield f"it has finished ({state.status}), and no retry and no skip leads to success"
        case "unknown":
            yield "a way to its end was not found within the bounds of the search"


def way_as_data(way: Way | NoWay) -> dict[str, Any]:
    """A way as data, event by event; `found` says whether there is one, or why not."""
    if isinstance(way, str):
        return {"found": way, "means": None, "shortest": False, "whole": False, "count": 0,
                "status": None, "events": []}  # fmt: skip
    return {
        "found": "way",
        "means": way.means,
        "shortest": way.shortest,
        "whole": way.whole,
        "count": way.count,
        "status": way.end.status,
        "events": [
            {"told": told_step(way, event), "event": encode_event(event)} for event in way.events
        ],
    }


def told_step(way: Way, event: Event) -> str:
    """Tell an event of a way: what would have to happen."""
    match event:
        case events.FlowStarted():
            return "the flow starts"
        case events.StepFinished(attempt=attempt, outcome=outcome):
            passes = "" if event.policy is None else ", and its policies pass"
            return f"the work of {attempt} {ENDS[outcome]}{passes}"
        case events.TimerFired(timer=timer):
            return f"timer {timer} fires"
        case events.GroupsGenerated(groups=()):
            return "the host generates no more groups"
        case events.GroupsGenerated():
            return f"the host generates groups, such as {event.groups[0].key}"
        case events.GenerationFailed():
            return "the host fails to generate the groups"
        case events.ContinuedAsNew():
            return "the host continues as new"
        case events.ApprovalResponded(step=step, response=response):
            return f"{_who(way, event)} {ANSWERS[response]} {step}"
        case events.RerunRequested():
            return f"somebody {_rerun(event)}"
        case events.GroupRetryRequested(group=group):
            return f"somebody retries the whole group {group}"
        case events.ResumeRequested():
            return "somebody resumes the flow"
        case _:
            return described(event)


def _who(way: Way, event: events.ApprovalResponded) -> str:
    """Who answers: one of those who may, or whoever likes and has not approved before."""
    position = way.end.catalog.position_of(event.step)
    assert position is not None, f"{event.step!r} was answered"
    if way.end.catalog.steps[position].approval_spec.approvers is not None:
        return event.by
    return "somebody" if event.by.endswith("-1") else "somebody else"


def _rerun(event: events.RerunRequested) -> str:
    verb = "skips" if event.operation == "skip-step" else "retries"
    along = ", ".join(event.additional_skip_step_ids)
    skipped = f" and skips {along} along" if along else ""
    again = f", and has all made again from {event.replan_step_id}" if event.stale_plan else ""
    return f"{verb} {event.step_id}{skipped}{again}"
