"""What may be said of a durable host beside its handlers, and what holds where it is not.

Rule: nothing here does anything; docs/sqlite.md tells what each option is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypedDict

from conductor_adapters.clock import Clock
from conductor_adapters.local import Asked
from conductor_adapters.metrics import Meter
from conductor_adapters.observing import Observer
from conductor_adapters.workers import GroupsOf

THREADS: Final = 32
LEASE_S: Final = 10.0
SLOTS: Final = 100
POLL_S: Final = 0.05
MAX_DELIVERIES: Final = 10


class HostOptions(TypedDict, total=False):
    """What may be said of a host beside its handlers; see docs/sqlite.md."""

    generators: Mapping[str, GroupsOf] | None
    clock: Clock | None
    threads: int
    ask: Asked
    observe: Observer | None
    meter: Meter | None
    lease_s: float
    slots: int
    poll_s: float
    max_deliveries: int
    snapshot_every: int
    lease_clock_ms: Callable[[], int]
