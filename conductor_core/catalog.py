"""What a flow consists of: its groups with an index, growing at the end only.

Rule: the catalog is derived from the groups, so two catalogs are equal when their groups
are. The index is a row of dicts, merged when two are of the same size, so that appending
groups one by one costs O(n log n) together and a look-up O(log n) dicts at worst.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from conductor_core.frozen import frozen
from conductor_core.spec import GroupSpec, StepSpec
from conductor_core.vector import Vector

Value = TypeVar("Value")


@frozen
class Place:
    """Where a group stands: its positions, and how often it may be retried as a whole (S6.14)."""

    group: GroupSpec
    span: range
    max_retries: int

    def step_at(self, position: int) -> StepSpec:
        """The step of the group at a position of the flow."""
        return self.group.steps[position - self.span.start]


NO_GROUP: Final = GroupSpec(key="")
"""What stands past the last group."""


class Catalog:
    """The groups known so far, their places, and their steps by position."""

    __slots__ = ("_group_index", "_places", "_step_index", "groups", "steps")

    def __init__(
        self,
        groups: Vector[GroupSpec] = Vector(),
        places: Vector[Place] = Vector(),
        steps: Vector[StepSpec] = Vector(),
        group_index: tuple[Mapping[str, int], ...] = (),
        step_index: tuple[Mapping[str, int], ...] = (),
    ) -> None:
        self.groups = groups
        self._places = places
        self.steps = steps
        self._group_index = group_index
        self._step_index = step_index

    def extend(self, groups: Iterable[GroupSpec]) -> Catalog:
        """The catalog with more groups at its end."""
        new = tuple(groups)
        places: list[Place] = []
        steps: list[StepSpec] = []
        group_index: dict[str, int] = {}
        step_index: dict[str, int] = {}
        for number, group in enumerate(new, len(self.groups)):
            group_index[group.key] = number
            start = len(self.steps) + len(steps)
            for position, step in enumerate(group.steps, start):
                step_index[step.key] = position
            steps += group.steps
            budget = min(step.retry.max_retries for step in group.steps)
            places.append(Place(group, range(start, start + len(group.steps)), budget))
        return Catalog(
            self.groups.extend(new),
            self._places.extend(places),
            self.steps.extend(steps),
            _merged(self._group_index, group_index),
            _merged(self._step_index, step_index),
        )

    def group_of(self, key: str) -> int | None:
        """The index of a group, by its key."""
        return _look_up(self._group_index, key)

    def position_of(self, key: str) -> int | None:
        """The position of a step, by its key."""
        return _look_up(self._step_index, key)

    def position_of_attempt(self, attempt_id: str) -> int | None:
        """The position of the step that an attempt id names, whether or not it exists."""
        return _look_up(self._step_index, attempt_id.rpartition("#")[0])

    def __contains__(self, key: object) -> bool:
        return any(key in index for index in self._step_index)

    def place(self, group: int) -> Place:
        """Where a group stands; past the last one there is no position."""
        if group < len(self._places):
            return self._places[group]
        end = len(self.steps)
        return Place(NO_GROUP, range(end, end), 0)

    def span(self, group: int) -> range:
        """The positions of a group's steps; none past the last group."""
        return self.place(group).span

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Catalog) and self.groups == other.groups

    def __hash__(self) -> int:
        return hash(self.groups)


def _look_up(row: tuple[Mapping[str, int], ...], key: str) -> int | None:
    for index in row:
        if key in index:
            return index[key]
    return None


def _merged(
    row: tuple[Mapping[str, Value], ...], newest: Mapping[str, Value]
) -> tuple[Mapping[str, Value], ...]:
    """Add a dict to the row; as a binary counter carries, no two of one size remain."""
    while row and len(row[-1]) <= len(newest):
        newest = {**row[-1], **newest}
        row = row[:-1]
    return (*row, newest)
