"""What a host on Celery measures beside its flows, whose measures are those of `metrics`.

| measure | unit | labels |
|---|---|---|
| `conductor.messages` | count of those sent | `kind`, `again` (`no`, `yes`: it was sent before) |
| `conductor.outbox.age` | ms that the oldest work waits which nobody has taken | |
| `conductor.rescues` | count of orders taken from processes that are gone | `kind` |
| `conductor.leases.lost` | count of orders that others have by now | `kind` |
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from conductor_adapters.metrics import Meter

_logger = logging.getLogger("conductor_adapters.celery")


class Measures:
    """Hands measures to a meter, if there is one; what that raises is its own affair."""

    def __init__(self, meter: Meter | None) -> None:
        self._meter = meter

    def sent(self, kind: str, *, again: bool) -> None:
        """Count a message."""
        self._count("conductor.messages", {"kind": kind, "again": "yes" if again else "no"})

    def rescued(self, kind: str) -> None:
        """Count an order that was taken from a process that is gone."""
        self._count("conductor.rescues", {"kind": kind})

    def lost(self, kind: str) -> None:
        """Count an order that others have by now."""
        self._count("conductor.leases.lost", {"kind": kind})

    def waited(self, ms: int) -> None:
        """Measure how long the oldest work waits that nobody has taken."""
        if self._meter is not None:
            with _on_its_own():
                self._meter.measure("conductor.outbox.age", ms, {})

    def _count(self, name: str, labels: Mapping[str, str]) -> None:
        if self._meter is not None:
            with _on_its_own():
                self._meter.count(name, labels)


@contextmanager
def _on_its_own() -> Generator[None]:
    """Tell what a meter raises, and go on."""
    try:
        yield
    except Exception:
        _logger.exception("the meter of a host raised")
