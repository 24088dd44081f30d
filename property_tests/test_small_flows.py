"""Which small flows there are, and that a few of them bring all choices together."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from conductor_core import FlowSpec
from property_tests.pairwise import covering
from property_tests.small_flows import choices, flow_of_row, flows, flows_in_pairs, shapes


@pytest.mark.parametrize(("steps", "count"), [(1, 16), (2, 384), (3, 7_168)])
def test_every_flow_of_a_size(steps: int, count: int) -> None:
    """There are so many flows of a size, each of them once."""
    found = list(flows(steps))
    assert len(found) == len(set(found)) == count
    assert all(len(steps_of(spec)) == steps for spec in found)


def test_shapes_are_groups_in_order() -> None:
    """Two steps stand in one group, one by one or together, or in two groups."""
    assert list(shapes(2)) == [((1, False), (1, False)), ((2, False),), ((2, True),)]
    assert len(list(shapes(4))) == 17


def test_any_two_choices_for_four_steps_meet() -> None:
    """In the flows of four steps every two values of two choices come together."""
    rows = list(covering(choices(4)))
    for one, other in combinations(range(len(choices(4))), 2):
        met = {(row[one], row[other]) for row in rows}
        assert met == set(product(choices(4)[one], choices(4)[other]))
    assert [flow_of_row(row) for row in rows] == list(flows_in_pairs(4))


def test_a_cover_is_small() -> None:
    """No cover is smaller than the two largest choices make it, and this one is no larger."""
    assert len(list(covering(choices(4)))) == 17 * 2
    assert sorted(covering([range(3), "ab"])) == sorted(product(range(3), "ab"))


def steps_of(spec: FlowSpec) -> list[str]:
    """The keys of all steps of a flow."""
    return [step.key for group in spec.groups for step in group.steps]
