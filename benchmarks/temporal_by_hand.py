"""What somebody who knows Temporal well would write instead of a flow: two workflows, one activity.

Rule: nothing is imported here but Temporal, whose sandbox imports this file anew for each
workflow. Work is asked for as flows ask for it: with the same timeouts, tried as often.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

MOST_IN_FLIGHT: Final = 200
"""So many steps are under way at a time, as a flow has them unless somebody says otherwise."""
HEARTBEAT: Final = timedelta(seconds=10)
LONGEST: Final = timedelta(days=3_650)
DELIVERIES: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    maximum_interval=timedelta(seconds=30),
    maximum_attempts=8,
)


@activity.defn
async def nothing(_step: str) -> None:
    """Do nothing."""


async def do_step(number: int) -> None:
    """Have a step done."""
    await workflow.execute_activity(
        nothing,
        f"s{number}",
        start_to_close_timeout=LONGEST,
        heartbeat_timeout=HEARTBEAT,
        retry_policy=DELIVERIES,
    )


@workflow.defn
class OneByOne:
    """Steps one after the other."""

    @workflow.run
    async def run(self, first: int, steps: int) -> None:
        """Do what is left, in a fresh history when Temporal wants one."""
        for number in range(first, steps):
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(args=[number, steps])
            await do_step(number)


@workflow.defn
class Together:
    """Steps at the same time."""

    @workflow.run
    async def run(self, first: int, steps: int) -> None:
        """Do all, so many at a time."""
        room = asyncio.Semaphore(MOST_IN_FLIGHT)

        async def one(number: int) -> None:
            async with room:
                await do_step(number)

        await asyncio.gather(*(one(number) for number in range(first, steps)))
