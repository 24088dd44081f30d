"""Temporal workers, people and a server that are killed are made good by others.

With CONDUCTOR_ALL_TRIALS=1 as many are killed as `python -m property_tests.temporal_crashes` does.
"""

from __future__ import annotations

import os

from property_tests.temporal_crashes import IN_FLIGHT, KILLS, SERVER_KILLS, story
from tests.services.fixtures import require
from tests.services.temporal import Temporal

ALL = os.environ.get("CONDUCTOR_ALL_TRIALS") == "1"
SEED = 20261126


def test_whoever_is_killed_every_flow_on_temporal_ends_as_it_should() -> None:
    """Logs replay, finished work does not run again, nothing acknowledged is lost or doubled."""
    require(Temporal)
    kills, server_kills, in_flight = (KILLS, SERVER_KILLS, IN_FLIGHT) if ALL else (3, 1, 5)
    told = story(kills, SEED, server_kills=server_kills, in_flight=in_flight)
    assert told.killed["worker"] >= kills
    assert len(told.server) == server_kills
    assert told.result.left.flows > 0
