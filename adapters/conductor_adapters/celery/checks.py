"""What is refused of a host on Celery when it is made, with the name of what is wrong.

Rule: whatever would otherwise show only in a worker, or never, is said where the host is made.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args
from weakref import WeakKeyDictionary

from celery import Celery

from conductor_adapters.routes import Route, route_faults
from conductor_adapters.store.sqlite_file import Synchronous
from conductor_core.errors import ConductorError, shown

SAFE: Final = frozenset({"json", "application/json"})
"""What a message may be written in."""
SHORTEST_LEASE_S: Final = 0.5
"""A lease that runs out before it is renewed would be no lease."""

_names: Final[WeakKeyDictionary[Celery, set[str]]] = WeakKeyDictionary()


def check_app(app: object) -> None:
    """Refuse what is no Celery app, or one that flows cannot run on; raises ConductorError."""
    if not isinstance(app, Celery):
        raise ConductorError(f"celery_app: expected a Celery app, got {shown(app)}")
    check_content(app)
    check_eager(app)


def check_content(app: Celery) -> None:
    """Refuse an app whose workers run what messages contain; raises ConductorError."""
    accepted = [str(content) for content in app.conf.accept_content]
    unsafe = sorted(set(accepted) - SAFE)
    if unsafe:
        raise ConductorError(
            f"accept_content: expected nothing but json, got {shown(unsafe)}: whoever can send "
            "to the broker could run code here"
        )


def check_eager(app: Celery) -> None:
    """Refuse an app that has no workers but calls its tasks; raises ConductorError."""
    if app.conf.task_always_eager:
        raise ConductorError(
            "task_always_eager: flows need workers; where there are none, as in tests, "
            "the same handlers run on a MemoryHost"
        )


def take_name(app: Celery, name: str) -> None:
    """Have a name for the tasks of one host alone; raises ConductorError where another has it.

    Otherwise the tasks of one would carry out, or rather drop, what is another's.
    """
    names = _names.setdefault(app, set())
    if name in names:
        raise ConductorError(
            f"name: this Celery app has a ConductorApp named {shown(name)}; another needs another"
        )
    names.add(name)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that make no sense, with all that is wrong; raises ConductorError."""
    wrong = [f"{name}: {what}" for name, what in _faults(options)]
    if wrong:
        raise ConductorError("; ".join(wrong))


def _faults(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    name, synchronous = options["name"], options["synchronous"]
    store = options["store"]
    if not isinstance(store, (str, Path)) or store == "":
        yield "store", f"expected a file or postgresql://..., got {shown(store)}"
    if not (isinstance(name, str) and name):
        yield "name", f"expected a name, got {shown(name)}"
    yield from _function_faults("handlers", options["handlers"])
    yield from _function_faults("generators", options["generators"])
    if options["ask"] is not None and not callable(options["ask"]):
        yield "ask", f"expected a function, got {shown(options['ask'])}"
    yield from _number_faults("lease_s", options["lease_s"], SHORTEST_LEASE_S)
    yield from _number_faults("poll_s", options["poll_s"], 0.001)
    if options["terminate_after_s"] is not None:
        yield from _number_faults("terminate_after_s", options["terminate_after_s"], 0)
    for whole in ("max_deliveries", "snapshot_every"):
        value = options[whole]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            yield whole, f"expected a whole number from 1 on, got {shown(value)}"
    if synchronous not in get_args(Synchronous):
        expected = " or ".join(get_args(Synchronous))
        yield "synchronous", f"expected {expected}, got {shown(synchronous)}"
    yield from _route_faults(options)


def _function_faults(name: str, functions: object) -> Iterator[tuple[str, str]]:
    if not isinstance(functions, Mapping):
        yield name, f"expected functions by their names, got {shown(functions)}"
        return
    for key, function in functions.items():
        if not (isinstance(key, str) and callable(function)):
            yield name, f"expected functions by their names, got {shown({key: function})}"


def _number_faults(name: str, value: Any, least: float) -> Iterator[tuple[str, str]]:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and value >= least):
        yield name, f"expected seconds, at least {least:g}, got {shown(value)}"


def _route_faults(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    routes = options["routes"]
    if not isinstance(routes, Mapping):
        yield "routes", f"expected routes by handler, got {shown(routes)}"
        routes = {}
    named = {f"routes[{shown(key)}]": route for key, route in routes.items()}
    for name, route in {**named, "default_route": options["default_route"]}.items():
        if isinstance(route, Route):
            yield from ((f"{name}.{part}", fault) for part, fault in route_faults(route))
        else:
            yield name, f"expected a Route, got {shown(route)}"
