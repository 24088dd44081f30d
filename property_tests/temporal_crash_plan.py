"""What the processes of a trial on Temporal are told: where everything is, and what goes wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from attrs import asdict, frozen
from temporalio.client import Client

AGAIN_S: Final = 0.1
"""So long a server that is down is left alone."""
HEARS_S: Final = 0.1
HEARTBEAT_MS: Final = 1_000
"""So soon a worker that was killed has died."""
TASK_TIMEOUT_S: Final = 1.0
STICKY_S: Final = 0.3
"""So long a task waits for a worker that knows the flow, and may be gone."""


@frozen(kw_only=True)
class Plan:
    """A trial: its server, its folder, and how hard it is on its processes.

    `name` is that of the process, `in_flight` how many flows people have at a time, and `dies`
    how likely a worker kills itself at each of the points where it may.
    """

    name: str
    server: str
    folder: str
    queue: str = "crashes"
    seed: int = 0
    in_flight: int = 20
    dies: float = 0.0

    @property
    def place(self) -> Path:
        """Where everybody writes down what happens."""
        return Path(self.folder)

    def settings(self) -> dict[str, Any]:
        """What a process is told that shall do this."""
        return asdict(self)


def handed(name: str) -> str:
    """The file in which stands what workers were handed of a flow."""
    return f"handed.{name}"


async def connected(server: str) -> Client:
    """A connection, once the server is there."""
    while True:
        try:
            return await Client.connect(server)
        except RuntimeError:
            await asyncio.sleep(AGAIN_S)
