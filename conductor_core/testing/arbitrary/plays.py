"""Any event, and how it arrives: mostly one that the state waits for, now and then not.

Rule: states are never made up; whoever wants one plays events from the pending state on.
Some events are delivered twice, late or out of order, as hosts and people do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from attrs import field, frozen

from conductor_core.events import Event
from conductor_core.reducer import Transition, reduce
from conductor_core.state import FlowState, initial_state
from conductor_core.testing.arbitrary import facts, requests
from conductor_core.testing.arbitrary.choices import Choose, chance, one_of, weighted
from conductor_core.testing.arbitrary.flows import any_flow

Maker: TypeAlias = Callable[[Choose, FlowState, int], Event]


def any_event(choose: Choose, state: FlowState, at_ms: int) -> Event:
    """Any event, most likely one that the state waits for."""
    return weighted(choose, _makers(state))(choose, state, at_ms)


def any_time(choose: Choose, at_ms: int) -> int:
    """The time of the next event; clocks may stand still, leap, and go back (S4.3)."""
    return max(0, at_ms + one_of(choose, (0, 1, 1, 20, 1_000, 1_000, 60_000, -500)))


class Traffic:
    """What is under way to one flow: the clock, and what was sent and may still arrive."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self._at_ms = 0
        self._late: list[Event] = []

    def arriving(self, state: FlowState) -> list[Event]:
        """The next events: a new one, once or twice or not yet, perhaps an earlier one too."""
        choose = self._choose
        self._at_ms = any_time(choose, self._at_ms)
        event = any_event(choose, state, self._at_ms)
        arriving = [self._late.pop(choose(len(self._late)))] if self._is_late_one_due() else []
        if chance(choose, 8):
            self._late.append(event)
        copies = weighted(choose, ((91, 1), (4, 2), (5, 0)))
        return [*arriving, *[event] * copies]

    def _is_late_one_due(self) -> bool:
        return bool(self._late) and chance(self._choose, 20)


@frozen(kw_only=True)
class Play:
    """A flow and what happened to it: the transitions that its events led to, in order."""

    start: FlowState
    events: tuple[Event, ...]
    transitions: tuple[Transition, ...] = field(repr=False)

    def steps(self) -> Iterator[tuple[FlowState, Event, Transition]]:
        """Each event with the state that it met and the transition that it led to."""
        state = self.start
        for event, transition in zip(self.events, self.transitions, strict=True):
            yield state, event, transition
            state = transition.state

    def states(self) -> Iterator[FlowState]:
        """Every state that was reached, the pending one first."""
        yield self.start
        for transition in self.transitions:
            yield transition.state


def any_play(choose: Choose, length: int) -> Play:
    """Any flow, and about as many events as `length` says."""
    return play_on(choose, initial_state(any_flow(choose), flow_id="flow"), length)


def play_on(choose: Choose, start: FlowState, length: int) -> Play:
    """What may happen to a flow from this pending state on."""
    state, traffic = start, Traffic(choose)
    events: list[Event] = []
    transitions: list[Transition] = []
    while len(events) < length:
        for event in traffic.arriving(state):
            transition = reduce(state, event)
            state = transition.state
            events.append(event)
            transitions.append(transition)
    return Play(start=start, events=tuple(events), transitions=tuple(transitions))


def _makers(state: FlowState) -> list[tuple[int, Maker]]:
    """How often each kind of event is tried in this state."""
    ended = state.outcome is not None
    asked = bool(state.open_approvals())
    failed = any(attempt.failed for attempt in state.live)
    revivable = failed or (ended and state.stop is not None)
    waits = any(timer.startswith("backoff:") for timer, _ in state.timers())
    generating = state.generating == "running" and not ended
    return [
        (1 if state.started or ended else 60, facts.flow_started),
        (40 if state.active else 1, facts.step_finished),
        (10 if state.active else 1, facts.step_started),
        (12 if state.timers() else 1, facts.timer_fired),
        (12 if generating else 1, facts.groups_generated),
        (3 if generating else 1, facts.generation_failed),
        (30 if state.continuing else 1, facts.continued_as_new),
        (2, facts.continue_as_new_suggested),
        (25 if asked else 1, requests.approval_responded),
        (20 if revivable else 1, requests.rerun_requested),
        (8 if revivable or asked else 1, requests.group_retry_requested),
        (10 if waits else 1, requests.retry_now_requested),
        (2, requests.pause_requested),
        (12 if state.paused and not ended else 1, requests.resume_requested),
        (6 if asked else 2, requests.approval_option_changed),
        (2, requests.append_requested),
        (3 if state.is_cancelling else 1, requests.cancel_requested),
    ]
