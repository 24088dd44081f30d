"""Flows of a few steps: all there are of one size, and a few in which all choices meet.

Rule: a flow is put together from choices that rules depend on, and from nothing else: its
shape (how its steps are put into groups, and which of these are parallel), for each step
whether it has an approval, what its retries redo and whether its failure is forgiven, and
what a failure leads to. Each step may be retried once. A group of one step behaves alike
whether it is parallel or not, so it is taken once; no other symmetry is made use of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Final, TypeAlias

from attrs import frozen

from conductor_core import ApprovalSpec, FlowOptions, FlowSpec, GroupSpec, RetryPolicy, StepSpec
from property_tests.pairwise import covering

KEYS: Final = "abcdef"
ON_FAILURE: Final = ("stop", "await-retry")
APPROVAL: Final = (False, True)
SCOPE: Final = ("step", "group")
FORGIVEN: Final = (False, True)

Shape: TypeAlias = tuple[tuple[int, bool], ...]
"""The groups of a flow: how many steps each has, and whether it is parallel."""


@frozen
class Kind:
    """What is chosen for one step."""

    approval: bool
    scope: str
    forgiven: bool


KINDS: Final = tuple(Kind(*chosen) for chosen in product(APPROVAL, SCOPE, FORGIVEN))


def flows(steps: int) -> Iterator[FlowSpec]:
    """Every flow of so many steps."""
    for shape in shapes(steps):
        for kinds in product(KINDS, repeat=steps):
            for on_failure in ON_FAILURE:
                yield flow_of(shape, kinds, on_failure)


def flows_in_pairs(steps: int) -> Iterator[FlowSpec]:
    """Flows of so many steps in which any two values of two choices come together somewhere."""
    for row in covering(choices(steps)):
        yield flow_of_row(row)


def choices(steps: int) -> list[Sequence[Any]]:
    """All that is chosen for a flow of so many steps, each with the values that it may have."""
    return [tuple(shapes(steps)), ON_FAILURE, *[APPROVAL, SCOPE, FORGIVEN] * steps]


def flow_of_row(row: Sequence[Any]) -> FlowSpec:
    """The flow for which these values are chosen."""
    shape, on_failure, *rest = row
    kinds = [Kind(*rest[n : n + 3]) for n in range(0, len(rest), 3)]
    return flow_of(shape, kinds, on_failure)


def shapes(steps: int) -> Iterator[Shape]:
    """Every way to put so many steps into groups."""
    if steps == 0:
        yield ()
    for first in range(1, steps + 1):
        for parallel in (False, True) if first > 1 else (False,):
            yield from (((first, parallel), *rest) for rest in shapes(steps - first))


def flow_of(shape: Shape, kinds: Sequence[Kind], on_failure: str) -> FlowSpec:
    """The flow of a shape whose steps are of these kinds."""
    steps = iter([_step(key, kind) for key, kind in zip(KEYS, kinds, strict=False)])
    groups = [
        GroupSpec(key=f"g{n}", steps=[next(steps) for _ in range(size)], parallel=parallel)
        for n, (size, parallel) in enumerate(shape)
    ]
    return FlowSpec(groups=groups, options=FlowOptions(on_failure=on_failure))


def _step(key: str, kind: Kind) -> StepSpec:
    retry = RetryPolicy(max_retries=1, max_auto_retries=1, scope=kind.scope)
    approval = ApprovalSpec() if kind.approval else None
    return StepSpec(key=key, approval=approval, retry=retry, skip_on_failure=kind.forgiven)
