"""A trial on Celery in which nobody dies: real workers, flows that end in one way, and a count.

Rule: it is over when every flow has ended and every message that was to be sent has come; and
then each attempt must have run once, and each flow be where the reducer leads it by itself.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from attrs import frozen

from conductor_adapters.store.kept import log_lines
from conductor_adapters.store.protocol import Store
from conductor_adapters.store_urls import opener
from conductor_core.log import replay
from conductor_core.testing.conformance.likeness import likeness, told_differences
from property_tests import celery_flows
from property_tests.celery_crash_plan import Plan
from property_tests.celery_crash_points import counted
from property_tests.celery_crash_processes import Processes
from property_tests.celery_servers import servers
from property_tests.worker_crash_checks import CrashError, begun_in, left_to_do, words_of
from property_tests.worker_crash_flows import name_of, ran

PEOPLE: Final = "property_tests.celery_quick_people"
PATIENCE_S: Final = 300.0
POLL_S: Final = 0.05


@frozen
class Counted:
    """What came of a trial: what was counted, how many attempts and entries, and how long."""

    counts: Counter[str]
    attempts: int
    entries: int
    took_s: float


@frozen(kw_only=True)
class Quick:
    """A trial: so many flows or steps, and the processes and servers for it."""

    kind: str
    number: int
    broker: str = "redis"
    store: str = "sqlite"
    workers: int = 2
    pool: int = 4
    copies: int = 1
    late_s: float = 0.0
    seed: int = 0
    lease_s: float = 10.0

    def run(self) -> Counted:
        """Have everything done; raises CrashError where something is not as it should be."""
        with TemporaryDirectory() as name:
            folder = Path(name).resolve()
            with servers(self.broker, self.store, folder) as (broker, _, store):
                plan = Plan(
                    broker=broker.url, store=store, folder=str(folder), flows="quick",
                    seed=self.seed, copies=self.copies, late_s=self.late_s, lease_s=self.lease_s,
                )  # fmt: skip
                processes = Processes(
                    plan, self.pool, lambda: [PEOPLE, self.kind, str(self.number)]
                )
                try:
                    return self._tried(processes, plan)
                finally:
                    processes.sweep()

    def _tried(self, processes: Processes, plan: Plan) -> Counted:
        for number in range(1, self.workers + 1):
            processes.begin(f"worker-{number}")
        begin_s = time.monotonic()
        processes.begin("people")
        wait_for_all(processes, plan)
        took_s = time.monotonic() - begin_s
        processes.end()
        if left := processes.left_behind():
            raise CrashError(f"processes are left behind: {left}")
        store = opener(plan.store)()
        try:
            return self._checked(plan, store, took_s)
        finally:
            store.close()

    def _checked(self, plan: Plan, store: Store, took_s: float) -> Counted:
        if left := left_to_do(store):
            raise CrashError(f"something is left: {left}")
        attempts = entries = 0
        for number, spec in enumerate(celery_flows.specs(self.kind, self.number)):
            flow_id = name_of(number)
            with store.reading():
                lines = log_lines(store.entries(flow_id))
            state = replay(lines, flow_id=flow_id).state
            expected = celery_flows.foreseen(spec, flow_id)
            if differ := told_differences(likeness(expected), likeness(state)):
                raise CrashError(f"{flow_id} is not where the reducer leads: {differ}")
            begun = begun_in(words_of(plan.place / ran(flow_id)))
            its = {attempt.id for attempt in expected.attempts()}
            if begun != Counter(its):
                raise CrashError(f"{flow_id} ran otherwise: {begun - Counter(its)}")
            attempts += len(its)
            entries += len(lines)
        return Counted(counted(plan), attempts, entries, took_s)


def wait_for_all(processes: Processes, plan: Plan) -> None:
    """Wait until people have left, and everything has come that was to be sent."""
    patience_s = time.monotonic() + PATIENCE_S
    people = processes.running["people"]
    while people.poll() is None or not all_came(counted(plan)):
        check_alive(processes)
        if time.monotonic() > patience_s:
            said = {name: processes.said(name) for name in processes.running}
            raise CrashError(f"it comes to no end: {counted(plan)} {said}")
        time.sleep(POLL_S)


def all_came(counts: Counter[str]) -> bool:
    """Whether every message was sent that was to be, and has come."""
    came = counts["executed"] + counts["passed over"]
    return came == counts["sent"] and counts["to be sent"] in (0, counts["sent"])


def check_alive(processes: Processes) -> None:
    """See that nobody ended who should not; raises CrashError."""
    for name, process in processes.running.items():
        code = process.poll()
        if code is not None and (name != "people" or code != 0):
            raise CrashError(f"{name} ended with {code}: {processes.said(name)}")
