"""A RabbitMQ node that shares nothing with others of this machine, its epmd included."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from tests.services import Household, Process, Service
from tests.services.processes import free_port, installed, listens

# Debian's command on PATH is another, which runs as another user and in that user's folder.
DEBIAN: Final = "/usr/lib/rabbitmq/bin"
# It stays on loopback, and does not look for work so eagerly that tests beside it notice.
ERLANG: Final = "-noinput +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
CONSUMERS_ARE_CHECKED_EACH_MS: Final = 500
TIMEOUT_S: Final = 10


def command() -> str | None:
    """The path of the script that starts a node in the foreground."""
    return shutil.which("rabbitmq-server", path=DEBIAN) or shutil.which("rabbitmq-server")


class RabbitMQ(Service):
    """Each start finds it empty.

    `consumer_timeout_ms`: how long a message may be with a consumer that does not acknowledge it.
    """

    def __init__(self, *, consumer_timeout_ms: int | None = None) -> None:
        super().__init__()
        self._consumer_timeout_ms = consumer_timeout_ms
        self._epmd_port = free_port()
        self._dist_port = free_port()

    @staticmethod
    def missing() -> str | None:
        """Why it cannot run here, or nothing."""
        if command() is None:
            return "there is no rabbitmq-server on PATH"
        if shutil.which("epmd") is None:
            return "there is no epmd on PATH, which RabbitMQ needs"
        if not installed("kombu"):
            return "kombu is not installed, which asks RabbitMQ whether it is ready"
        return None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def _settled(self) -> Household:
        household = Household("rabbitmq")
        # A node would start one that outlives it.
        household.run("epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1")
        return household

    def _launched(self, household: Household) -> Process:
        folder = household.folder / "node"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "advanced.config").write_text(self._settings())
        (folder / "enabled_plugins").write_text("[].\n")
        # Those that are there for all nodes of the machine are not read then.
        (folder / "rabbitmq.conf").touch()
        (folder / "rabbitmq-env.conf").touch()
        return household.run(str(command()), env=self._environment(folder))

    def _settings(self) -> str:
        settings = [f'{{tcp_listeners, [{{"127.0.0.1", {self.port}}}]}}']
        if self._consumer_timeout_ms is not None:
            settings.append(f"{{consumer_timeout, {self._consumer_timeout_ms}}}")
            settings.append(f"{{channel_tick_interval, {CONSUMERS_ARE_CHECKED_EACH_MS}}}")
        return f"[{{rabbit, [{', '.join(settings)}]}}].\n"

    def _environment(self, folder: Path) -> dict[str, str]:
        """What makes a node use nothing but its own."""
        return {
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_CRASH_DUMP_SECONDS": "0",
            # With it the script becomes the node, and is no process of its own.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
            "RABBITMQ_NODENAME": f"node-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_PLUGINS_EXPAND_DIR": str(folder / "plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        }

    def connection(self) -> Any:
        """A connection of kombu, to be used by `with`."""
        # Perhaps missing, and without types.
        return import_module("kombu").Connection(self.url, connect_timeout=TIMEOUT_S)

    def _answers(self) -> bool:
        # It would wait for a second before it tried again.
        if not listens(self.port):
            return False
        with self.connection() as connection:
            try:
                connection.connect()
            except connection.connection_errors:
                return False
            return bool(connection.connected)
