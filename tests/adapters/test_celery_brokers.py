"""Brokers that are down, lose everything, or lose their patience."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from conductor_core import StepSpec
from conductor_core.testing.brief import flow, group
from tests.adapters.celery_scenes import scene
from tests.adapters.processes import play
from tests.services.fixtures import require
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis

LONG_S = 4.0
"""Longer than any broker here has patience."""
LONG = flow(group("g", StepSpec(key="sleeps", input={"s": LONG_S}), "quick"))


def test_a_broker_may_come_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A flow begins in the store; what its broker did not take is sent when it is there."""
    require(Redis)
    broker = Redis()
    with scene(tmp_path, broker.url) as at:

        async def script() -> str:
            async with at.host as host:
                started = await host.start(flow(group("g", "quick", "plan")), flow_id="f")
                await host.start(flow(group("g", "quick")), flow_id="g")
                at.worker()
                with broker:
                    return (await started.wait()).status

        assert play(script()) == "success"
        assert [len(at.notes.of("ran", "f", name)) for name in ("quick#1", "plan#1")] == [1, 1]
    told = [record for record in caplog.records if "cannot be reached" in record.message]
    assert len(told) == 1


@pytest.fixture(scope="module")
def impatient_redis() -> Generator[Redis]:
    """A Redis of these tests; that it shall deliver again soon, its clients say."""
    require(Redis)
    with Redis() as broker:
        yield broker


@pytest.fixture(scope="module")
def impatient_rabbitmq() -> Generator[RabbitMQ]:
    """A RabbitMQ of these tests that cuts off who does not acknowledge soon."""
    require(RabbitMQ)
    with RabbitMQ(consumer_timeout_ms=1_000) as broker:
        yield broker


@pytest.fixture(params=["impatient_redis", "impatient_rabbitmq"])
def broker(request: pytest.FixtureRequest) -> Redis | RabbitMQ:
    """Each of them."""
    found: Redis | RabbitMQ = request.getfixturevalue(request.param)
    return found


def test_a_step_may_take_longer_than_brokers_wait(broker: Redis | RabbitMQ, tmp_path: Path) -> None:
    """Its message was acknowledged when it began: it runs once, and its worker lives."""
    soon = {"broker_transport_options": {"visibility_timeout": 1}}
    with scene(tmp_path, broker.url, conf=soon if isinstance(broker, Redis) else {}) as at:
        worker = at.worker(n=2)
        family = set[int]()

        async def script() -> str:
            async with at.host as host:
                began = await host.start(LONG, flow_id="f")
                await at.noted("began")
                family.update(worker.family())
                return (await began.wait()).status

        assert play(script()) == "success"
        assert worker.family() == family
        assert len(at.notes.of("began", "f", "sleeps#1")) == 1
        assert len(at.notes.of("ran", "f", "quick#1")) == 1
        assert not worker.wrote("PRECONDITION_FAILED")


def test_a_broker_may_lose_everything(broker: Redis | RabbitMQ, tmp_path: Path) -> None:
    """What waited in it is sent again, what ran goes on, and nothing is done twice."""
    together = group("g", "waits", "quick", "plan", "stubborn", parallel=True)
    spec = flow(together, group("h", StepSpec(key="apply", needs=["plan"])))
    with scene(tmp_path, broker.url) as at:
        at.worker(n=1)

        async def script() -> str:
            async with at.host as host:
                began = await host.start(spec, flow_id="f")
                await at.noted("began", "f", "waits#1")
                broker.kill()
                broker.start()
                at.go()
                return (await began.wait()).status

        assert play(script()) == "success"
        for name in ("waits#1", "quick#1", "plan#1", "stubborn#1", "apply#1"):
            assert len(at.notes.of("ran", "f", name)) == 1
