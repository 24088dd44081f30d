"""One flow of many parallel steps, on which eight processes and two relays work at once.

Rule: no attempt runs twice, and those who append at once hold each other up within bounds.

    python -m property_tests.celery_contention --steps 1000 --broker redis --store postgres
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from property_tests.celery_quick import Counted, Quick
from property_tests.celery_servers import BROKERS, STORES
from property_tests.worker_crash_checks import CrashError

WORKERS: Final = 2
"""Each has a relay, and a pool of half of the processes."""
POOL: Final = 4


def contended(steps: int, *, broker: str = "redis", store: str = "sqlite") -> Counted:
    """Have all work on one flow; raises CrashError where something is not as it should be."""
    told = Quick(
        kind="wide", number=steps, broker=broker, store=store, workers=WORKERS, pool=POOL
    ).run()
    if told.counts["conflicts"] > told.entries:
        raise CrashError(f"more was in vain than was appended: {told}")
    return told


def main(arguments: Sequence[str]) -> int:
    """Print what came of it; 1 when something was not as it should be."""
    parser = argparse.ArgumentParser(description="Work on one flow in many processes.")
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--broker", choices=sorted(BROKERS), default="redis")
    parser.add_argument("--store", choices=STORES, default="sqlite")
    options = parser.parse_args(arguments)
    try:
        told = contended(options.steps, broker=options.broker, store=options.store)
    except CrashError as error:
        print(error)
        return 1
    counts = told.counts
    print(
        f"{options.broker} and {options.store}: {told.attempts} steps in {told.took_s:.1f} s, "
        f"{told.entries} lines; {counts['conflicts']} appends were made anew because another "
        f"was faster, and {counts['caught up']} times a process first went on with what others "
        f"had appended; {counts['sent']} messages sent, {counts['passed over']} passed over"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
