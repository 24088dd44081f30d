"""Measures that are read from the entries of flows."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field

from conductor_adapters.metrics import Metrics
from conductor_core import (
    ApprovalSpec,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    events,
    initial_state,
    reduce,
)

RETRIES = RetryPolicy(max_auto_retries=1, backoff_ms=())
SPEC = FlowSpec(
    type="deploy",
    groups=[
        GroupSpec(
            key="g",
            steps=[
                StepSpec(key="plan", approval=ApprovalSpec(), timeout_ms=1_000, retry=RETRIES),
                StepSpec(key="apply"),
            ],
        )
    ],
)


@define
class Meter:
    """Keeps measures in lists."""

    counts: list[tuple[str, dict[str, str]]] = field(factory=list)
    measures: list[tuple[str, int, dict[str, str]]] = field(factory=list)

    def count(self, name: str, labels: Mapping[str, str]) -> None:
        """Count one more."""
        self.counts.append((name, dict(labels)))

    def measure(self, name: str, ms: int, labels: Mapping[str, str]) -> None:
        """Take a duration."""
        self.measures.append((name, ms, dict(labels)))


def measured(*history: events.Event, meter: Meter | None = None) -> Meter:
    """The measures of a history of the flow."""
    meter = Meter() if meter is None else meter
    metrics, state = Metrics(meter), initial_state(SPEC, "f")
    for event in history:
        transition = reduce(state, event)
        metrics(event, transition)
        state = transition.state
    return meter


STARTED = events.FlowStarted(at_ms=0)
PLANNED = events.StepFinished(at_ms=30, attempt="plan#1", outcome="succeeded")
APPROVED = events.ApprovalResponded(at_ms=530, step="plan", response="approve", by="ana")


def test_durations_are_measured_from_the_times_of_events() -> None:
    """Dispatch to start, dispatch to end, question to answer, start to end of the flow."""
    meter = measured(
        STARTED,
        events.StepStarted(at_ms=10, attempt="plan#1"),
        PLANNED,
        APPROVED,
        events.StepFinished(at_ms=540, attempt="apply#1", outcome="failed"),
    )
    assert meter.measures == [
        ("conductor.step.queued", 10, {"work": "plan"}),
        ("conductor.step.ran", 30, {"work": "plan", "status": "approval-awaiting"}),
        ("conductor.approval.waited", 500, {"status": "success"}),
        ("conductor.step.ran", 10, {"work": "apply", "status": "error"}),
        ("conductor.flow.ran", 540, {"type": "deploy", "status": "error"}),
    ]


def test_entries_and_dispatches_are_counted() -> None:
    """With the verdict of each entry, and why work is dispatched."""
    late = events.StepFinished(at_ms=40, attempt="plan#1", outcome="succeeded")
    failed = events.StepFinished(at_ms=30, attempt="plan#1", outcome="failed")
    meter = measured(STARTED, failed, late)
    assert meter.counts == [
        ("conductor.entries", {"event": "flow-started", "verdict": "accepted"}),
        ("conductor.dispatches", {"work": "plan", "again": "no"}),
        ("conductor.entries", {"event": "step-finished", "verdict": "accepted"}),
        ("conductor.dispatches", {"work": "plan", "again": "retry"}),
        ("conductor.entries", {"event": "step-finished", "verdict": "ignored"}),
    ]


def test_what_a_timer_or_a_cancel_ends_is_measured_too() -> None:
    """Whatever ends work or a question ends its measure."""
    timed_out = measured(STARTED, events.TimerFired(at_ms=1_000, timer="timeout:plan#1"))
    assert timed_out.measures == [
        ("conductor.step.ran", 1_000, {"work": "plan", "status": "error"})
    ]
    cancelled = measured(STARTED, PLANNED, events.CancelRequested(at_ms=90, by="ana"))
    assert cancelled.measures[1:] == [
        ("conductor.approval.waited", 60, {"status": "cancelled"}),
        ("conductor.flow.ran", 90, {"type": "deploy", "status": "cancelled"}),
    ]


def test_a_question_that_a_stop_made_moot_is_measured_then() -> None:
    """Not when the last of the other steps ends."""
    steps = [StepSpec(key="plan", approval=ApprovalSpec()), StepSpec(key="b"), StepSpec(key="c")]
    spec = FlowSpec(groups=[GroupSpec(key="g", parallel=True, steps=steps)])
    meter, state = Meter(), initial_state(spec, "f")
    metrics = Metrics(meter)
    for event in (
        STARTED,
        events.StepFinished(at_ms=10, attempt="plan#1", outcome="succeeded"),
        events.StepFinished(at_ms=20, attempt="b#1", outcome="failed"),
        events.StepFinished(at_ms=5_000, attempt="c#1", outcome="succeeded"),
    ):
        transition = reduce(state, event)
        metrics(event, transition)
        state = transition.state
    waited = [ms for name, ms, _ in meter.measures if name == "conductor.approval.waited"]
    assert waited == [10]


def test_a_flow_that_was_taken_up_is_measured_from_then_on() -> None:
    """What began under another host has no beginning here."""
    meter = Meter()
    state = reduce(initial_state(SPEC, "f"), STARTED).state
    metrics = Metrics(meter)
    for event in (PLANNED, APPROVED):
        transition = reduce(state, event)
        metrics(event, transition)
        state = transition.state
    assert [name for name, *_ in meter.measures] == ["conductor.approval.waited"]
