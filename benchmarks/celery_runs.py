"""Flows beside what Celery has for the like, timed by the wall from the client.

Run as a process: `celery_runs.py STEPS ROUNDS BROKER [NAME BROKER STORE]...` prints what a step
takes each of them, in microseconds.

Rule: in each round everybody does as many steps, in turn, by workers of the same kind that have
worked before. Who waits for many results, or for a flow, looks for them equally often.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from benchmarks.celery_apps import TASK, conducted, flows, plain
from benchmarks.children import tell
from benchmarks.overhead import flow
from benchmarks.rounds import Candidate, medians, times_to_reach
from conductor_adapters.client import Client

if TYPE_CHECKING:
    from conductor_adapters.celery import ConductorApp

CHAIN: Final = "chain"
GROUP: Final = "group"
ONE_AT_A_TIME: Final = "one task at a time"
SEQUENTIAL: Final = "sequential flow on {}"
PARALLEL: Final = "parallel flow on {}"
STORE_ALONE: Final = "the store's own share on {}"
LIMITS: Final = {SEQUENTIAL: 1, PARALLEL: None}
AT_LEAST: Final = 200
"""So many steps are in one timing, in several runs if need be."""
WARM_STEPS: Final = 20
LOOK_EACH_S: Final = 0.01
"""A group would look each half second, and a client of flows ten times a second."""
PATIENCE_S: Final = 300.0

Job: TypeAlias = Callable[[int], None]
"""Does so many steps, and returns when they are done."""


def chain(app: Any, steps: int) -> None:
    """Let each task send the next, and wait for the last."""
    tasks = [app.tasks[TASK].si() for _ in range(steps)]
    import_module("celery").chain(tasks).apply_async().get(timeout=PATIENCE_S)


def group(app: Any, steps: int) -> None:
    """Send all tasks, and wait for all."""
    tasks = [app.tasks[TASK].si() for _ in range(steps)]
    sent = import_module("celery").group(tasks).apply_async()
    sent.get(timeout=PATIENCE_S, interval=LOOK_EACH_S)


def one_at_a_time(app: Any, steps: int) -> None:
    """Send a task, wait for its result, and send the next."""
    task = app.tasks[TASK]
    for _ in range(steps):
        task.delay().get(timeout=PATIENCE_S)


def run_flow(runner: asyncio.Runner, client: Client, limit: int | None, steps: int) -> None:
    """Start a flow, and wait for its outcome."""

    async def run() -> str:
        started = await client.start(flow(steps, limit), flow_id=uuid.uuid4().hex)
        return (await asyncio.wait_for(started.wait(), PATIENCE_S)).status

    assert runner.run(run()) == "success"


def closed(runner: asyncio.Runner, host: ConductorApp) -> None:
    """Close a host."""
    runner.run(host.close())


def jobs(stack: ExitStack, broker: str, hosts: Sequence[str]) -> Iterator[tuple[str, Job]]:
    """All that are compared, by their names; what is opened for them is closed by the stack."""
    from benchmarks.celery_alone import Alone  # noqa: PLC0415 - perhaps without Celery

    app = plain(broker)
    for name, job in ((CHAIN, chain), (GROUP, group), (ONE_AT_A_TIME, one_at_a_time)):
        yield name, partial(job, app)
    runner = stack.enter_context(asyncio.Runner())
    for name, own_broker, store in zip(*[iter(hosts)] * 3, strict=True):
        host = conducted(flows(own_broker), store, poll_s=LOOK_EACH_S)
        runner.run(host.__aenter__())
        stack.callback(closed, runner, host)
        for kind, limit in LIMITS.items():
            yield kind.format(name), partial(run_flow, runner, host, limit)
        yield STORE_ALONE.format(name), Alone(own_broker, store).steps


def candidate(name: str, job: Job, steps: int) -> Candidate:
    """How a job is timed."""
    times = times_to_reach(AT_LEAST, steps)

    def per_step_us() -> float:
        begin = perf_counter()
        for _ in range(times):
            job(steps)
        return (perf_counter() - begin) / (times * steps) * 1_000_000

    return Candidate(name, per_step_us)


def main(steps: str, rounds: str, broker: str, *hosts: str) -> None:
    """Print what a step takes each of them."""
    with ExitStack() as stack:
        compared = dict(jobs(stack, broker, hosts))
        for job in compared.values():
            job(WARM_STEPS)
        candidates = [candidate(name, job, int(steps)) for name, job in compared.items()]
        tell(**medians(candidates, int(rounds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
