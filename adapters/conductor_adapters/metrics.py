"""Measures of flows, for whatever keeps them: Prometheus, OpenTelemetry, statsd, a list.

Rule: a measure is read from entries alone, times included, so that a replayed log yields the
measures of its run; that work was dispatched again after a crash is no entry. Nothing is kept
of a flow that has ended.

| measure | unit | labels |
|---|---|---|
| `conductor.entries` | count | `event`, `verdict` (without its reason) |
| `conductor.dispatches` | count | `work`, `again` (`no`, `retry`, `generation`) |
| `conductor.step.queued` | ms from dispatch to start | `work` |
| `conductor.step.ran` | ms from dispatch to end | `work`, `status` of the attempt then |
| `conductor.approval.waited` | ms from question to settlement | `status` of the attempt then |
| `conductor.flow.ran` | ms from start or revival to end | `type`, `status` |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from attrs import define, field

from conductor_core.codec import TAGS
from conductor_core.commands import DispatchStep, FinishFlow, RequestApproval
from conductor_core.events import Event, FlowStarted, StepFinished, StepStarted
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from conductor_core.verdicts import Accepted

__all__ = ["Meter", "Metrics"]


class Meter(Protocol):
    """Where measures go; both methods must return at once."""

    def count(self, name: str, labels: Mapping[str, str]) -> None:
        """Count one more."""
        ...

    def measure(self, name: str, ms: int, labels: Mapping[str, str]) -> None:
        """Take a duration in milliseconds."""
        ...


@define
class _Watch:
    """What is under way in a flow, and since when."""

    began_ms: int
    work: dict[str, tuple[str, int]] = field(factory=dict)
    asked: dict[str, int] = field(factory=dict)


class Metrics:
    """An observer that reads measures from entries and hands them to a meter."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._flows: dict[str, _Watch] = {}

    def __call__(self, event: Event, transition: Transition) -> None:
        """Read an entry of some flow."""
        verdict = str(transition.verdict).partition("(")[0]
        labels = {"event": TAGS[type(event)], "verdict": verdict}
        self._meter.count("conductor.entries", labels)
        if isinstance(transition.verdict, Accepted):
            self._read(event, transition)

    def _read(self, event: Event, transition: Transition) -> None:
        flow_id = transition.state.flow_id
        if isinstance(event, FlowStarted) or flow_id not in self._flows:
            self._flows[flow_id] = _Watch(event.at_ms)
        watch = self._flows[flow_id]
        if isinstance(event, StepStarted) and event.attempt in watch.work:
            work, since_ms = watch.work[event.attempt]
            waited_ms = event.at_ms - since_ms
            self._meter.measure("conductor.step.queued", waited_ms, {"work": work})
        self._settle(watch, event, transition)
        for command in transition.commands:
            match command:
                case DispatchStep():
                    self._dispatched(watch, command, event.at_ms)
                case RequestApproval():
                    watch.asked[command.attempt] = event.at_ms
                case FinishFlow():
                    self._ended(watch, command, event.at_ms, transition.state)
                case _:
                    pass

    def _settle(self, watch: _Watch, event: Event, transition: Transition) -> None:
        """Measure what an event put an end to."""
        for attempt_id in _touched(watch, event, transition):
            attempt = transition.state.attempt(attempt_id)
            assert attempt is not None, f"{attempt_id!r} was commanded"
            if attempt_id in watch.work and not attempt.active:
                work, since_ms = watch.work.pop(attempt_id)
                labels = {"work": work, "status": attempt.status.value}
                self._meter.measure("conductor.step.ran", event.at_ms - since_ms, labels)
            elif attempt_id in watch.asked and not attempt.awaiting:
                waited_ms = event.at_ms - watch.asked.pop(attempt_id)
                labels = {"status": attempt.status.value}
                self._meter.measure("conductor.approval.waited", waited_ms, labels)

    def _dispatched(self, watch: _Watch, command: DispatchStep, at_ms: int) -> None:
        watch.work[command.attempt] = command.work, at_ms
        again = "retry" if command.retry else "generation" if command.generation else "no"
        self._meter.count("conductor.dispatches", {"work": command.work, "again": again})

    def _ended(self, watch: _Watch, command: FinishFlow, at_ms: int, state: FlowState) -> None:
        labels = {"type": state.spec.type, "status": command.outcome.status}
        self._meter.measure("conductor.flow.ran", at_ms - watch.began_ms, labels)
        del self._flows[state.flow_id]


def _touched(watch: _Watch, event: Event, transition: Transition) -> tuple[str, ...]:
    """The attempts that an event may have put an end to: its own, or any."""
    if isinstance(event, StepStarted):
        return ()
    state = transition.state
    if isinstance(event, StepFinished) and state.outcome is None and state.stop is None:
        return (event.attempt,)
    return (*watch.work, *watch.asked)
