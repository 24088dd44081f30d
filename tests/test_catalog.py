"""The catalog finds groups and steps by key and by position while it grows."""

from __future__ import annotations

from conductor_core import GroupSpec, RetryPolicy, StepSpec
from conductor_core.catalog import Catalog
from conductor_core.testing.brief import group

TWO = (group("build", "compile", "test"), group("deploy", "plan", "apply", "check"))


def numbered(count: int) -> list[GroupSpec]:
    """So many groups of two steps."""
    return [group(f"g{n}", f"a{n}", f"b{n}") for n in range(count)]


def test_steps_have_positions_in_flow_order() -> None:
    """Positions count the steps of all groups, and each group has a span of them."""
    catalog = Catalog().extend(TWO)
    assert [step.key for step in catalog.steps] == ["compile", "test", "plan", "apply", "check"]
    assert [catalog.position_of(step.key) for step in catalog.steps] == [0, 1, 2, 3, 4]
    assert [catalog.span(0), catalog.span(1)] == [range(2), range(2, 5)]


def test_groups_and_steps_have_names_of_their_own() -> None:
    """A group and a step may share a key; each is found among its own kind only."""
    catalog = Catalog().extend([group("deploy", "deploy"), group("other", "build")])
    assert (catalog.group_of("deploy"), catalog.position_of("deploy")) == (0, 0)
    assert (catalog.group_of("build"), catalog.position_of("other")) == (None, None)
    assert "build" in catalog
    assert "other" not in catalog


def test_what_is_unknown_is_not_found() -> None:
    """In an empty catalog, and past all groups of a full one, there is nothing."""
    for catalog in (Catalog(), Catalog().extend(TWO)):
        assert catalog.group_of("nowhere") is None
        assert catalog.position_of("nothing") is None
        assert "nothing" not in catalog


def test_a_catalog_that_grew_equals_one_that_was_built_at_once() -> None:
    """One by one, in parts or at once: the catalogs are equal, and all keys are found."""
    groups = numbered(70)
    built, grown = Catalog().extend(groups), Catalog()
    for one in groups:
        grown = grown.extend([one])
    parts = Catalog().extend(groups[:50]).extend(groups[50:])
    assert grown == built == parts
    assert hash(grown) == hash(built) == hash(parts)
    for catalog in (grown, parts):
        assert [catalog.group_of(f"g{n}") for n in range(70)] == list(range(70))
        assert [catalog.position_of(f"b{n}") for n in range(70)] == list(range(1, 140, 2))
        assert [catalog.span(n) for n in range(70)] == [range(2 * n, 2 * n + 2) for n in range(70)]


def test_growing_leaves_the_original_alone() -> None:
    """Extending gives another catalog."""
    small = Catalog().extend(TWO[:1])
    large = small.extend(TWO[1:])
    assert "plan" not in small
    assert "plan" in large
    assert small != large
    assert small.extend([]) == small


def test_a_catalog_equals_catalogs_only() -> None:
    """The groups alone are no catalog."""
    assert Catalog().extend(TWO) != TWO


def test_the_budget_of_a_group_is_its_smallest() -> None:
    """A group may be retried as often as the strictest of its steps allows (S6.14)."""
    strict = StepSpec(key="strict", retry=RetryPolicy(max_retries=2))
    catalog = Catalog().extend([group("lenient", "a"), group("mixed", "b", strict)])
    assert [catalog.place(group).max_retries for group in (0, 1)] == [10, 2]
