"""When the events of a story could have happened: the search knows no time, a log does.

Rule: only the times of the events are chosen, never their order. They do not go back; a timer
never fires before it is due (S4.3); an answer that found a plan fresh still does, one that
found it stale too (S8.5). These are bounds on how far two events lie apart, and the earliest
times that keep all of them are found by moving events on until none is too early.

A host that is well fires a timer *promptly*: when it is due, and before anything that happens
later. One that was away fires it late, and then what happens in between may come first. A story
that no prompt host could tell is one of a late host; and if a plan would have to be answered
while it is fresh, but after a timer that is due only when it is stale, no host could tell it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Literal, TypeAlias, TypeGuard

from attrs import evolve, frozen

from conductor_core.events import ApprovalResponded, Event, TimerFired
from conductor_core.legality import ACCEPTED
from conductor_core.reducer import Transition, reduce
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState, initial_state

Timing: TypeAlias = Literal["prompt", "late", "impossible"]
Told: TypeAlias = list[tuple[FlowState, Event, Transition]]


def timed(spec: FlowSpec, flow_id: str, events: tuple[Event, ...]) -> tuple[Event, ...]:
    """The same events at times that could be real, if there are any: prompt ones if possible."""
    told = _told(spec, flow_id, events)
    at_least = [*_in_order(events), *_of_timers(told), *_of_plans(told)]
    for prompt in (_alone(told), _prompt(told), []):
        times = _earliest(len(events), [*at_least, *prompt])
        if times is not None:
            return tuple(evolve(e, at_ms=ms) for e, ms in zip(events, times, strict=True))
    return events


def by_hand(spec: FlowSpec, flow_id: str, events: tuple[Event, ...]) -> tuple[Event, ...]:
    """The same events at the earliest times that plans allow, whenever timers may fire then."""
    told = _told(spec, flow_id, events)
    times = _earliest(len(events), [*_in_order(events), *_of_plans(told)])
    if times is None:
        return events
    return tuple(evolve(e, at_ms=ms) for e, ms in zip(events, times, strict=True))


def timing_of(spec: FlowSpec, flow_id: str, events: tuple[Event, ...]) -> Timing:
    """Whether the times that events carry are those of a prompt host, a late one, or of none."""
    told = _told(spec, flow_id, events)
    if any(later.at_ms < earlier.at_ms for earlier, later in pairwise(events)):
        return "impossible"
    if any(event.at_ms < _due_of(state, event) for state, event, _ in told):
        return "impossible"
    late = any(due < event.at_ms for state, event, _ in told for _, due in state.timers())
    return "late" if late else "prompt"


def _due_of(state: FlowState, event: Event) -> int:
    """When the timer is due that an event says has fired; at once for all else."""
    if not isinstance(event, TimerFired):
        return 0
    return dict(state.timers()).get(event.timer, 0)


def _told(spec: FlowSpec, flow_id: str, events: tuple[Event, ...]) -> Told:
    """Each event with the state before it and what became of it."""
    state, told = initial_state(spec, flow_id), Told()
    for event in events:
        after = reduce(state, event)
        told.append((state, event, after))
        state = after.state
    return told


# --- bounds ---


@frozen
class _Apart:
    """The event at `later` comes at least `ms` after the one at `earlier`.

    Below 0 it is the other way round: the one at `earlier` comes at most that much after it.
    """

    earlier: int
    later: int
    ms: int


def _earliest(count: int, bounds: list[_Apart]) -> list[int] | None:
    """The earliest times that keep all bounds, or None if there are none."""
    times = [0] * count
    for _ in range(count + 1):
        moved = False
        for bound in bounds:
            least = times[bound.earlier] + bound.ms
            if times[bound.later] < least:
                times[bound.later], moved = least, True
        if not moved:
            return times
    return None


def _in_order(events: tuple[Event, ...]) -> Iterator[_Apart]:
    return (_Apart(index, index + 1, 0) for index in range(len(events) - 1))


@frozen
class _Timer:
    """A timer of a story: set by one event, open until another or the end, and when it is due.

    `fired`: the event that ended it is its firing.
    """

    opened: int
    closed: int
    delay_ms: int
    fired: bool


def _timers(told: Told) -> Iterator[_Timer]:
    """Every timer that was ever open, in the order in which they ended."""
    opened: dict[str, tuple[int, int]] = {}
    for index, (_, event, after) in enumerate(told):
        now_open = dict(after.state.timers())
        for timer in [*opened]:
            if timer not in now_open:
                start, delay_ms = opened.pop(timer)
                fired = isinstance(event, TimerFired) and event.timer == timer
                yield _Timer(start, index, delay_ms, fired)
        for timer, due_at_ms in now_open.items():
            opened.setdefault(timer, (index, due_at_ms - event.at_ms))
    yield from (_Timer(start, len(told), delay, fired=False) for start, delay in opened.values())


def _of_timers(told: Told) -> Iterator[_Apart]:
    """No timer fires before it is due."""
    return (_Apart(t.opened, t.closed, t.delay_ms) for t in _timers(told) if t.fired)


def _prompt(told: Told) -> list[_Apart]:
    """Nothing happens after the time at which an open timer is due."""
    return [
        _Apart(index, timer.opened, -timer.delay_ms)
        for timer in _timers(told)
        for index in _meanwhile(timer, len(told))
    ]


def _alone(told: Told) -> list[_Apart]:
    """Whatever happens while a timer is open comes before the time at which it is due."""
    return [
        _Apart(index, timer.opened, own - timer.delay_ms)
        for timer in _timers(told)
        for index in _meanwhile(timer, len(told))
        for own in (0 if timer.fired and index == timer.closed else 1,)
    ]


def _meanwhile(timer: _Timer, count: int) -> Iterable[int]:
    """The events that find a timer open."""
    return range(timer.opened + 1, min(timer.closed + 1, count))


def _of_plans(told: Told) -> Iterator[_Apart]:
    """What was fresh when it was approved is fresh, and what was stale is stale."""
    asked: dict[str, int] = {}
    for index, (state, event, after) in enumerate(told):
        if _approves(event) and after.verdict is ACCEPTED:
            yield from _of_answer(state, event, asked, index)
        for attempt in after.state.open_approvals():
            asked.setdefault(attempt.id, index)


def _approves(event: Event) -> TypeGuard[ApprovalResponded]:
    return isinstance(event, ApprovalResponded) and event.response == "approve"


def _of_answer(
    state: FlowState, event: ApprovalResponded, asked: dict[str, int], index: int
) -> Iterator[_Apart]:
    position = state.catalog.position_of(event.step)
    assert position is not None, f"{event.step!r} passed the judge"
    attempt, limit_ms = state.live[position], _limit(state, position)
    # A reducer that is wrong may let people answer what nobody asked.
    start = asked.get(attempt.id)
    if attempt.approval is None or start is None or limit_ms is None:
        return
    if event.at_ms - attempt.approval.requested_at_ms >= limit_ms:
        yield _Apart(start, index, limit_ms)
    else:
        yield _Apart(index, start, 1 - limit_ms)


def _limit(state: FlowState, position: int) -> int | None:
    """How old a plan is when it is stale."""
    return state.catalog.steps[position].approval_spec.stale_after_ms
