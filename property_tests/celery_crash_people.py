"""A process of people who ask something of flows on Celery: `celery_crash_people SEED`.

Rule: it is a client of the app of the trial (`celery_crash_app`), and may be killed as well.
"""

from __future__ import annotations

import asyncio
import random
import sys
from functools import partial
from typing import Final

from conductor_adapters.durable_client import DurableClient
from conductor_adapters.store.errors import StoreError
from property_tests.celery_crash_app import TOO_LATE_MS, conductor, plan
from property_tests.worker_crash_flows import spec_of
from property_tests.worker_crash_people import People
from property_tests.worker_crash_work import AGAIN_S

IN_FLIGHT: Final = 10


async def coordinate(seed: int) -> None:
    """Do what people do, with another client where the store was down when one began."""
    flows = partial(spec_of, too_late_ms=TOO_LATE_MS)
    people = People(plan.place, random.Random(seed), flows, IN_FLIGHT)
    while True:
        try:
            await _coordinate(people, conductor.client())
        except StoreError:
            await asyncio.sleep(AGAIN_S)
        else:
            return


async def _coordinate(people: People, client: DurableClient) -> None:
    async with client:
        await people.coordinate(client)


if __name__ == "__main__":
    asyncio.run(coordinate(int(sys.argv[1])))
