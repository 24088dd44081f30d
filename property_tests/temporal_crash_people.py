"""Processes of people who ask something of flows on Temporal, and may be killed as well.

Rule: what was acknowledged is written down at once; who does not know what became of a request,
because a server or all workers are down, makes it again, under the same id.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from attrs import define, frozen

from conductor_adapters.temporal import Options, Settings, TemporalClient, TemporalError
from conductor_adapters.temporal.flow import TemporalFlow
from conductor_core.verdicts import Verdict
from property_tests.temporal_crash_flows import is_retried_by_group, spec_of
from property_tests.temporal_crash_plan import (
    AGAIN_S,
    HEARTBEAT_MS,
    TASK_TIMEOUT_S,
    Plan,
    connected,
)
from property_tests.worker_crash_checks import words_of
from property_tests.worker_crash_flows import CANCELLED, PAUSED, every, name_of, number_of
from property_tests.worker_crash_people import asks_or_ended, checked
from property_tests.worker_crash_work import note

PATIENCE_S: Final = 5.0
QUERY_S: Final = 1.0
SETTINGS: Final = Settings(default=Options(heartbeat_timeout_ms=HEARTBEAT_MS))


async def client_of(plan: Plan, *, query_s: float = 0.0) -> TemporalClient:
    """A client, once the server is there; it reads histories where it does not ask workers."""
    return TemporalClient(
        await connected(plan.server),
        settings=SETTINGS,
        task_queue=plan.queue,
        patience_s=PATIENCE_S,
        query_s=query_s,
        task_timeout_s=TASK_TIMEOUT_S,
    )


def numbers_in(file: Path) -> set[int]:
    """The numbers of the flows that were written down."""
    return {number_of(name) for (name,) in words_of(file)}


@define
class People:
    """Who starts flows, approves and cancels; several may do the same in processes of their own."""

    folder: Path
    chance: random.Random
    client: TemporalClient
    in_flight: int

    async def coordinate(self) -> None:
        """Start flows, and do what people do, until told to end and all have ended."""
        live: list[asyncio.Task[None]] = []
        number = 0
        while live or self.wanted(number):
            live = [task for task in live if not checked(task)]
            while len(live) < self.in_flight and self.wanted(number):
                if number not in numbers_in(self.folder / "over"):
                    live.append(asyncio.create_task(self.see_to(number)))
                number += 1
            await asyncio.sleep(0.02)

    def wanted(self, number: int) -> bool:
        """Whether a flow is to be seen to: one that was begun, or another while all goes on."""
        begun = numbers_in(self.folder / "begun")
        return number in begun or not (self.folder / "stop").exists()

    async def see_to(self, number: int) -> None:
        """Do for one flow what people do, from the start again where nobody answered."""
        note(self.folder / "begun", name_of(number))
        while True:
            try:
                await self.accompany(number)
            except TemporalError as error:
                note(self.folder / "unanswered", name_of(number), error)
                await asyncio.sleep(AGAIN_S)
            else:
                note(self.folder / "over", name_of(number))
                return

    async def accompany(self, number: int) -> None:
        """Do for one flow what people do."""
        flow = await self.client.start(spec_of(number), flow_id=name_of(number))
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
            await self.say(self.retry(flow, outcome.step), flow, f"retry-{outcome.step}")

    def retry(self, flow: TemporalFlow, attempt: str) -> Callable[..., Awaitable[Verdict]]:
        """What a person does about a step that failed."""
        step = attempt.rpartition("#")[0]
        if step == "publish" and is_retried_by_group(number_of(flow.flow_id)):
            return partial(flow.retry_group, "last")
        return partial(flow.retry, step)

    async def say(
        self, ask: Callable[..., Awaitable[Verdict]], flow: TemporalFlow, word: str
    ) -> None:
        """Ask something of a flow, and write down what came of it."""
        request_id = f"{flow.flow_id}-{word}"
        verdict = await ask(by="ana", request_id=request_id)
        note(self.folder / "said", flow.flow_id, request_id, verdict)


@frozen
class PeopleHere:
    """A process of people."""

    plan: Plan

    def worker_main(self, _options: Sequence[str]) -> int:
        """Do what people do, and say so in the end."""
        asyncio.run(self._coordinate())
        (self.plan.place / f"done.{self.plan.name}").touch()
        return 0

    async def _coordinate(self) -> None:
        chance = random.Random(self.plan.seed)
        # One asks the workers where a flow is, the other reads histories.
        query_s = QUERY_S if self.plan.name.endswith("1") else 0.0
        client = await client_of(self.plan, query_s=query_s)
        await People(self.plan.place, chance, client, self.plan.in_flight).coordinate()


def make(settings: dict[str, Any]) -> PeopleHere:
    """People of some settings."""
    return PeopleHere(Plan(**settings))
