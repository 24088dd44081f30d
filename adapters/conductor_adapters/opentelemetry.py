"""Measures handed to OpenTelemetry, for whoever has it.

Rule: this needs `opentelemetry-api` and nothing else here does; what is counted becomes a
counter, what is measured a histogram in milliseconds, each under its own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["Instruments", "OpenTelemetryMeter"]


class Instruments(Protocol):
    """What is needed of an OpenTelemetry meter."""

    def create_counter(self, name: str) -> Any:
        """Make a counter."""
        ...

    def create_histogram(self, name: str, unit: str) -> Any:
        """Make a histogram."""
        ...


class OpenTelemetryMeter:
    """Where measures go: `OpenTelemetryMeter(metrics.get_meter("flows"))`."""

    def __init__(self, meter: Instruments) -> None:
        self._meter = meter
        self._counters: dict[str, Any] = {}
        self._histograms: dict[str, Any] = {}

    def count(self, name: str, labels: Mapping[str, str]) -> None:
        """Count one more."""
        if name not in self._counters:
            self._counters[name] = self._meter.create_counter(name)
        self._counters[name].add(1, dict(labels))

    def measure(self, name: str, ms: int, labels: Mapping[str, str]) -> None:
        """Take a duration in milliseconds."""
        if name not in self._histograms:
            self._histograms[name] = self._meter.create_histogram(name, "ms")
        self._histograms[name].record(ms, dict(labels))
