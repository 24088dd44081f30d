"""The Celery app of the trials: `celery -A property_tests.celery_crash_app worker`.

Rule: it is an app like any other, made when it is imported; what goes wrong in its processes
is put around it by `celery_crash_points` and `celery_copies`, as the plan says.
"""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from celery import Celery
from celery.signals import worker_process_init

from conductor_adapters.celery import ConductorApp
from conductor_adapters.store_urls import opener
from conductor_adapters.workers import Handler
from conductor_core import GroupSpec
from conductor_core.commands import GenerateSteps
from property_tests import celery_flows
from property_tests.celery_copies import Copies
from property_tests.celery_crash_plan import Plan
from property_tests.celery_crash_points import Counts, lurk
from property_tests.celery_owner import end_with
from property_tests.deaths import IN_A_STEP, Deaths
from property_tests.worker_crash_flows import MADE
from property_tests.worker_crash_work import Works, note

POLL_S: Final = 0.05
TOO_LATE_MS: Final = 1_000
"""A message may wait its turn for longer than work in one process does."""

plan: Final = Plan.here()
end_with(plan.owner)
chance: Final = random.Random(f"{plan.seed} {os.getpid()}")
os.register_at_fork(after_in_child=lambda: chance.seed(f"{plan.seed} {os.getpid()}"))

deaths: Final = Deaths(plan.place, plan.dies, chance)
works: Final = Works(
    plan.place,
    chance,
    opener(plan.store, synchronous="NORMAL"),
    under_way=partial(deaths.may_come, IN_A_STEP),
    too_late_ms=TOO_LATE_MS,
)

app: Final = Celery("trial", broker=plan.broker)
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # As long as it takes where all processors are busy with others.
    worker_proc_alive_timeout=60.0,
)


def handlers() -> Mapping[str, Handler]:
    """What is done, by name, as the plan says."""
    return works.handlers() if plan.flows == "deadly" else celery_flows.handlers_of(works)


def make(command: GenerateSteps) -> Sequence[GroupSpec] | Awaitable[Sequence[GroupSpec]]:
    """Make the groups of a flow, as the plan says."""
    return works.make(command) if plan.flows == "deadly" else celery_flows.GROUPS


conductor: Final = ConductorApp(
    app,
    plan.store,
    handlers(),
    generators={MADE: make},
    lease_s=plan.lease_s,
    poll_s=POLL_S,
    max_deliveries=10_000,
    synchronous="NORMAL",
    snapshot_every=10,
)

counts: Final = Counts(plan)
if plan.dies:
    lurk(deaths)
else:
    counts.keep()
copies: Final = Copies(plan, chance, counts)
if plan.copies > 1:
    copies.multiply()


@worker_process_init.connect(weak=False)
def _is_of_pool(**_more: Any) -> None:
    """Write down that this process is one that carries out orders."""
    note(plan.place / "pool", os.getpid())
