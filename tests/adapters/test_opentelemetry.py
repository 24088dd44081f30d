"""Measures arrive in OpenTelemetry under their own names."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_adapters.metrics import Metrics
from conductor_adapters.opentelemetry import OpenTelemetryMeter
from conductor_core import events, initial_state, reduce
from conductor_core.testing.brief import flow, group

sdk = pytest.importorskip("opentelemetry.sdk.metrics", reason="needs opentelemetry-sdk")
export = pytest.importorskip("opentelemetry.sdk.metrics.export", reason="needs opentelemetry-sdk")


def test_measures_become_counters_and_histograms() -> None:
    """With their labels; a name is made once."""
    reader = export.InMemoryMetricReader()
    provider = sdk.MeterProvider(metric_readers=[reader])
    metrics = Metrics(OpenTelemetryMeter(provider.get_meter("flows")))
    state = initial_state(flow(group("g", "a")), "f")
    for event in (
        events.FlowStarted(at_ms=0),
        events.FlowStarted(at_ms=1),
        events.StepFinished(at_ms=5, attempt="a#1", outcome="succeeded"),
    ):
        transition = reduce(state, event)
        metrics(event, transition)
        state = transition.state
    found = {m.name: m for m in measured(reader)}
    entries = {
        p.attributes["verdict"]: p.value for p in found["conductor.entries"].data.data_points
    }
    assert entries == {"accepted": 1, "ignored": 1}
    (ran,) = found["conductor.step.ran"].data.data_points
    assert (ran.sum, found["conductor.step.ran"].unit) == (5, "ms")
    provider.shutdown()


def measured(reader: Any) -> list[Any]:
    """What a reader was told."""
    data = reader.get_metrics_data()
    return [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
