"""A counterexample told: in a few lines, and as an ordinary log.

Rule: a story is a flow and the events that befell it, in order; nothing in it is special to
the search. The events get the times at which they could have happened (`times`), and a story
that could not have happened at any time says so. The log replays by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from attrs import frozen

from conductor_core.checking.telling import told_events
from conductor_core.checking.times import Timing, timed, timing_of
from conductor_core.events import Event
from conductor_core.log import LogWriter
from conductor_core.reducer import Transition, reduce
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState, initial_state

TIMINGS: Final[Mapping[Timing, str]] = {
    "prompt": "",
    "late": "a timer fires later here than it is due, as it does when a host was away",
    "impossible": "no clock could tell this: a timer fires here before it is due",
}
"""What is to be said of the times of a story."""


@frozen(init=False)
class Story:
    """A flow, and the events that befell it, each at a time that is possible (`times`).

    What a search finds has no times yet; the events that are given may have any.
    """

    spec: FlowSpec
    flow_id: str
    events: tuple[Event, ...]

    def __init__(self, spec: FlowSpec, flow_id: str, events: tuple[Event, ...]) -> None:
        init = self.__attrs_init__  # pyright: ignore[reportAttributeAccessIssue] - made by attrs
        init(spec, flow_id, timed(spec, flow_id, events))

    @property
    def timing(self) -> Timing:
        """Whether it could have happened, on a host that fires its timers promptly or late."""
        return timing_of(self.spec, self.flow_id, self.events)

    def transitions(self) -> Iterator[tuple[FlowState, Event, Transition]]:
        """Each event with the state before it and what became of it."""
        state = initial_state(self.spec, self.flow_id)
        for event in self.events:
            after = reduce(state, event)
            yield state, event, after
            state = after.state

    @property
    def state(self) -> FlowState:
        """Where it ends."""
        state = initial_state(self.spec, self.flow_id)
        for _, _, after in self.transitions():
            state = after.state
        return state

    def log(self) -> str:
        """The story as a log, which `replay` verifies."""
        writer = LogWriter(initial_state(self.spec, self.flow_id), at_ms=0)
        lines = [writer.entry(event, after) for _, event, after in self.transitions()]
        return writer.header() + "".join(lines)

    def __str__(self) -> str:
        told = [*told_events(self.transitions())]
        remark = TIMINGS[self.timing]
        return "\n".join([*told, f"({remark})"] if remark else told)
