"""Servers for a whole run of pytest, each started by the first test that asks for it.

Rule: where one cannot run, its tests are skipped and say so; they fail instead where nothing
may stay untested, which the variable CONDUCTOR_ALL_SERVICES says by the value 1. A test that
kills a server, or wants it otherwise, starts one of its own.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Final

import pytest

from tests.services import Service
from tests.services.postgres import Postgres
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis
from tests.services.temporal import Temporal

ALL: Final = "CONDUCTOR_ALL_SERVICES"


def require(*services: type[Service]) -> None:
    """Skip a test, or let it fail, unless such services can run here."""
    for service in services:
        reason = service.missing()
        if reason is None:
            continue
        if os.environ.get(ALL) == "1":
            pytest.fail(f"{reason}, and {ALL} is set", pytrace=False)
        pytest.skip(f"{reason}: what needs {service.__name__} GOES UNTESTED")


@pytest.fixture(scope="session")
def redis() -> Generator[Redis]:
    """A Redis; its keys are shared by all tests."""
    require(Redis)
    with Redis() as service:
        yield service


@pytest.fixture(scope="session")
def rabbitmq() -> Generator[RabbitMQ]:
    """A RabbitMQ; its queues are shared by all tests."""
    require(RabbitMQ)
    with RabbitMQ() as service:
        yield service


@pytest.fixture(scope="session")
def postgres() -> Generator[Postgres]:
    """A PostgreSQL, in which a test makes a database of its own; it is quick, and not durable."""
    require(Postgres)
    with Postgres(fsync=False) as service:
        yield service


@pytest.fixture(scope="session")
def temporal() -> Generator[Temporal]:
    """A Temporal server that forgets; its namespace is shared by all tests."""
    require(Temporal)
    with Temporal() as service:
        yield service
