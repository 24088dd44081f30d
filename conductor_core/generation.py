"""What a delivery of generated groups is, next to the groups that are known (S12.2)."""

from __future__ import annotations

from enum import Enum

from conductor_core.catalog import Catalog
from conductor_core.spec import GroupSpec, group_problems


class Delivery(Enum):
    """New groups, known ones that are delivered again, or neither."""

    NEW = "new"
    KNOWN = "known"
    INVALID = "invalid"


def delivery_of(catalog: Catalog, groups: tuple[GroupSpec, ...]) -> Delivery:
    """Tell a redelivery from new groups, and both from what is partly known or invalid."""
    keys = [group.key for group in groups]
    known = [catalog.group_of(key) for key in keys]
    if len(set(keys)) == len(keys) and all(
        index is not None and catalog.groups[index] == group
        for index, group in zip(known, groups, strict=True)
    ):
        return Delivery.KNOWN
    if group_problems(groups, catalog) or clash(catalog, groups):
        return Delivery.INVALID
    return Delivery.NEW


def clash(catalog: Catalog, groups: tuple[GroupSpec, ...]) -> str | None:
    """The first key among groups to be added that a group or a step of the flow has."""
    for group in groups:
        if catalog.group_of(group.key) is not None:
            return group.key
        for step in group.steps:
            if step.key in catalog:
                return step.key
    return None
