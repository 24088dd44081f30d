"""All flows of a few steps, in all their states: no theorem is ever broken.

The counts are pinned: a change of the rules, of the alphabet or of the keys shows in them.
"""

from __future__ import annotations

from itertools import islice

import pytest

from property_tests.every_flow import add_up, flows
from property_tests.profiles import PROFILE


def test_every_flow_of_one_step() -> None:
    """No flow of one step breaks a theorem."""
    found = add_up(flows(1))
    assert found.bad == ()
    assert (found.flows, found.states, found.transitions) == (16, 966, 3_028)
    assert ("success", None) in found.outcomes
    assert ("cancelled", "cancelled") in found.outcomes


def test_some_flows_of_two_steps() -> None:
    """None of every nineteenth flow of two steps breaks a theorem."""
    found = add_up(islice(flows(2), 0, None, 19))
    assert found.bad == ()
    assert found.flows == 21


@pytest.mark.skipif(PROFILE == "dev", reason="it takes a minute")
def test_every_flow_of_two_steps() -> None:
    """No flow of two steps breaks a theorem."""
    found = add_up(flows(2))
    assert found.bad == ()
    assert (found.flows, found.states, found.transitions) == (384, 110_864, 458_196)


@pytest.mark.skipif(PROFILE != "thorough", reason="it takes more than an hour")
def test_every_flow_of_three_steps() -> None:
    """No flow of three steps breaks a theorem."""
    found = add_up(flows(3))
    assert found.bad == ()
    assert found.flows == 7_168
