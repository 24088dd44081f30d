"""Celery workers that are killed, and messages that come as they like, lead to the same end."""

from __future__ import annotations

import pytest

from property_tests.celery_contention import contended
from property_tests.celery_crashes import story
from property_tests.celery_deliveries import delivered
from property_tests.profiles import by_profile
from tests.services import Service
from tests.services.fixtures import require
from tests.services.postgres import Postgres
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis

KILLS = by_profile(dev=2, ci=40, thorough=1_000)
MESSAGES = by_profile(dev=60, ci=1_000, thorough=50_000)
STEPS = by_profile(dev=40, ci=300, thorough=3_000)
SEED = 20261125
NEEDS: dict[str, tuple[type[Service], ...]] = {
    "redis": (Redis,),
    "rabbitmq": (RabbitMQ,),
    "sqlite": (),
    "postgres": (Postgres,),
}


def require_for(broker: str, store: str) -> None:
    """Skip a test, or let it fail, unless its servers can run here."""
    require(*NEEDS[broker], *NEEDS[store])


@pytest.mark.parametrize(
    ("broker", "store"), by_profile(
        dev=[("redis", "postgres")],
        ci=[("redis", "sqlite"), ("redis", "postgres"), ("rabbitmq", "sqlite")],
        thorough=[(b, s) for b in ("redis", "rabbitmq") for s in ("sqlite", "postgres")],
    ),
)  # fmt: skip
def test_whoever_is_killed_every_flow_ends_as_it_should(broker: str, store: str) -> None:
    """Also where the broker lost everything, and the store forgot its last moments."""
    require_for(broker, store)
    on_server = store == "postgres"
    told = story(
        KILLS, SEED, broker=broker, store=store, broker_crashes=1, store_crashes=int(on_server)
    )
    assert told.killed.total() >= KILLS
    assert (len(told.broker), len(told.store)) == (1, int(on_server))
    assert told.left.flows > 0


def test_messages_may_come_several_times_late_and_in_no_order() -> None:
    """Every flow ends as the reducer says by itself, and what came once more was passed over."""
    require_for("redis", "sqlite")
    told = delivered(MESSAGES, SEED)
    assert told.counts["passed over"] > told.counts["executed"] >= told.attempts


@pytest.mark.parametrize(
    "store",
    by_profile(dev=["postgres"], ci=["sqlite", "postgres"], thorough=["sqlite", "postgres"]),
)
def test_many_may_work_on_one_flow(store: str) -> None:
    """Each attempt runs once, and nobody appends what was decided on an old state."""
    require_for("redis", store)
    told = contended(STEPS, store=store)
    assert told.counts["executed"] == told.attempts == STEPS
    assert told.counts["caught up"] > 0
