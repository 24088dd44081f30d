"""SIGKILL of Temporal workers, of people and of a real server, over flows.

Rule: however often they are killed, between whichever two steps of theirs, every flow ends as
its reducer says, every log replays to where the client sees the flow, nothing whose end stood in
a history runs again or counts twice, what must not run twice does not, and every request that
was acknowledged stands in the log, where it counts once.

    python -m property_tests.temporal_crashes --kills 50 --server-kills 5 --seed 7

Workers are killed from outside; besides, each kills itself at points of its work
(`temporal_crash_work`). The server is killed with its file of histories, and started again on it
after a while. What is run is told by `temporal_crash_flows`, and what must be left of it by
`temporal_crash_checks`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from attrs import define, evolve, field, frozen

from property_tests.celery_recovery import Outage
from property_tests.temporal_crash_checks import Result, checked
from property_tests.temporal_crash_people import client_of, numbers_in
from property_tests.temporal_crash_plan import Plan
from property_tests.worker_crash_checks import CrashError, words_of
from property_tests.worker_crash_work import note, now_ms
from tests.adapters.forks import Forks
from tests.adapters.processes import runs
from tests.services.temporal import Temporal

MODULES: Final = {
    "worker": "property_tests.temporal_crash_work",
    "people": "property_tests.temporal_crash_people",
}
WORKERS: Final = ("worker-1", "worker-2")
PEOPLE: Final = ("people-1", "people-2")
OF_PEOPLE: Final = 0.2
"""So many of those who are killed are people, which are not counted as workers."""
KILLS: Final = 50
SERVER_KILLS: Final = 5
IN_FLIGHT: Final = 20
DIES: Final = 1 / 400
"""So likely a worker kills itself at each point where it may."""
PATIENCE_S: Final = 120.0
POLL_S: Final = 0.02


@frozen
class Story:
    """What was killed and how often, and what became of everything."""

    killed: Counter[str]
    deaths: Counter[str]
    server: list[float]
    """How long it took after each kill of the server until work went on."""
    unanswered: int
    result: Result


@define
class Killer:
    """Processes and a server, and what kills them."""

    plan: Plan
    server: Temporal
    forks: Forks
    chance: random.Random
    pids: dict[str, int] = field(factory=dict)
    killed: Counter[str] = field(factory=Counter)
    outages: list[Outage] = field(factory=list)
    told: list[float] = field(factory=list)

    def run(self, kills: int, *, server_kills: int) -> Story:
        """Kill so many, let the rest go on in peace, and see what became of all."""
        for name in (*WORKERS, *PEOPLE):
            self.begin(name)
        self.wait_until(lambda: self.began_after(0), "nothing begins")
        for number in range(1, server_kills + 2):
            while self.killed["worker"] < kills * number // (server_kills + 1):
                time.sleep(self.chance.uniform(0.2, 1.0))
                self.begin_again()
                self.kill_one()
            if number <= server_kills:
                self.kill_server()
        (self.plan.place / "stop").touch()
        self.wait_until(self.is_over, "it comes to no end")
        return Story(
            killed=self.killed,
            deaths=self.deaths(),
            server=self.told,
            unanswered=len(words_of(self.plan.place / "unanswered")),
            result=asyncio.run(self.checked()),
        )

    async def checked(self) -> Result:
        """See that everything came out as it should."""
        return await checked(await client_of(self.plan), self.plan.place, self.outages)

    # --- processes ---

    def begin(self, name: str) -> None:
        """Begin a worker, or people."""
        kind, _, _ = name.partition("-")
        plan = evolve(self.plan, name=name, seed=self.chance.randrange(2**32))
        log = self.plan.place / f"log.{name}"
        self.pids[name] = self.forks.worker(MODULES[kind], plan.settings(), [], log=log)

    def begin_again(self) -> None:
        """Begin again who killed itself; raises CrashError where somebody ended otherwise."""
        died = self.who_died()
        for name, pid in list(self.pids.items()):
            if runs(pid) or (self.plan.place / f"done.{name}").exists():
                continue
            if pid not in died and pid not in self.who_died():
                raise CrashError(f"{name} ended by itself: {self.said(name)}")
            self.begin(name)

    def who_died(self) -> set[int]:
        """Who was killed, or killed itself."""
        return {int(pid) for _, pid, *_ in words_of(self.plan.place / "deaths")}

    def kill_one(self) -> None:
        """Kill somebody, and begin the next at once."""
        kind = "people" if self.chance.random() < OF_PEOPLE else "worker"
        name = self.chance.choice(PEOPLE if kind == "people" else WORKERS)
        self.kill(name)
        self.begin(name)
        self.killed[kind] += 1

    def kill(self, name: str) -> None:
        """Kill somebody, if they run."""
        pid = self.pids[name]
        note(self.plan.place / "deaths", now_ms(), pid, "killed")
        if runs(pid):
            os.kill(pid, signal.SIGKILL)

    def kill_server(self) -> None:
        """Kill the server, let it be down for a while, and see that work goes on."""
        down_ms = now_ms()
        self.server.kill()
        time.sleep(self.chance.uniform(0.2, 1.5))
        self.server.start()
        up_ms = now_ms()
        self.outages.append((down_ms, up_ms))
        self.wait_until(lambda: self.began_after(up_ms), "nothing goes on after the server died")
        self.told.append((now_ms() - up_ms) / 1000)

    def said(self, name: str) -> str:
        """The last words of a process."""
        return (self.plan.place / f"log.{name}").read_text(errors="replace")[-4_000:]

    # --- waiting, and looking ---

    def wait_until(self, holds: Callable[[], bool], problem: str) -> None:
        """Wait until something holds; raises CrashError."""
        patience_s = time.monotonic() + PATIENCE_S
        while not holds():
            self.begin_again()
            if time.monotonic() > patience_s:
                said = "\n".join(self.said(name) for name in self.pids)
                raise CrashError(f"{problem}: {sorted(self.left())}\n{said}")
            time.sleep(POLL_S)

    def began_after(self, at_ms: int) -> bool:
        """Whether any work began after a moment."""
        files = self.plan.place.glob("ran.*")
        recent = [file for file in files if file.stat().st_mtime * 1000 >= at_ms]
        return any(
            words[0] == "begin" and int(words[-1]) > at_ms
            for file in recent
            for words in words_of(file)
        )

    def is_over(self) -> bool:
        """Whether people have all that they wanted."""
        return all((self.plan.place / f"done.{name}").exists() for name in PEOPLE)

    def left(self) -> set[int]:
        """The flows of which nobody has seen the end."""
        place = self.plan.place
        return numbers_in(place / "begun") - numbers_in(place / "over")

    def deaths(self) -> Counter[str]:
        """How often workers killed themselves, by the point where."""
        points = (" ".join(words[2:]) for words in words_of(self.plan.place / "deaths"))
        return Counter(point for point in points if point != "killed")

    def end(self) -> None:
        """Leave nothing running."""
        for pid in self.pids.values():
            if runs(pid):
                os.kill(pid, signal.SIGKILL)
        self.forks.end()


def story(kills: int, seed: int, *, server_kills: int = 0, in_flight: int = IN_FLIGHT) -> Story:
    """Kill at least so often; raises CrashError where that is not made good."""
    with TemporaryDirectory() as name, Temporal(durable=True) as server:
        plan = Plan(
            name="trial", server=server.url, folder=str(Path(name).resolve()),
            in_flight=in_flight, dies=DIES,
        )  # fmt: skip
        killer = Killer(plan, server, Forks(*MODULES.values()), random.Random(seed))
        try:
            return killer.run(kills, server_kills=server_kills)
        except CrashError as error:
            raise CrashError(f"seed {seed}: {error}") from None
        finally:
            killer.end()


def told(story: Story) -> str:
    """What became of a trial, in words."""
    result, left, recovery = story.result, story.result.left, story.result.recovery
    server_s = max(story.server, default=0.0)
    return (
        f"{story.killed['worker']} kills of workers and {story.killed['people']} of people, and "
        f"{story.deaths.total()} more of workers by themselves ({listed(story.deaths)})\n"
        f"{len(story.server)} kills of the server, each time work went on within "
        f"{server_s:.1f} s of its start; {story.unanswered} times people got no answer\n"
        f"work went down with its process {recovery.times} times, and went on after "
        f"{recovery.median_s:.1f} s (median), {recovery.longest_s:.1f} s at most, or "
        f"{recovery.in_outage_s:.1f} s where the server was down\n"
        f"{left.flows} flows, {left.cancelled} of them cancelled, in {result.runs} runs, with "
        f"{left.lines} entries and {result.attempts} attempts; "
        f"{left.begun_again} attempts began again, {left.interrupted} were interrupted, "
        f"{left.too_late} came too late; every flow ended as it should"
    )


def listed(counts: Counter[str]) -> str:
    """Counts in words, the largest first."""
    return ", ".join(f"{count} {word}" for word, count in counts.most_common())


def main(arguments: Sequence[str]) -> int:
    """Print what became of the flows; 1 when a crash broke something."""
    parser = argparse.ArgumentParser(description="Kill Temporal workers and their server.")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--server-kills", type=int, default=SERVER_KILLS)
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args(arguments)
    begin = time.monotonic()
    try:
        its = story(
            options.kills, options.seed, server_kills=options.server_kills,
            in_flight=options.in_flight,
        )  # fmt: skip
    except CrashError as error:
        print(error)
        return 1
    print(f"seed {options.seed}, in {time.monotonic() - begin:.0f} s:")
    print(told(its))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
