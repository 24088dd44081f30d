"""Where the work of a flow goes: its queue, its priority, and whom it belongs to.

Rule: the nearest word counts, for each of the three apart: the step's metadata, its group's, the
flow's, what the host says of the handler, what it says of everything. The reducer knows nothing
of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from conductor_adapters.store.protocol import STEP, Order
from conductor_core.errors import Problem, shown
from conductor_core.payload import Payload
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState

KEY: Final = "host"
"""The part of metadata that is for hosts, and not for the people who wrote the rest."""
HIGHEST: Final = 255
"""The highest priority that a broker knows (RabbitMQ; Redis is told up to 9)."""


@frozen(kw_only=True)
class Owner:
    """Whom work belongs to: the id of a tenant, say, and of what kind that is."""

    id: str
    type: str = ""


@frozen(kw_only=True)
class Route:
    """Where work goes; None: nothing is said of that.

    In metadata: `host: {queue: gpu, priority: 5, owner: {id: team-7, type: team}}`.
    """

    queue: str | None = None
    priority: int | None = None
    owner: Owner | None = None

    def over(self, other: Route) -> Route:
        """What this says, and the other where this says nothing."""
        return Route(
            queue=other.queue if self.queue is None else self.queue,
            priority=other.priority if self.priority is None else self.priority,
            owner=other.owner if self.owner is None else self.owner,
        )


NOWHERE: Final = Route()


@frozen
class Routes:
    """What a host says of work by its handler, and of everything else."""

    of_handlers: Mapping[str, Route]
    default: Route = NOWHERE

    def of(self, order: Order, state: FlowState) -> Route:
        """Where an order of a flow goes."""
        step = state.position_of(order.name) if order.kind == STEP else None
        nearest = NOWHERE
        for metadata in metadata_about(step, state):
            nearest = nearest.over(said_of_route(metadata))
        return nearest.over(self.of_handlers.get(order.work, NOWHERE)).over(self.default)


def metadata_about(step: int | None, state: FlowState) -> Iterator[Payload]:
    """What is said of the step at a position, or of the flow alone, the nearest first."""
    if step is not None:
        catalog = state.catalog
        yield catalog.steps[step].metadata
        starts = range(len(catalog.groups))
        group = bisect_right(starts, step, key=lambda index: catalog.span(index).start) - 1
        yield catalog.groups[group].metadata
    yield state.spec.metadata


def said_of_route(metadata: Payload) -> Route:
    """What metadata says; what it says wrongly counts as not said."""
    said: dict[str, Any] = said_of_host(metadata)
    queue, priority = said.get("queue"), said.get("priority")
    owner: Any = said.get("owner")
    return Route(
        queue=queue if _is_name(queue) else None,
        priority=priority if _is_priority(priority) else None,
        owner=Owner(**owner) if _is_owner(owner) else None,
    )


def said_of_host(metadata: Payload) -> dict[str, Any]:
    """What metadata says to hosts."""
    found: Any = metadata.value.get(KEY, {}) if metadata.is_object else {}
    return found if isinstance(found, dict) else {}


def owner_of(spec: FlowSpec) -> tuple[str | None, str | None]:
    """The id and the type of the owner of a flow, where it says one."""
    owner = said_of_route(spec.metadata).owner
    return (None, None) if owner is None else (owner.id, owner.type or None)


def route_problems(spec: FlowSpec) -> Iterator[Problem]:
    """What a flow says of routes that cannot be followed, with its place."""
    yield from _problems("metadata", spec.metadata)
    for index, group in enumerate(spec.groups):
        yield from _problems(f"groups[{index}].metadata", group.metadata)
        for number, step in enumerate(group.steps):
            yield from _problems(f"groups[{index}].steps[{number}].metadata", step.metadata)


def _problems(path: str, metadata: Payload) -> Iterator[Problem]:
    host: Any = metadata.value.get(KEY, {}) if metadata.is_object else {}
    if not isinstance(host, dict):
        yield f"{path}.{KEY}", f"expected a mapping, got {shown(host)}"
    for name, (is_right, expected) in EXPECTED.items():
        value = said_of_host(metadata).get(name)
        if value is not None and not is_right(value):
            yield f"{path}.{KEY}.{name}", f"expected {expected}, got {shown(value)}"


def route_faults(route: Route) -> Iterator[Problem]:
    """What a route says that cannot be followed."""
    for name in ("queue", "priority"):
        is_right, expected = EXPECTED[name]
        value = getattr(route, name)
        if value is not None and not is_right(value):
            yield name, f"expected {expected}, got {shown(value)}"
    if not (route.owner is None or isinstance(route.owner, Owner)):
        yield "owner", f"expected an Owner, got {shown(route.owner)}"


def _is_name(queue: object) -> bool:
    return isinstance(queue, str) and queue != ""


def _is_priority(priority: object) -> bool:
    if not isinstance(priority, int) or isinstance(priority, bool):
        return False
    return 0 <= priority <= HIGHEST


def _is_owner(owner: object) -> bool:
    if not isinstance(owner, dict) or not {"id"} <= owner.keys() <= {"id", "type"}:
        return False
    return all(isinstance(told, str) for told in owner.values())


EXPECTED: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "queue": (_is_name, "the name of a queue"),
    "priority": (_is_priority, f"a whole number from 0 to {HIGHEST}"),
    "owner": (_is_owner, "a mapping with an id, and perhaps a type, both text"),
}
"""What each thing that is said of a route must be."""
