"""The Celery host does what every host must, on real brokers, with workers that are killed.

Workers begin anew where hosts go down, so that what is played is played on one combination of a
broker and a store; on all of them where all trials are asked for (`trial_choice`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from itertools import product

import pytest

from conductor_core.testing.conformance import Case, Weather, cases, conforms, weathers
from tests.adapters.celery_rigs import CeleryRig, Plant
from tests.adapters.trial_choice import ALL, trials
from tests.services.postgres import Postgres
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis

COMBINATIONS = tuple(product(("redis", "rabbitmq"), ("sqlite", "postgres")))
PATIENCE_S = 60.0
"""A whole worker may have to begin, and a message to be sent again that went down with one."""


def arranged() -> Generator[object]:
    """Every combination with its cases and weathers."""
    chosen = {(str(case), str(weather)) for case, weather in trials()}
    for number, (broker, store) in enumerate(COMBINATIONS):
        for (shift, weather), (place, case) in product(enumerate(weathers()), enumerate(cases())):
            its_turn = (place + shift) % len(COMBINATIONS) == number
            if ALL or (its_turn and (str(case), str(weather)) in chosen):
                name = f"{broker}-{store}-{case}-{weather}"
                yield pytest.param((broker, store), case, weather, id=name)


@pytest.fixture(scope="module")
def plants() -> Generator[dict[tuple[str, str], Plant]]:
    """What was made for trials that are over, by combination."""
    made: dict[tuple[str, str], Plant] = {}
    yield made
    for plant in made.values():
        asyncio.run(plant.end())


@pytest.fixture
def plant(
    request: pytest.FixtureRequest,
    plants: dict[tuple[str, str], Plant],
    tmp_path_factory: pytest.TempPathFactory,
) -> Plant:
    """A broker, a store, and a worker for all trials."""
    broker, store = request.param
    if request.param not in plants:
        service: Redis | RabbitMQ = request.getfixturevalue(broker)
        folder = tmp_path_factory.mktemp("kit")
        where = str(folder / "flows.db")
        if store == "postgres":
            cluster: Postgres = request.getfixturevalue(store)
            where = cluster.new_database()
        plants[request.param] = Plant(folder, service.url, where, queue=f"kit-{store}")
    return plants[request.param]


@pytest.mark.parametrize(("plant", "case", "weather"), [*arranged()], indirect=["plant"])
def test_the_celery_host_conforms(plant: Plant, case: Case, weather: Weather) -> None:
    """Every case, in every weather, comes to what the pure reducer says."""
    flow_id = f"{case}/{weather}"
    trial = conforms(
        lambda worker: CeleryRig(worker, plant), case, weather,
        patience_s=PATIENCE_S, flow_id=flow_id,
    )  # fmt: skip
    asyncio.run(trial)
