"""People of a trial without deaths: `celery_quick_people flows 125`, or `... wide 1000`.

Rule: they start flows, approve what is asked, and leave when all have ended and all that they
have to send is sent.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from conductor_adapters.durable_client import DurableClient
from conductor_core import FlowSpec
from property_tests import celery_flows
from property_tests.celery_crash_app import conductor, copies
from property_tests.worker_crash_flows import name_of
from property_tests.worker_crash_people import asks_or_ended

IN_FLIGHT: Final = 25


async def see_to(specs: Sequence[FlowSpec]) -> None:
    """Have all flows end."""
    places = asyncio.Semaphore(IN_FLIGHT)
    async with conductor.client() as client:
        await asyncio.gather(
            *(accompany(client, spec, name_of(n), places) for n, spec in enumerate(specs))
        )
    await asyncio.to_thread(copies.wait_until_sent)


async def accompany(
    client: DurableClient, spec: FlowSpec, flow_id: str, places: asyncio.Semaphore
) -> None:
    """Start a flow, approve what is asked, and wait for its end."""
    async with places:
        flow = await client.start(spec, flow_id=flow_id)
        state = await flow.until(asks_or_ended)
        if state.outcome is None:
            by, request_id = celery_flows.BY, f"{flow_id}-approve"
            await flow.approve("plan", by=by, request_id=request_id)
        await flow.wait()


def main(kind: str, number: str) -> None:
    """Be people."""
    asyncio.run(see_to(celery_flows.specs(kind, int(number))))


if __name__ == "__main__":
    main(*sys.argv[1:])
