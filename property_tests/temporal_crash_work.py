"""The Temporal workers of the trials, and what they do.

Rule: they are made as everybody makes them; what goes wrong in them is put around them, as the
plan says.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from attrs import define, frozen
from temporalio import activity

from conductor_adapters.temporal import conductor_worker
from conductor_adapters.temporal.activities import Activities
from conductor_adapters.temporal.runner import InOrder, InOrderInstance
from conductor_adapters.work import StepContext, StepResult
from conductor_adapters.workers import Handler
from conductor_core import GroupSpec
from conductor_core.commands import GenerateSteps
from property_tests.deaths import IN_A_STEP, Deaths, Method, wrap
from property_tests.temporal_crash_flows import LONG, groups_of
from property_tests.temporal_crash_plan import HEARS_S, STICKY_S, Plan, connected, handed
from property_tests.worker_crash_flows import MADE
from property_tests.worker_crash_work import Works, note

LONGEST_S: Final = 1.0
MORE_ACTIVATIONS: Final = 3
"""There are more of these than of all others together."""


@define
class TemporalWorks(Works):
    """The handlers; the histories, which tell what must not begin, are looked at in the end."""

    def handlers(self) -> Mapping[str, Handler]:
        """What is done, by name."""
        return {**Works.handlers(self), LONG: self.long}

    async def long(self, context: StepContext) -> StepResult:
        """Take more time."""
        self.begin(context)
        await asyncio.sleep(self.chance.uniform(0, LONGEST_S))
        return StepResult(output=self.end(context))

    def begin(self, context: StepContext) -> None:
        """Write down that work begins."""
        self.tell("begin", context)
        self.under_way()

    async def make(self, _command: GenerateSteps) -> Sequence[GroupSpec]:
        """Make the groups of a flow, in some time."""
        await asyncio.sleep(self.chance.uniform(0, 0.03))
        self.under_way()
        return groups_of()


def no_store() -> NoReturn:
    """There is no store: the histories are the journal."""
    raise AssertionError("flows on Temporal have no store")


def note_deliveries(folder: Path) -> None:
    """Have a worker write down which work it was handed, and when, by the server's clock."""

    def around(step: Method) -> Method:
        def noted(*arguments: Any) -> Any:
            info = activity.info()
            at_ms = int(info.started_time.timestamp() * 1000)
            note(folder / handed(str(info.workflow_id)), info.activity_id, at_ms)
            return step(*arguments)

        return noted

    wrap(Activities, "_step", around)


def lurk(deaths: Deaths) -> None:
    """Have a worker die everywhere."""
    deaths.before(Activities, "_step", "between the take and the begin of work")
    deaths.before(Activities, "_said", "between the end of work and its answer")
    deaths.before(InOrder, "create_instance", "before a flow is taken up")
    for put in (deaths.before, deaths.after):
        put(InOrderInstance, "activate", "beside a task of the workflow", more=MORE_ACTIVATIONS)


@frozen
class CrashWorker:
    """A worker that serves until it is killed."""

    plan: Plan

    def worker_main(self, _options: Sequence[str]) -> int:
        """Serve."""
        asyncio.run(self._serve())
        return 0

    async def _serve(self) -> None:
        chance = random.Random(self.plan.seed)
        deaths = Deaths(self.plan.place, self.plan.dies, chance)
        note_deliveries(self.plan.place)
        lurk(deaths)
        under_way = partial(deaths.may_come, IN_A_STEP)
        works = TemporalWorks(self.plan.place, chance, no_store, under_way)
        worker = conductor_worker(
            await connected(self.plan.server),
            works.handlers(),
            generators={MADE: works.make},
            task_queue=self.plan.queue,
            hears_s=HEARS_S,
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=STICKY_S),
        )
        await worker.run()


def make(settings: dict[str, Any]) -> CrashWorker:
    """A worker of some settings."""
    return CrashWorker(Plan(**settings))
