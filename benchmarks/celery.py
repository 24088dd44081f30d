"""What a flow costs on Celery, beside a chain, a group, and a client that sends task by task.

All share one Redis, and each has a worker of two processes. Flows are as durable as they can be:
the end of each step waits for the disk, which nobody else here does.
Who sends one task, waits for its result and sends the next does what a sequential flow does, but
remembers nothing; a chain carries its whole rest in each message.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final

from attrs import define, field

from benchmarks.celery_runs import CHAIN, GROUP, ONE_AT_A_TIME, PARALLEL, SEQUENTIAL, STORE_ALONE
from benchmarks.children import ROOT, figures
from benchmarks.parts import Part, run
from benchmarks.rows import Row
from benchmarks.scale import Scale
from tests.services.postgres import Postgres
from tests.services.processes import Household, Process, installed
from tests.services.redis import Redis

SQLITE: Final = "SQLite"
POSTGRES: Final = "PostgreSQL"
SEQUENTIAL_GOALS: Final = {SQLITE: (2.0, 1.5), POSTGRES: (4.0, 2.5)}
"""Of one task at a time: the goal and the stretch."""
OF_A_CHAIN: Final = 1.0
CHAINS_GROW_FROM: Final = 1_000
"""So many steps a chain must have that a flow is to be faster."""
OF_A_GROUP: Final = 3.0


@define
class Stand:
    """What is there to be measured: workers, what a client has to be told, and what is not there.

    `missing` says by the name of a store, or for all by none, why it is not.
    """

    arguments: list[str] = field(factory=list)
    workers: list[Process] = field(factory=list)
    missing: dict[str, str] = field(factory=dict)

    def work(self, household: Household, broker: str, name: str = "", store: str = "") -> None:
        """Start a worker."""
        command = (sys.executable, "-m", "benchmarks.celery_apps", broker)
        environment = {"PYTHONPATH": str(ROOT)}
        self.workers.append(household.run(*command, *(store and [store]), env=environment))
        self.arguments.extend([name, broker, store] if store else [broker])

    def figures(self, steps: int, rounds: int) -> dict[str, float]:
        """What a step takes, in microseconds, whatever is there."""
        if "" in self.missing:
            return {}
        try:
            return figures("benchmarks.celery_runs", steps, rounds, *self.arguments)
        except subprocess.CalledProcessError:
            print(*(worker.wrote() for worker in self.workers), sep="\n", file=sys.stderr)
            raise


@contextmanager
def stand() -> Generator[Stand]:
    """Start servers and workers, as far as they are here."""
    made = Stand()
    absent = [f"{name} is not installed" for name in ("celery", "redis") if not installed(name)]
    reason = Redis.missing() or next(iter(absent), None)
    if reason is not None:
        made.missing[""] = reason
        yield made
        return
    with ExitStack() as stack:
        redis = stack.enter_context(Redis())
        household = Household("celery")
        stack.callback(household.close)
        made.work(household, redis.database(0))
        made.work(household, redis.database(1), SQLITE, str(household.folder / "flows.db"))
        reason = Postgres.missing()
        if reason is not None:
            made.missing[POSTGRES] = reason
        else:
            postgres = stack.enter_context(Postgres(fsync=True))
            made.work(household, redis.database(2), POSTGRES, postgres.new_database())
        yield made


def measure(scale: Scale) -> Iterator[Row]:
    """For each size what the three of Celery take, and flows beside them."""
    with stand() as there:
        for steps in scale.celery_steps:
            per_step = there.figures(steps, scale.rounds)
            yield from of_celery(per_step, there.missing, steps)
            for store in SEQUENTIAL_GOALS:
                yield from of_flows(per_step, there.missing, store, steps)


def of_celery(
    per_step: Mapping[str, float], missing: Mapping[str, str], steps: int
) -> Iterator[Row]:
    """What flows are held against."""
    for name in (CHAIN, GROUP, ONE_AT_A_TIME):
        yield Row(
            part="celery",
            what=f"{name}, {steps:,} steps",
            figure=per_step.get(name),
            unit="µs a step",
            note=missing.get("", ""),
        )


def of_flows(
    per_step: Mapping[str, float], missing: Mapping[str, str], store: str, steps: int
) -> Iterator[Row]:
    """The ratios that are promised."""
    goal, stretch = SEQUENTIAL_GOALS[store]
    of_a_chain = OF_A_CHAIN if steps >= CHAINS_GROW_FROM else None
    for kind, peer, at_most, at_best in (
        (SEQUENTIAL, ONE_AT_A_TIME, goal, stretch),
        (SEQUENTIAL, CHAIN, of_a_chain, None),
        (PARALLEL, GROUP, OF_A_GROUP, None),
    ):
        ours = per_step.get(kind.format(store))
        yield Row(
            part="celery",
            what=f"{kind.format(store)}, {steps:,} steps: of {peer}",
            figure=None if ours is None else ours / per_step[peer],
            unit="times",
            goal=at_most,
            stretch=at_best,
            note=missing.get("") or missing.get(store) or f"{ours:,.0f} µs a step",
        )
    yield Row(
        part="celery",
        what=f"{STORE_ALONE.format(store)}, {steps:,} steps",
        figure=per_step.get(STORE_ALONE.format(store)),
        unit="µs a step",
        note=missing.get("") or missing.get(store) or "two transactions, in one process",
    )


PART: Final = Part("celery", "what a flow costs on Celery, by the wall", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
