"""What a case must come to: the scripted world plays it on the pure reducer.

Rule: nothing here knows a host. Time passes by itself, but only until the timers have fired
that are due soon.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from conductor_core.commands import ScheduleTimer
from conductor_core.events import StepError, StepFinished
from conductor_core.state import FlowState
from conductor_core.testing.answer_format import OK
from conductor_core.testing.conformance.case import SOON_MS, Case
from conductor_core.testing.conformance.likeness import likeness
from conductor_core.testing.conformance.weather import Weather
from conductor_core.testing.scenario_world import World
from conductor_core.testing.scenarios import Scenario, Script

INTERRUPTED: Final = StepFinished(
    at_ms=0, attempt="", outcome="failed", error=StepError(type="interrupted", non_retryable=True)
)


class Foreseen(World):
    """The world of a case in some weather."""

    def __init__(self, case: Case, weather: Weather, flow_id: str) -> None:
        self._loses_cancels = weather is Weather.CRASHING
        super().__init__(
            Scenario(
                name=case.name,
                flow=case.flow,
                flow_id=flow_id,
                work=tuple(_scripts(case, weather)),
                generate=case.generate,
                ignores_cancel=case.ignores_cancel,
            )
        )

    def settle(self) -> None:
        """Play until it is quiet and no timer is due soon."""
        self.play()
        while soon := [due for due in self.timers.values() if due - self.now_ms <= SOON_MS]:
            self.advance(max(0, min(soon) - self.now_ms))

    def fires(self, timer: str) -> bool:
        """Whether a timer that is open on the host fires by itself before the flow is quiet."""
        set_for = {c.timer: c.delay_ms for c in self.emitted if isinstance(c, ScheduleTimer)}
        return timer not in self.timers and set_for.get(timer, 0) <= SOON_MS

    def likeness(self, state: FlowState | None = None) -> dict[str, Any]:
        """What must be the same of a state of the host, or is of the world's own."""
        of = self.state if state is None else state
        return likeness(of, loses_cancels=self._loses_cancels)


def _scripts(case: Case, weather: Weather) -> Iterator[Script]:
    """What work returns; the host answers for what must not run twice and was interrupted."""
    for step in case.steps():
        if weather.interrupts and step.on_recovery == "fail":
            yield Script(step=step.key, entries=(INTERRUPTED,))
        else:
            yield Script(step=step.key, entries=case.entries(step.key) or (OK,))
