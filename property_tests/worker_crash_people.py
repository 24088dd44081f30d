"""Who asks something of the flows whose processes are killed, on whichever host.

Rule: what was acknowledged is written down at once; who does not know what became of a request
makes it again, under the same id.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Container
from functools import partial
from pathlib import Path
from typing import Final

from attrs import define

from conductor_adapters.durable_client import DurableClient
from conductor_adapters.durable_flow import DurableFlow
from conductor_adapters.store.errors import StoreError
from conductor_core import FlowSpec, FlowState
from conductor_core.verdicts import Verdict
from property_tests.worker_crash_flows import CANCELLED, PAUSED, every, name_of, spec_of
from property_tests.worker_crash_work import AGAIN_S, note

IN_FLIGHT: Final = 12


@define
class People:
    """Who starts flows, approves and cancels; several may do the same in processes of their own."""

    folder: Path
    chance: random.Random
    flows: Callable[[int], FlowSpec] = spec_of
    in_flight: int = IN_FLIGHT

    async def coordinate(self, client: DurableClient) -> None:
        """Start flows, and do what people do, until told to end and all have ended."""
        live: dict[str, asyncio.Task[None]] = {}
        known = {row.flow_id: row for row in await client.list(limit=100_000)}
        number = 0
        while live or self.wanted(number, known):
            live = {name: task for name, task in live.items() if not checked(task)}
            while len(live) < self.in_flight and self.wanted(number, known):
                name = name_of(number)
                if name not in known or known[name].status not in ("success", "cancelled"):
                    live[name] = asyncio.create_task(self.see_to(client, number))
                number += 1
            await asyncio.sleep(0.01)

    def wanted(self, number: int, known: Container[str]) -> bool:
        """Whether a flow is to be seen to: one that was begun, or another while all goes on."""
        return name_of(number) in known or not (self.folder / "stop").exists()

    async def see_to(self, client: DurableClient, number: int) -> None:
        """Do for one flow what people do, from the start again where the store was down."""
        while True:
            try:
                await self.accompany(client, number)
            except StoreError:
                await asyncio.sleep(AGAIN_S)
            else:
                return

    async def accompany(self, client: DurableClient, number: int) -> None:
        """Do for one flow what people do."""
        flow = await client.start(self.flows(number), flow_id=name_of(number))
        if every(PAUSED, number):
            await asyncio.sleep(self.chance.uniform(0, 0.3))
            await self.say(flow.pause, flow, "pause")
            await self.say(flow.resume, flow, "resume")
        if every(CANCELLED, number):
            await asyncio.sleep(self.chance.uniform(0, 0.3))
            await self.say(flow.cancel, flow, "cancel")
        state = await flow.until(asks_or_ended)
        for _ in range(2):  # Twice for good measure: it counts once.
            if state.outcome is None:
                await self.say(partial(flow.approve, "plan"), flow, "approve")
        while (outcome := await flow.wait()).status == "error":
            # Whatever failed: work may also have run out of retries since it was interrupted.
            assert outcome.step is not None, f"{flow.flow_id} stopped for no step"
            step = outcome.step.rpartition("#")[0]
            await self.say(partial(flow.retry, step), flow, f"retry-{outcome.step}")

    async def say(
        self, ask: Callable[..., Awaitable[Verdict]], flow: DurableFlow, word: str
    ) -> None:
        """Ask something of a flow, and write down what came of it."""
        request_id = f"{flow.flow_id}-{word}"
        verdict = await ask(by="ana", request_id=request_id)
        note(self.folder / "said", flow.flow_id, request_id, verdict)


def asks_or_ended(state: FlowState) -> bool:
    """Whether people are asked, or nobody is any more."""
    return state.outcome is not None or bool(state.open_approvals())


def checked(task: asyncio.Task[None]) -> bool:
    """Whether a task is done; raises what it raised."""
    if task.done():
        task.result()
    return task.done()
