"""What may be said of a durable host beside its handlers, and what holds where it is not.

Rule: nothing here does anything; docs/sqlite.md tells what each option is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypedDict, cast

from conductor_adapters.clock import Clock
from conductor_adapters.local import Asker
from conductor_adapters.metrics import Meter
from conductor_adapters.observing import Observer
from conductor_adapters.workers import GroupsOf

THREADS: Final = 32
LEASE_S: Final = 10.0
SLOTS: Final = 100
POLL_S: Final = 0.05
MAX_DELIVERIES: Final = 10


class ClientOptions(TypedDict, total=False):
    """What may be said of who only asks and watches."""

    clock: Clock | None
    observe: Observer | None
    poll_s: float
    snapshot_every: int


class HostOptions(ClientOptions, total=False):
    """What may be said of a host beside its handlers."""

    generators: Mapping[str, GroupsOf] | None
    threads: int
    ask: Asker
    meter: Meter | None
    lease_s: float
    slots: int
    max_deliveries: int
    lease_clock_ms: Callable[[], int]


def of_clients(options: HostOptions) -> ClientOptions:
    """Those options of a host that are a client's; raises TypeError for what is none at all."""
    refuse_unknown(options, HostOptions)
    own = {name: value for name, value in options.items() if name in ClientOptions.__annotations__}
    return cast("ClientOptions", own)


def refuse_unknown(options: Mapping[str, object], known: type) -> None:
    """Raise TypeError for an option that there is not, as Python does for an argument."""
    for name in options:
        if name not in known.__annotations__:
            raise TypeError(
                f"there is no option {name!r} (known: {', '.join(known.__annotations__)})"
            )
