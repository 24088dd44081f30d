"""The processes of a trial on Celery: workers with their pools and relays, and people.

Rule: they are real ones, begun by the command line that people use. Whoever is killed is
begun again, as a supervisor does; who ends in any other way is told of.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
from attrs import define, field

from property_tests.celery_crash_plan import Plan
from property_tests.worker_crash_checks import CrashError, words_of
from property_tests.worker_crash_work import note, now_ms

ROOT: Final = Path(__file__).parents[1]
APP: Final = "property_tests.celery_crash_app"
COULD_NOT_START: Final = "Could not start worker processes"
"""So Celery ends a worker of which a process of the pool dies before all are there."""
END_S: Final = 60.0
POLL_S: Final = 0.05


@define
class Processes:
    """Workers and people of one trial, by name: `worker-1`, `people-1`."""

    plan: Plan
    pool: int
    people: Callable[[], Sequence[str]]
    """The arguments of python for a process of people."""
    running: dict[str, subprocess.Popen[bytes]] = field(factory=dict)
    known: dict[int, psutil.Process] = field(factory=dict)
    """Everything that ever was begun by a worker."""
    gave_up: int = 0
    """How often a worker ended because of others, and was begun again."""
    pardoned_until_s: float = 0.0

    def begin(self, name: str) -> None:
        """Begin a worker, or people."""
        of_worker = ["celery", "-A", APP, "worker", "--pool", "prefork", "--loglevel", "WARNING"]
        of_worker += ["--concurrency", str(self.pool), "--hostname", f"{name}@%h"]
        of_worker += ["--without-mingle", "--without-gossip"]
        is_worker = name.startswith("worker")
        with self.log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", *(of_worker if is_worker else self.people())],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.plan.environment(),
            )  # fmt: skip

    def log(self, name: str) -> Path:
        """What a process said."""
        return self.plan.place / f"log.{name}"

    def begin_again(self) -> None:
        """Begin again who died, or gave up; raises CrashError for any other end."""
        for name, process in list(self.running.items()):
            code = process.poll()
            if code is None:
                continue
            if code != -signal.SIGKILL:
                its_own = COULD_NOT_START in self.said(name)
                if not its_own and time.monotonic() > self.pardoned_until_s:
                    raise CrashError(f"{name} ended with {code}: {self.said(name)}")
                self.gave_up += 1
            self.begin(name)

    def pardon(self, seconds: float) -> None:
        """Let workers end that cannot reach a server: who runs them begins them again."""
        self.pardoned_until_s = time.monotonic() + seconds

    def said(self, name: str) -> str:
        """The last words of a process."""
        return self.log(name).read_text(errors="replace")[-4_000:]

    # --- killing ---

    def children(self, name: str) -> list[psutil.Process]:
        """What a worker has begun and still runs."""
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.running[name].pid).children(recursive=True)
            self.known.update((child.pid, child) for child in children)
            return children
        return []

    def pool_of(self, name: str) -> list[psutil.Process]:
        """The processes of a worker that carry out orders."""
        pool = {int(words[0]) for words in words_of(self.plan.place / "pool")}
        return [child for child in self.children(name) if child.pid in pool]

    def relay_of(self, name: str) -> list[psutil.Process]:
        """The relay of a worker."""
        pool = self.pool_of(name)
        return [child for child in self.children(name) if child not in pool]

    def kill(self, processes: Sequence[psutil.Process]) -> None:
        """Kill processes at once."""
        for process in processes:
            note(self.plan.place / "deaths", now_ms(), process.pid, "killed")
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def kill_main(self, name: str, *, whole: bool) -> None:
        """Kill a worker or people, with all that belongs to it or not, and begin it again."""
        children = self.children(name)
        process = self.running[name]
        self.kill([psutil.Process(process.pid), *(children if whole else ())])
        process.wait()
        self.begin(name)

    # --- the end ---

    def end(self) -> None:
        """End all as one does, and see that they go; raises CrashError."""
        for name, process in self.running.items():
            self.children(name)
            if name.startswith("worker"):
                process.send_signal(signal.SIGTERM)
        for name, process in self.running.items():
            try:
                code = process.wait(END_S)
            except subprocess.TimeoutExpired:
                raise CrashError(f"{name} does not end: {self.said(name)}") from None
            if code != 0:
                raise CrashError(f"{name} ended with {code}: {self.said(name)}")

    def left_behind(self) -> list[int]:
        """What still runs of all that was begun, after some patience."""
        patience_s = time.monotonic() + END_S
        while left := [pid for pid, child in self.known.items() if child.is_running()]:
            if time.monotonic() > patience_s:
                break
            time.sleep(POLL_S)
        return left

    def sweep(self) -> None:
        """Leave nothing running, whatever went wrong."""
        for name, process in self.running.items():
            self.children(name)
            process.kill()
            process.wait()
        for child in self.known.values():
            with suppress(psutil.NoSuchProcess):
                child.kill()
