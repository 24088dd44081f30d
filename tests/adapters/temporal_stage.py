"""A Temporal worker for flows whose work ends when it is told to, and how.

Rule: handlers decide nothing. Each finds the stage of its flow by the id, and returns, or raises,
what is put there; the worker puts there what happened to the flow.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from queue import Queue
from typing import Any, Final, TypeAlias, TypeVar

from temporalio.client import Client

from conductor_adapters.temporal import TemporalClient, conductor_worker
from conductor_adapters.work import StepContext, StepResult
from conductor_core.commands import GenerateSteps
from conductor_core.events import Event, GenerationFailed, GroupsGenerated, StepFinished
from conductor_core.reducer import Transition
from conductor_core.spec import GroupSpec
from tests.adapters.calling import answer_of, groups_of

T = TypeVar("T")
Fact: TypeAlias = GroupsGenerated | GenerationFailed

PATIENCE_S: Final = 20.0
"""Nothing is waited for longer."""
HEARS_S: Final = 0.1
QUEUE: Final = "scenarios"
SLACK_S: Final = 0.05


class Work:
    """The work of an attempt that a handler does until it is said how that ends."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.cancelled = threading.Event()
        self.fact: Future[StepFinished] = Future()

    async def end(self) -> StepFinished:
        """Wait for the end, whoever wants the work to give up meanwhile."""
        self.begun.set()
        fact = asyncio.wrap_future(self.fact)
        while not fact.done():
            try:
                await asyncio.wait({fact})
            except asyncio.CancelledError:
                self.cancelled.set()
        return fact.result()

    def forget(self, attempt: str) -> None:
        """Let the handler go, whose flow waits for it no longer."""
        if not self.fact.done():
            self.fact.set_result(StepFinished(at_ms=0, attempt=attempt, outcome="cancelled"))


class Stage:
    """What a flow does on Temporal: what happened to it, and the work that it has."""

    def __init__(self) -> None:
        self.seen: Queue[tuple[Event, Transition]] = Queue()
        self.works: dict[str, Work] = {}
        self.generations: dict[int, Future[Fact]] = {}

    def work(self, attempt: str) -> Work:
        """The work of an attempt, whether or not it has begun."""
        return self.works.setdefault(attempt, Work())

    def generation(self, run: int) -> Future[Fact]:
        """The groups of a run, whether or not anybody waits for them."""
        return self.generations.setdefault(run, Future())

    def clear(self) -> None:
        """Let go of all work, of which nobody waits for the end."""
        works, self.works = self.works, {}
        for attempt, work in works.items():
            work.forget(attempt)


class Host:
    """A client and a worker of all flows, in a loop with a thread of its own.

    `reader` is a client that replays histories, whatever the worker may know.
    """

    def __init__(self, url: str, *, works: Collection[str], types: Collection[str]) -> None:
        self.stages: dict[str, Stage] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.call(self._begin(url, works, types))

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _begin(self, url: str, works: Collection[str], types: Collection[str]) -> None:
        client = await Client.connect(url)
        self.client = TemporalClient(client, task_queue=QUEUE, patience_s=PATIENCE_S)
        self.reader = TemporalClient(client, task_queue=QUEUE, query_s=0)
        self._worker = conductor_worker(
            client,
            dict.fromkeys(works, self._work),
            generators=dict.fromkeys(types, self._generate),
            task_queue=QUEUE,
            observe=self._observe,
            hears_s=HEARS_S,
            grace_s=0,
        )
        self._running = asyncio.create_task(self._worker.run())

    def _observe(self, event: Event, transition: Transition) -> None:
        self.stages[transition.state.flow_id].seen.put((event, transition))

    async def _work(self, context: StepContext) -> StepResult:
        return answer_of(await self.stages[context.flow_id].work(context.attempt).end())

    async def _generate(self, command: GenerateSteps) -> tuple[GroupSpec, ...]:
        fact = self.stages[command.flow_id].generation(command.run)
        return tuple(groups_of(await asyncio.wrap_future(fact)))

    async def under_way(self, flow_id: str) -> set[str]:
        """The work of a flow that has not ended."""
        known = await self.client.client.get_workflow_handle(flow_id).describe()
        return {it.activity_id for it in known.raw_description.pending_activities}

    async def terminate(self, flow_id: str) -> None:
        """End a flow, if it has not ended."""
        with suppress(Exception):
            await self.client.client.get_workflow_handle(flow_id).terminate()

    def close(self) -> None:
        """End the worker, and the loop."""
        self.call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _end(self) -> None:
        await self._worker.shutdown()
        # The library aborts the process where the loop ends at once.
        await asyncio.sleep(SLACK_S)
