"""The public scenarios come out on Temporal as they do on the reducer, on a real server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator

import pytest

from tests.adapters.temporal_scenarios import Scenarios, sorted_out
from tests.services.temporal import Temporal

PLAYED, LEFT_OUT = sorted_out()


@pytest.fixture(scope="session")
def scenarios(request: pytest.FixtureRequest, temporal: Temporal) -> Generator[Scenarios]:
    """The scenarios that are to be played, under way."""
    wanted = (getattr(item, "callspec", None) for item in request.session.items)
    named = dict.fromkeys(it.params["scenario"] for it in wanted if it and "scenario" in it.params)
    playing = Scenarios({name: PLAYED[name] for name in named}, temporal.url)
    yield playing
    playing.close()


@pytest.mark.parametrize("scenario", PLAYED)
def test_a_scenario_ends_on_temporal_as_on_the_reducer(scenarios: Scenarios, scenario: str) -> None:
    """It gives the same verdicts, commands and states, and its log leads to the last of them."""
    scenarios.outcome(scenario).result()


def test_what_needs_a_virtual_clock_or_no_host_is_left_out() -> None:
    """No scenario is left out unnoticed."""
    assert len(PLAYED) == 350
    assert Counter(LEFT_OUT.values()) == {
        "does not start": 2,
        "stays between incarnations": 6,
        "needs a virtual clock": 1,
    }
