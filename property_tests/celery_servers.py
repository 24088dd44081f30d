"""The servers of a trial on Celery: a broker, and perhaps a PostgreSQL.

Rule: they are the trial's own, and go with it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.services import Service
from tests.services.postgres import Postgres
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis

BROKERS: Final[dict[str, type[Service]]] = {"redis": Redis, "rabbitmq": RabbitMQ}
STORES: Final = ("sqlite", "postgres")


@contextmanager
def servers(
    broker: str, store: str, folder: Path
) -> Generator[tuple[Service, Postgres | None, str]]:
    """A broker, a PostgreSQL if need be, and what the store is called."""
    with ExitStack() as stack:
        service = stack.enter_context(BROKERS[broker]())
        if store == "sqlite":
            yield service, None, str(folder / "flows.db")
        else:
            postgres = stack.enter_context(Postgres())
            yield service, postgres, postgres.new_database()
