"""What kills the processes of a trial on Celery and lets its servers crash, and looks at the end.

Rule: it ends in peace. Once enough were killed nobody dies any more, and everything must end by
itself before the witnesses are heard (`worker_crash_checks`, `celery_recovery`).
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from conductor_adapters.store.errors import StoreError
from conductor_adapters.store.kept import log_lines
from conductor_adapters.store.protocol import ASK, Key, Store
from conductor_adapters.store_urls import opener
from property_tests.celery_crash_plan import Plan
from property_tests.celery_crash_processes import Processes
from property_tests.celery_recovery import Outage, Recovery, recovered
from property_tests.worker_crash_checks import (
    CrashError,
    Left,
    checked,
    checked_file,
    left_to_do,
    words_of,
)
from property_tests.worker_crash_work import now_ms
from tests.services import Service
from tests.services.postgres import Postgres

WORKERS: Final = ("worker-1", "worker-2", "worker-3")
PEOPLE: Final = ("people-1", "people-2")
PATIENCE_S: Final = 120.0
OUTAGE_S: Final = 60.0
"""So long after a crash of a server a worker may end because of it, and is begun again."""
POLL_S: Final = 0.02
ENDED: Final = ("success", "cancelled")


@frozen
class Story:
    """What was killed and how often, and what became of everything."""

    killed: Counter[str]
    deaths: Counter[str]
    broker: list[float]
    store: list[float]
    recovery: Recovery
    left: Left
    twice: int
    gave_up: int


@define
class Killer:
    """Processes and servers, and what kills them."""

    processes: Processes
    broker: Service
    postgres: Postgres | None
    chance: random.Random
    killed: Counter[str] = field(factory=Counter)
    crashes: list[int] = field(factory=list)
    """When PostgreSQL crashed, which may lose the last moments of what need not be durable."""
    outages: list[Outage] = field(factory=list)

    @property
    def plan(self) -> Plan:
        """What the processes were told."""
        return self.processes.plan

    @property
    def kills(self) -> int:
        """How often something was killed from outside."""
        return self.killed.total()

    def run(self, kills: int, *, broker_crashes: int, store_crashes: int) -> Story:
        """Kill so many, let the rest go on in peace, and see what became of all."""
        shocks = [self.crash_broker] * broker_crashes + [self.crash_store] * store_crashes
        self.chance.shuffle(shocks)
        stories: dict[Callable[[], float], list[float]] = {
            self.crash_broker: [],
            self.crash_store: [],
        }
        for name in (*WORKERS, *PEOPLE):
            self.processes.begin(name)
        self.wait_until(self.has_begun, "nothing begins")
        for number, shock in enumerate([*shocks, None], 1):
            while self.kills < kills * number // (len(shocks) + 1):
                time.sleep(self.chance.uniform(0.1, 0.7))
                self.begin_again()
                self.kill_one()
                self.check_nothing_wrong()
            if shock is not None:
                stories[shock].append(shock())
        (self.plan.place / "stop").touch()
        self.wait_until(self.has_ended, "it comes to no end")
        self.processes.end()
        if left := self.processes.left_behind():
            raise CrashError(f"processes are left behind: {left}")
        twice = self.check_nothing_wrong()
        self.check_replay()
        return Story(
            killed=self.killed,
            deaths=deaths_by_point(self.plan.place),
            broker=stories[self.crash_broker],
            store=stories[self.crash_store],
            recovery=self.recovery(),
            left=self.checked(),
            twice=twice,
            gave_up=self.processes.gave_up,
        )

    # --- killing ---

    def kill_one(self) -> None:
        """Kill something."""
        name = self.chance.choice(WORKERS)
        kinds = ["pool"] * 7 + ["relay", "main", "whole", "people"]
        kind = self.chance.choice(kinds)
        if kind == "people":
            self.processes.kill_main(self.chance.choice(PEOPLE), whole=False)
        elif kind in ("main", "whole"):
            self.processes.kill_main(name, whole=kind == "whole")
        else:
            of = self.processes.pool_of if kind == "pool" else self.processes.relay_of
            victims = of(name)
            if not victims:
                return
            self.processes.kill([self.chance.choice(victims)])
        self.killed[kind] += 1

    def begin_again(self) -> None:
        """Begin again who died of themselves."""
        self.processes.begin_again()

    # --- crashes of servers ---

    def crash_broker(self) -> float:
        """Let the broker lose everything; how long it took until all went on that it lost."""
        self.crash(self.broker)
        return self.seconds_until_all_goes_on()

    def crash_store(self) -> float:
        """Let PostgreSQL crash; how long it took until everything went on."""
        assert self.postgres is not None, "only a server crashes"
        self.crashes.append(now_ms())
        self.crash(self.postgres)
        return self.seconds_until_all_goes_on()

    def crash(self, service: Service) -> None:
        """Let a server crash, and be down for a while."""
        self.processes.pardon(OUTAGE_S)
        down_ms = now_ms()
        service.kill()
        time.sleep(self.chance.uniform(0.2, 1.5))
        service.start()
        self.outages.append((down_ms, now_ms()))

    def seconds_until_all_goes_on(self) -> float:
        """How long it takes until all has been taken that waits now."""
        begin_s = time.monotonic()
        waiting = self.waiting()

        def is_taken() -> bool:
            self.begin_again()
            return not waiting & self.waiting()

        self.wait_until(is_taken, "what a server lost is not done")
        return time.monotonic() - begin_s

    def waiting(self) -> set[tuple[Key, int]]:
        """The work that nobody has taken, and how often it was."""
        store = self.open_store()
        try:
            with store.reading():
                return {
                    (order.key, order.deliveries)
                    for row in store.flows(limit=1_000_000)
                    if row.status not in ENDED
                    for order, owner in store.orders_in(row.flow_id)
                    if owner is None and order.kind != ASK
                }
        finally:
            store.close()

    # --- waiting, and looking ---

    def open_store(self) -> Store:
        """The store, which may be down for a moment."""
        open_store = opener(self.plan.store, create=True)
        patience_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return open_store()
            except StoreError:
                if time.monotonic() > patience_s:
                    raise
                time.sleep(POLL_S)

    def wait_until(self, holds: Callable[[], bool], problem: str) -> None:
        """Wait until something holds; raises CrashError."""
        patience_s = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > patience_s:
                said = "\n".join(self.processes.said(name) for name in WORKERS)
                raise CrashError(f"{problem}: {self.what_is_left()}\n{said}")
            time.sleep(POLL_S)

    def has_begun(self) -> bool:
        """Whether any work was begun."""
        return any(self.plan.place.glob("ran.*"))

    def has_ended(self) -> bool:
        """Whether people have all that they wanted, and nothing is left to do."""
        self.begin_again_unless_done()
        people = [self.processes.running[name].poll() for name in PEOPLE]
        return people == [0] * len(PEOPLE) and not self.what_is_left()

    def begin_again_unless_done(self) -> None:
        """Begin again who died, but not people who have all that they wanted."""
        running = self.processes.running
        done = {name: running.pop(name) for name in PEOPLE if running[name].poll() == 0}
        self.begin_again()
        running.update(done)

    def what_is_left(self) -> list[object]:
        """The flows that have not ended, and the orders and timers of all."""
        store = self.open_store()
        try:
            with store.reading():
                flows = store.flows(limit=1_000_000)
            return [*(row for row in flows if row.status not in ENDED), *left_to_do(store)]
        finally:
            store.close()

    def check_nothing_wrong(self) -> int:
        """See that no worker found fault; how often two did what a store had lost."""
        wrong = [
            words for words in words_of(self.plan.place / "wrong") if not self.is_excused(words)
        ]
        if wrong:
            raise CrashError("\n".join(map(" ".join, wrong)))
        return len(words_of(self.plan.place / "wrong"))

    def is_excused(self, words: list[str]) -> bool:
        """Whether two worked on one attempt because a server forgot that the first had taken it."""
        at_ms, first_ms = int(words[0]), int(words[1])
        lost_ms = 1_000
        return any(first_ms - lost_ms < crash < at_ms for crash in self.crashes if first_ms)

    def recovery(self) -> Recovery:
        """How long work stood still because of who died."""
        store = self.open_store()
        try:
            return recovered(self.plan.place, store, self.outages)
        finally:
            store.close()

    def checked(self) -> Left:
        """See that everything came out as it should."""
        if self.postgres is None:
            return checked_file(self.plan.place)
        store = self.open_store()
        try:
            return checked(self.plan.place, store)
        finally:
            store.close()

    def check_replay(self) -> None:
        """Verify every log by the command that people use."""
        logs = self.plan.place / "logs"
        logs.mkdir()
        store = self.open_store()
        try:
            with store.reading():
                for row in store.flows(limit=1_000_000):
                    lines = log_lines(store.entries(row.flow_id))
                    (logs / f"{row.flow_id}.jsonl").write_text("".join(lines))
        finally:
            store.close()
        conductor = str(Path(sys.executable).with_name("conductor"))
        command = [conductor, "replay", *map(str, logs.iterdir())]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        if told.returncode != 0:
            raise CrashError(f"a log does not replay: {told.stdout[-4_000:]}{told.stderr}")


def deaths_by_point(folder: Path) -> Counter[str]:
    """How often processes killed themselves, by the point where."""
    points = (" ".join(words[2:]) for words in words_of(folder / "deaths"))
    return Counter(point for point in points if point != "killed")
