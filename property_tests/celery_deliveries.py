"""Messages that come several times, late and in no order, to real Celery workers.

Rule: whatever comes of them, every flow ends as the reducer says by itself (times left out),
and no attempt runs twice.

    python -m property_tests.celery_deliveries --messages 5000 --broker redis --seed 7
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from typing import Final

from property_tests.celery_quick import Counted, Quick
from property_tests.celery_servers import BROKERS, STORES
from property_tests.worker_crash_checks import CrashError

COPIES: Final = 4
"""Each message is sent twice, three times or four times."""
LATE_S: Final = 3.0
PER_FLOW: Final = 40
"""So many messages are sent for a flow, a little less or more."""


def delivered(messages: int, seed: int, *, broker: str = "redis", store: str = "sqlite") -> Counted:
    """Deliver about so many messages; raises CrashError where a flow ends otherwise."""
    trial = Quick(
        kind="flows",
        number=-(-messages // PER_FLOW),
        broker=broker,
        store=store,
        copies=COPIES,
        late_s=LATE_S,
        seed=seed,
    )
    return trial.run()


def main(arguments: Sequence[str]) -> int:
    """Print what became of the messages; 1 when a flow ended otherwise."""
    parser = argparse.ArgumentParser(description="Send messages several times, and late.")
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--broker", choices=sorted(BROKERS), default="redis")
    parser.add_argument("--store", choices=STORES, default="sqlite")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args(arguments)
    try:
        told = delivered(options.messages, options.seed, broker=options.broker, store=options.store)
    except CrashError as error:
        print(error)
        return 1
    counts = told.counts
    print(
        f"seed {options.seed}, {options.broker} and {options.store}: {counts['sent']} messages "
        f"sent, {counts['executed']} executed, {counts['passed over']} passed over, in "
        f"{told.took_s:.0f} s; {told.attempts} attempts ran, each once, and every flow is where "
        "the reducer leads it by itself"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
