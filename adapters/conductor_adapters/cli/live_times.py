"""How long a flow, its groups and its attempts took, as far as a run has seen it.

Rule: times are those of the events, from dispatch to finish. What began before the run, such
as work that a resumed flow takes up again, counts from where the run began.
"""

from __future__ import annotations

from typing import Final

from conductor_core.commands import DispatchStep
from conductor_core.events import Event, StepFinished, TimerFired
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.verdicts import Accepted

TIMEOUT: Final = "timeout:"


class Times:
    """Notes when things begin and end; an event costs no more in a long flow than in a short."""

    def __init__(self) -> None:
        self._flow = _Spans()
        self._groups = _Spans()
        self._attempts = _Spans()
        self._group: int | None = None

    def resumed(self, state: FlowState, at_ms: int) -> None:
        """Begin with a flow that is under way."""
        self._flow.begin("", at_ms)
        active = [attempt.id for attempt in state.current_attempts() if attempt.active]
        for attempt in active:
            self._attempts.begin(attempt, at_ms)
        if active:
            self._begin_group(state.current, at_ms)

    def happened(self, event: Event, transition: Transition) -> None:
        """Note what an event began and ended."""
        if not isinstance(transition.verdict, Accepted):
            return
        state = transition.state
        self._flow.begin("", event.at_ms)
        if self._group is not None and (self._group != state.current or state.outcome is not None):
            self._groups.end(str(self._group), event.at_ms)
            self._group = None
        ended = _ended(event)
        if ended is not None:
            self._attempts.end(ended, event.at_ms)
        for command in transition.commands:
            if isinstance(command, DispatchStep):
                self._attempts.begin(command.attempt, event.at_ms)
                self._begin_group(state.current, event.at_ms)
        if state.finished_at_ms is not None:
            self._flow.end("", state.finished_at_ms)

    def _begin_group(self, group: int, at_ms: int) -> None:
        self._group = group
        self._groups.begin(str(group), at_ms)

    def of_flow(self, now_ms: int) -> int | None:
        """How long the flow has run, or ran."""
        return self._flow.took("", now_ms)

    def of_group(self, group: int, now_ms: int) -> int | None:
        """How long a group has run, or ran; None if nobody saw it begin."""
        return self._groups.took(str(group), self._flow.until("", now_ms))

    def of_attempt(self, attempt: str, now_ms: int) -> int | None:
        """How long an attempt has been at work, or was; None if nobody saw it begin."""
        return self._attempts.took(attempt, self._flow.until("", now_ms))


def _ended(event: Event) -> str | None:
    """The attempt whose work an event ends."""
    match event:
        case StepFinished(attempt=attempt):
            return attempt
        case TimerFired(timer=timer) if timer.startswith(TIMEOUT):
            return timer.removeprefix(TIMEOUT)
        case _:
            return None


class _Spans:
    """Beginnings and ends by name."""

    def __init__(self) -> None:
        self._begun_ms: dict[str, int] = {}
        self._ended_ms: dict[str, int] = {}

    def begin(self, name: str, at_ms: int) -> None:
        """Note a beginning, of which the first counts, or that something goes on after all."""
        self._begun_ms.setdefault(name, at_ms)
        self._ended_ms.pop(name, None)

    def end(self, name: str, at_ms: int) -> None:
        """Note an end."""
        self._ended_ms[name] = at_ms

    def until(self, name: str, now_ms: int) -> int:
        """When it ended, or now."""
        return self._ended_ms.get(name, now_ms)

    def took(self, name: str, now_ms: int) -> int | None:
        """How long it took, or has taken until now."""
        begun_ms = self._begun_ms.get(name)
        return None if begun_ms is None else max(0, self.until(name, now_ms) - begun_ms)
