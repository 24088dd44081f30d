"""The Temporal worker that asks the conformance kit what to do.

Rule: what is the same for all trials is made once: a worker serves one trial after another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from attrs import frozen
from temporalio.client import Client

from conductor_adapters.temporal import Options, Settings, TemporalClient, conductor_worker
from conductor_core.testing.conformance import cases
from tests.adapters.kit_calls import Unanswered

WORKS: Final = sorted({step.handler for case in cases() for step in case.steps()})
TYPES: Final = sorted({case.flow.type for case in cases() if case.generates})
HEARS_S: Final = 0.1
HEARTBEAT_MS: Final = 800
"""So soon a worker that was killed has died."""
TASK_TIMEOUT_S: Final = 1.0
STICKY: Final = timedelta(seconds=0.2)
"""So long a task waits for a worker that knows the flow, and may be gone."""


@frozen
class KitWorker:
    """A worker that serves until it is killed."""

    settings: dict[str, Any]

    def worker_main(self, _options: Sequence[str]) -> int:
        """Serve."""
        asyncio.run(self._serve())
        return 0

    async def _serve(self) -> None:
        client = await Client.connect(self.settings["server"])
        asking = Unanswered(self.settings["socket"])
        worker = conductor_worker(
            client,
            dict.fromkeys(WORKS, asking.work),
            generators=dict.fromkeys(TYPES, asking.generate),
            task_queue=self.settings["queue"],
            ask=asking.ask,
            hears_s=HEARS_S,
            sticky_queue_schedule_to_start_timeout=STICKY,
        )
        await worker.run()


def make(settings: dict[str, Any]) -> KitWorker:
    """A worker of some settings."""
    return KitWorker(settings)


async def client_of(settings: dict[str, Any]) -> TemporalClient:
    """A client that reads histories alone, whether or not a worker lives."""
    client = await Client.connect(settings["server"])
    default = Options(heartbeat_timeout_ms=HEARTBEAT_MS, child=settings["children"])
    return TemporalClient(
        client,
        settings=Settings(default=default, asks=True),
        task_queue=settings["queue"],
        query_s=0,
        task_timeout_s=TASK_TIMEOUT_S,
    )
