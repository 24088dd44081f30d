"""The Temporal host does what every host must, on a real server, with a worker that is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Generator

import pytest

from conductor_core.testing.conformance import Case, Weather, cases, conforms, weathers
from tests.adapters.temporal_rigs import Plant, TemporalRig
from tests.services.temporal import Temporal

PATIENCE_S = 60.0
"""A worker that was killed has died after some moments, and so has what it knew of a flow."""


@pytest.fixture(scope="session")
def plant(temporal: Temporal, tmp_path_factory: pytest.TempPathFactory) -> Generator[Plant]:
    """A worker for all trials."""
    made = Plant(tmp_path_factory.mktemp("kit"), temporal.url)
    yield made
    asyncio.run(made.end())


@pytest.mark.parametrize("weather", weathers(), ids=str)
@pytest.mark.parametrize("case", cases(), ids=str)
def test_the_temporal_host_conforms(plant: Plant, case: Case, weather: Weather) -> None:
    """Every case, in every weather, comes to what the pure reducer says."""
    flow_id = f"{case}/{weather}"
    trial = conforms(
        lambda worker: TemporalRig(worker, plant), case, weather,
        patience_s=PATIENCE_S, flow_id=flow_id,
    )  # fmt: skip
    asyncio.run(trial)
