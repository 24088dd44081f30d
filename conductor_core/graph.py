"""A flow as a graph: its groups as boxes, its steps as nodes, and what leads to what.

Rule: a graph is read from a spec, or from a state that also says where the flow stands; it
knows no notation, which is the matter of `graphtext`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from conductor_core.attempt import Attempt
from conductor_core.commands import Outcome
from conductor_core.frozen import frozen
from conductor_core.spec import FlowOptions, FlowSpec, GroupSpec, StepSpec
from conductor_core.state import FlowState

__all__ = ["Box", "Edge", "Graph", "Kind", "Node", "graph_of"]

Kind: TypeAlias = Literal["order", "need"]

FLOW: Final = "flow"
"""The id of the flow itself, where the order begins."""


@frozen(kw_only=True)
class Node:
    """A step; `lines` are what people read on it.

    `required` is how many approvals it asks for, None when nobody is asked, and `given` how
    many it has. `attempt` and `status` are those of its live attempt, None in a spec.
    """

    id: str
    step: str
    lines: tuple[str, ...]
    required: int | None = None
    given: int = 0
    attempt: str | None = None
    status: str | None = None


@frozen(kw_only=True)
class Box:
    """A group with its nodes; `at_once` is how many of them may run together."""

    id: str
    group: str
    lines: tuple[str, ...]
    parallel: bool
    at_once: int
    nodes: tuple[Node, ...]
    status: str | None = None


@frozen(kw_only=True)
class Edge:
    """An `order` from the flow to a box, from box to box or from node to node, or a `need`."""

    source: str
    target: str
    kind: Kind


@frozen(kw_only=True)
class Graph:
    """A flow: what people read about it, its boxes in order, and its edges by id."""

    lines: tuple[str, ...]
    status: str | None
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


def graph_of(flow: FlowSpec | FlowState) -> Graph:
    """The graph of a flow as it is declared, or as it stands."""
    spec, state = (flow, None) if isinstance(flow, FlowSpec) else (flow.spec, flow)
    groups = spec.groups if state is None else tuple(state.catalog.groups)
    boxes = tuple(_boxes(groups, spec.options, state))
    return Graph(
        lines=tuple(_declared(spec) if state is None else _standing(state)),
        status=None if state is None else state.status,
        boxes=boxes,
        edges=(*_order(boxes), *_needs(groups, boxes)),
    )


def at_once(group: GroupSpec, options: FlowOptions) -> int:
    """How many steps of a group may run together (S5.2, S5.3)."""
    if not group.parallel:
        return 1
    limit = options.max_parallel if group.max_parallel is None else group.max_parallel
    return len(group.steps) if limit is None else min(limit, len(group.steps))


def _declared(spec: FlowSpec) -> Iterator[str]:
    yield spec.type
    if not spec.groups:
        yield "its groups are generated when it starts"


def _standing(state: FlowState) -> Iterator[str]:
    yield state.flow_id
    yield state.status
    if state.outcome is not None:
        yield from _told(state.outcome)
    if state.generating == "running":
        yield "groups are being generated"


def _told(outcome: Outcome) -> Iterator[str]:
    """Why a flow ended, where that needs a reason."""
    if outcome.reason is not None:
        yield outcome.reason if outcome.step is None else f"{outcome.reason} at {outcome.step}"
    if outcome.message is not None:
        yield outcome.message


def _boxes(
    groups: tuple[GroupSpec, ...], options: FlowOptions, state: FlowState | None
) -> Iterator[Box]:
    position = 0
    for index, group in enumerate(groups):
        nodes = []
        for step in group.steps:
            nodes.append(_node(position, step, None if state is None else state.live[position]))
            position += 1
        status = None if state is None else state.group_status(index)
        together = at_once(group, options)
        yield Box(
            id=f"g{index + 1}",
            group=group.key,
            lines=tuple(_box_lines(group, together, status)),
            parallel=group.parallel,
            at_once=together,
            nodes=tuple(nodes),
            status=status,
        )


def _box_lines(group: GroupSpec, together: int, status: str | None) -> Iterator[str]:
    yield group.key if group.name is None else group.name
    if group.parallel:
        limited = together < len(group.steps)
        yield f"in parallel, {together} at a time" if limited else "in parallel"
    if status is not None:
        yield status


def _node(position: int, step: StepSpec, attempt: Attempt | None) -> Node:
    # An approval may be asked for by the work alone (S6.7).
    approval = None if attempt is None else attempt.approval
    asks = step.approval is not None or approval is not None
    return Node(
        id=f"s{position + 1}",
        step=step.key,
        lines=tuple(_node_lines(step, attempt, asks=asks)),
        required=step.approval_spec.required if asks else None,
        given=0 if approval is None else len(approval.approvers),
        attempt=None if attempt is None else attempt.id,
        status=None if attempt is None else attempt.status.value,
    )


def _node_lines(step: StepSpec, attempt: Attempt | None, *, asks: bool) -> Iterator[str]:
    if step.name is not None:
        yield step.name
    yield step.key if attempt is None or attempt.n == 1 else attempt.id
    if asks:
        yield _told_approval(step.approval_spec.required, attempt)
    if attempt is not None:
        yield attempt.status


def _told_approval(required: int, attempt: Attempt | None) -> str:
    approval = None if attempt is None else attempt.approval
    if approval is None:
        return f"approval: {required} required"
    if approval.automatic is not None:
        return f"approval: automatic ({approval.automatic})"
    return f"approval: {len(approval.approvers)} of {required}"


def _order(boxes: tuple[Box, ...]) -> Iterator[Edge]:
    """Each group follows the one before, and in a sequential one each step."""
    for source, target in pairwise((FLOW, *(box.id for box in boxes))):
        yield Edge(source=source, target=target, kind="order")
    for box in boxes:
        for before, after in pairwise(box.nodes) if not box.parallel else ():
            yield Edge(source=before.id, target=after.id, kind="order")


def _needs(groups: tuple[GroupSpec, ...], boxes: tuple[Box, ...]) -> Iterator[Edge]:
    """Each step follows those whose outputs it is given."""
    ids = {node.step: node.id for box in boxes for node in box.nodes}
    for group in groups:
        for step in group.steps:
            for need in step.needs:
                yield Edge(source=ids[need], target=ids[step.key], kind="need")
