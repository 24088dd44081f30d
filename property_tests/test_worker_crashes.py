"""Workers on one file that are killed at random moments and statements are made good by others."""

from __future__ import annotations

from property_tests.profiles import by_profile
from property_tests.worker_crashes import story

KILLS = by_profile(dev=8, ci=40, thorough=1_000)
SEED = 20261125


def test_whoever_is_killed_every_flow_ends_as_it_should() -> None:
    """Logs verify, finished work does not run again, nothing acknowledged is lost or doubled."""
    told = story(KILLS, SEED)
    assert told.kills >= KILLS
    assert told.left.flows > 0
