"""Given what has happened, when one thing more happens, then this follows.

    given(spec, START, succeeded("plan#1")).when(answered("plan")).then_dispatched("apply#1")

Rule: what is given must be accepted. A claim that is untrue raises an AssertionError that
names what was expected and what came instead; one that is true gives the story back, so that
claims stand in a row and another `when` may follow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from attrs import frozen

from conductor_core.codec import encode_command, encode_event
from conductor_core.commands import Command, DispatchStep
from conductor_core.events import Event
from conductor_core.reducer import Transition, reduce
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState, initial_state
from conductor_core.verdicts import Accepted, Ignored, Rejected, Verdict

ACCEPTED: Final = Accepted()

# pytest shows the claim in the test that is untrue, and leaves out how it was checked.
__tracebackhide__ = True


@frozen
class Given:
    """A flow to which something has happened already."""

    state: FlowState

    def when(self, event: Event) -> When:
        """Let one thing happen."""
        return When(self.state, event, reduce(self.state, event))


@frozen
class When:
    """What one event led to, to be held against what was expected of it."""

    before: FlowState
    event: Event
    transition: Transition

    @property
    def state(self) -> FlowState:
        """The state that followed."""
        return self.transition.state

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands that followed."""
        return self.transition.commands

    def when(self, event: Event) -> When:
        """Let one thing more happen."""
        return When(self.state, event, reduce(self.state, event))

    def then(self, *commands: Command) -> When:
        """The event is accepted and commands exactly these, in this order."""
        self._claim_accepted()
        self._claim("these commands", _lines(commands), _lines(self.commands))
        return self

    def then_dispatched(self, *attempts: str) -> When:
        """The event is accepted and dispatches exactly these attempts, in this order."""
        self._claim_accepted()
        sent = [c.attempt for c in self.commands if isinstance(c, DispatchStep)]
        self._claim("these dispatches", list(attempts), sent)
        return self

    def then_rejected(self, code: str) -> When:
        """The request is rejected with this code; nothing changes."""
        self._claim_verdict(Rejected(code))
        self._claim_no_change()
        return self

    def then_ignored(self, reason: str) -> When:
        """The event is ignored for this reason; nothing changes."""
        self._claim_verdict(Ignored(reason))
        self._claim_no_change()
        return self

    def then_status(self, flow: str, /, **statuses: str) -> When:
        """The flow has this status, and so have steps named by key, attempts named by id."""
        self._claim("the status of the flow", [flow], [self.state.status])
        for name, status in statuses.items():
            self._claim(f"the status of {name}", [status], [self._status_of(name)])
        return self

    def _status_of(self, name: str) -> str:
        position = self.state.catalog.position_of(name)
        attempt = self.state.attempt(name) if position is None else self.state.live[position]
        return "unknown" if attempt is None else attempt.status.value

    def _claim_accepted(self) -> None:
        self._claim_verdict(ACCEPTED)

    def _claim_verdict(self, expected: Verdict) -> None:
        verdict = self.transition.verdict
        why = [verdict.message] if isinstance(verdict, Rejected) else []
        self._claim("the verdict", [str(expected)], [str(verdict)], remarks=why)

    def _claim_no_change(self) -> None:
        assert self.state is self.before, "an event that does not count gives its state back"
        assert not self.commands, "an event that does not count commands nothing"

    def _claim(
        self, what: str, expected: list[str], came: list[str], *, remarks: Iterable[str] = ()
    ) -> None:
        if expected != came:
            title = f"{what} after {_event_line(self.event)}"
            lines = ["expected:", *_indented(expected), "came:", *_indented([*came, *remarks])]
            raise AssertionError("\n".join([title, *lines]))


def given(start: FlowSpec | FlowState, *history: Event, flow_id: str = "flow") -> Given:
    """A flow, from its spec or from a state, to which all of this has happened."""
    state = start if isinstance(start, FlowState) else initial_state(start, flow_id)
    for number, event in enumerate(history, 1):
        transition = reduce(state, event)
        if transition.verdict != ACCEPTED:
            told = f"event {number} of what is given was {transition.verdict}"
            raise AssertionError(f"{told}: {_event_line(event)}")
        state = transition.state
    return Given(state)


def _lines(commands: tuple[Command, ...]) -> list[str]:
    return [_line(encode_command(command)) for command in commands]


def _event_line(event: Event) -> str:
    return _line(encode_event(event))


def _line(wire: dict[str, object]) -> str:
    """A wire form on one line, its tag first."""
    fields = {key: value for key, value in wire.items() if key != "type"}
    return f"{wire['type']} {json.dumps(fields, ensure_ascii=False)}"


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines or ["nothing"]]
