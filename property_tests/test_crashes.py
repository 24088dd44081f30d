"""Runs that are killed at random moments are made good by going on with their logs."""

from __future__ import annotations

from property_tests.crashes import stories
from property_tests.profiles import by_profile

KILLS = by_profile(dev=12, ci=40, thorough=1_000)
SEED = 20261124


def test_however_often_a_run_is_killed_its_flow_ends_as_it_should() -> None:
    """Logs verify, finished work does not run again, nothing is left behind."""
    told = list(stories(KILLS, SEED))
    assert sum(story.kills for story in told) >= KILLS
    assert any(story.resumed for story in told)
