"""SIGKILL of Celery workers, their pools and relays, and crashes of their servers, over flows.

Rule: however often they are killed, between whichever two steps of theirs, and whatever the
broker loses, every flow ends as its reducer says, every log verifies, nothing that the log says
has finished runs again or counts twice, what must not run twice does not, and nothing waits for
much longer than a lease.

    python -m property_tests.celery_crashes --kills 200 --broker redis --store sqlite --seed 7

Processes are killed from outside, whole workers or one process of a pool; besides, each kills
itself at points of its work (`celery_crash_points`). The broker crashes and comes back empty; a
PostgreSQL crashes, and recovers. What is run, and what must be left of it, is that of
`worker_crashes`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from property_tests.celery_crash_plan import Plan
from property_tests.celery_crash_processes import Processes
from property_tests.celery_killer import Killer, Story
from property_tests.celery_servers import BROKERS, STORES, servers
from property_tests.worker_crash_checks import CrashError

CHILD: Final = "property_tests.celery_crash_people"
POOL: Final = 3
DIES: Final = 1 / 400
"""So likely a process kills itself at each point where it may."""


def story(
    kills: int,
    seed: int,
    *,
    broker: str = "redis",
    store: str = "sqlite",
    broker_crashes: int = 0,
    store_crashes: int = 0,
    lease_s: float = 2.0,
) -> Story:
    """Kill at least so often; raises CrashError where that is not made good."""
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        with servers(broker, store, folder) as (service, postgres, url):
            plan = Plan(
                broker=service.url, store=url, folder=str(folder), seed=seed, lease_s=lease_s,
                dies=DIES,
            )  # fmt: skip
            chance = random.Random(seed)
            processes = Processes(plan, POOL, lambda: [CHILD, str(chance.randrange(2**32))])
            killer = Killer(processes, service, postgres, chance)
            try:
                return killer.run(kills, broker_crashes=broker_crashes, store_crashes=store_crashes)
            except CrashError as error:
                raise CrashError(f"seed {seed}: {error}") from None
            finally:
                processes.sweep()


def told(story: Story) -> str:
    """What became of a trial, in words."""
    left, recovery = story.left, story.recovery
    broker_s, store_s = max(story.broker, default=0.0), max(story.store, default=0.0)
    return (
        f"{story.killed.total()} kills ({listed(story.killed)}), and {story.deaths.total()} more "
        f"of processes by themselves ({listed(story.deaths)}); {story.gave_up} workers gave up "
        "because of that or of a server\n"
        f"{len(story.broker)} crashes of the broker, each time all that it lost was taken within "
        f"{broker_s:.1f} s; {len(story.store)} of the store, {store_s:.1f} s, which forgot "
        f"{story.twice} times that work was taken, so that two did it\n"
        f"work went down with its process {recovery.times} times, and went on after "
        f"{recovery.median_s:.1f} s (median), {recovery.longest_s:.1f} s at most, or "
        f"{recovery.in_outage_s:.1f} s where a server was down\n"
        f"{left.flows} flows, {left.cancelled} of them cancelled, with {left.lines} entries; "
        f"{left.begun_again} attempts began again, {left.interrupted} were interrupted, "
        f"{left.too_late} came too late; every flow ended as it should"
    )


def listed(counts: Counter[str]) -> str:
    """Counts in words, the largest first."""
    return ", ".join(f"{count} {word}" for word, count in counts.most_common())


def main(arguments: Sequence[str]) -> int:
    """Print what became of the flows; 1 when a crash broke something."""
    parser = argparse.ArgumentParser(description="Kill Celery workers and their servers.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--broker", choices=sorted(BROKERS), default="redis")
    parser.add_argument("--store", choices=STORES, default="sqlite")
    parser.add_argument("--broker-crashes", type=int, default=5)
    parser.add_argument("--store-crashes", type=int, default=3)
    parser.add_argument("--lease", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args(arguments)
    begin = time.monotonic()
    try:
        its = story(
            options.kills,
            options.seed,
            broker=options.broker,
            store=options.store,
            broker_crashes=options.broker_crashes,
            store_crashes=options.store_crashes if options.store == "postgres" else 0,
            lease_s=options.lease,
        )
    except CrashError as error:
        print(error)
        return 1
    took_s = time.monotonic() - begin
    print(f"seed {options.seed}, {options.broker} and {options.store}, in {took_s:.0f} s:")
    print(told(its))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
