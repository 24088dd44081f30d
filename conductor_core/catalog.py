"""What a flow consists of: its groups with an index, growing at the end only.

Rule: the catalog is derived from the groups, so two catalogs are equal when their groups
are. The index is a row of dicts, merged when two are of the same size, so that appending
groups one by one costs O(n log n) together and a look-up O(log n) dicts at worst.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from conductor_core.spec import GroupSpec, StepSpec
from conductor_core.vector import Vector

Value = TypeVar("Value")


class Catalog:
    """The groups known so far, their steps by position, and where each of them stands.

    `starts[i]` is the position of the first step of group i, with one entry more for the
    end; `budgets[i]` is how often the group may be retried as a whole (S6.14).
    """

    __slots__ = ("_group_index", "_step_index", "budgets", "groups", "starts", "steps")

    def __init__(
        self,
        groups: Vector[GroupSpec] = Vector(),
        starts: Vector[int] = Vector((0,)),
        steps: Vector[StepSpec] = Vector(),
        budgets: Vector[int] = Vector(),
        group_index: tuple[Mapping[str, int], ...] = (),
        step_index: tuple[Mapping[str, int], ...] = (),
    ) -> None:
        self.groups = groups
        self.starts = starts
        self.steps = steps
        self.budgets = budgets
        self._group_index = group_index
        self._step_index = step_index

    def extend(self, groups: Iterable[GroupSpec]) -> Catalog:
        """The catalog with more groups at its end."""
        new = tuple(groups)
        starts: list[int] = []
        steps: list[StepSpec] = []
        group_index: dict[str, int] = {}
        step_index: dict[str, int] = {}
        for number, group in enumerate(new, len(self.groups)):
            group_index[group.key] = number
            for step in group.steps:
                step_index[step.key] = len(self.steps) + len(steps)
                steps.append(step)
            starts.append(len(self.steps) + len(steps))
        return Catalog(
            self.groups.extend(new),
            self.starts.extend(starts),
            self.steps.extend(steps),
            self.budgets.extend(min(s.retry.max_retries for s in g.steps) for g in new),
            _merged(self._group_index, group_index),
            _merged(self._step_index, step_index),
        )

    def group_of(self, key: str) -> int | None:
        """The index of a group, by its key."""
        return _look_up(self._group_index, key)

    def position_of(self, key: str) -> int | None:
        """The position of a step, by its key."""
        return _look_up(self._step_index, key)

    def __contains__(self, key: object) -> bool:
        return any(key in index for index in self._step_index)

    def span(self, group: int) -> range:
        """The positions of a group's steps; none past the last group."""
        end = min(group + 1, len(self.groups))
        return range(self.starts[group], self.starts[end])

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
