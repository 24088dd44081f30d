"""What the host may report of a flow now, in words, and the timer that is due next.

Rule: what may be reported is what `legal_facts` finds; here are only the words. Facts that differ
in nothing but what they are about share a line, and the outcomes of work are one thing to report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias, assert_never

from conductor_adapters.cli.console import counted
from conductor_core import events
from conductor_core.codec import encode_event
from conductor_core.durations import told_duration
from conductor_core.events import Fact, TimerFired
from conductor_core.explain import Explanation
from conductor_core.lines import described, line_of
from conductor_core.reducer import Transition, reduce
from conductor_core.state import FlowState

SHOWN: Final = 5
"""So many attempts, or timers, are named in a line, the others counted."""

Words: TypeAlias = tuple[str, str, str]
"""What stands before the subject, the subject, and what stands behind it."""

PURPOSES: Final = {
    "timeout": "the time limit of its work",
    "approval": "the time limit of its approval",
    "backoff": "the end of its backoff",
    "cancel": "the end of the time to give up",
}
"""What timers are for, by the kind that stands before the colon in their id."""


def told_facts(facts: Iterable[Fact], now_ms: int) -> Iterator[str]:
    """Say what may be reported, a line for each kind of fact."""
    subjects: dict[tuple[str, str], dict[str, None]] = {}
    for fact in facts:
        before, subject, after = _in_one_line(fact, now_ms)
        subjects.setdefault((before, after), {})[subject] = None
    for (before, after), named in subjects.items():
        yield f"{before}{_listed([*named])}{after}"


def told_fact(fact: Fact, now_ms: int) -> str:
    """Tell one fact."""
    if isinstance(fact, events.StepFinished):
        was = "was " if fact.outcome == "cancelled" else ""
        return f"that the work of {fact.attempt} {was}{fact.outcome} (step-finished)"
    return "".join(_in_one_line(fact, now_ms))


def _in_one_line(fact: Fact, now_ms: int) -> Words:
    match fact:
        case events.FlowStarted():
            return "that the flow has started (flow-started)", "", ""
        case events.StepStarted(attempt=attempt):
            return "that work has begun: ", attempt, " (step-started)"
        case events.StepFinished(attempt=attempt):
            return "how work ended: ", attempt, " (step-finished)"
        case events.TimerFired(timer=timer, at_ms=at_ms):
            due = f"in {told_duration(at_ms - now_ms)}" if at_ms > now_ms else "now"
            return "that a timer fired: ", f"{timer} due {due}", " (timer-fired)"
        case events.GroupsGenerated(complete=False):
            return "some of the groups that are generated (groups-generated)", "", ""
        case events.GroupsGenerated(groups=()):
            return "that no more groups are generated (groups-generated)", "", ""
        case events.GroupsGenerated():
            return "the last of the groups that are generated (groups-generated)", "", ""
        case events.GenerationFailed():
            return "that the groups could not be generated (generation-failed)", "", ""
        case events.ContinuedAsNew():
            return "that it runs on with a fresh history (continued-as-new)", "", ""
        case events.ContinueAsNewSuggested():
            return "that its history grows long (continue-as-new-suggested)", "", ""
        case _:
            assert_never(fact)


def _listed(named: list[str]) -> str:
    more = f" and {len(named) - SHOWN:,} more" if len(named) > SHOWN else ""
    return f"{', '.join(named[:SHOWN])}{more}"


# --- the next timer ---


def told_next_timer(state: FlowState, explained: Explanation, now_ms: int) -> Iterator[str]:
    """Say which timer is due first, what it is for, when it fires, and what that leads to."""
    if explained.next_timer is None:
        return
    timer, due_at_ms = explained.next_timer
    others = len(state.timers()) - 1
    more = f", before {counted(others, 'other timer')}" if others else ""
    yield f"next timer: {timer}, {purpose_of(timer)}, {_told_due(due_at_ms, now_ms)}{more}"
    yield f"  then {_led_to(state, *_fired(state, timer, due_at_ms, now_ms))}"


def next_timer_as_data(
    state: FlowState, explained: Explanation, now_ms: int
) -> dict[str, Any] | None:
    """The same as data, with the event of its firing."""
    if explained.next_timer is None:
        return None
    timer, due_at_ms = explained.next_timer
    event, after = _fired(state, timer, due_at_ms, now_ms)
    return {
        "timer": timer,
        "for": purpose_of(timer),
        "due_at_ms": due_at_ms,
        "in_ms": due_at_ms - now_ms,
        "leads_to": _led_to(state, event, after),
        "status": after.state.status,
        "event": encode_event(event),
    }


def purpose_of(timer: str) -> str:
    """Say what a timer is for."""
    return PURPOSES[timer.partition(":")[0]]


def _told_due(due_at_ms: int, now_ms: int) -> str:
    if due_at_ms > now_ms:
        return f"due in {told_duration(due_at_ms - now_ms)}"
    return "due now" if due_at_ms == now_ms else f"due since {told_duration(now_ms - due_at_ms)}"


def _fired(
    state: FlowState, timer: str, due_at_ms: int, now_ms: int
) -> tuple[TimerFired, Transition]:
    """A timer fires when it is due, or now if that is over."""
    event = TimerFired(at_ms=max(due_at_ms, now_ms), timer=timer)
    return event, reduce(state, event)


def _led_to(state: FlowState, event: TimerFired, after: Transition) -> str:
    """What becomes of the attempt, and what is set going."""
    position = state.position_of(event.timer.partition(":")[2])
    told: list[str] = []
    if position is not None:
        attempt = after.state.attempt(state.live[position].id)
        assert attempt is not None, "an attempt never vanishes"
        reason = f" ({attempt.reason})" if attempt.reason not in (None, attempt.status) else ""
        told.append(f"{attempt.id} is {attempt.status}{reason}")
    going = line_of(event, after).removeprefix(described(event)).removeprefix(" -> ")
    return "; ".join([*told, *([going] if going else [])]) or f"the flow is {after.state.status}"
