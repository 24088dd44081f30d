"""Worker processes for the conformance kit, whose handlers ask the process of the kit.

Rule: a worker is a process of its own with a SQLite host, killed by SIGKILL; what its handlers
do is decided by the kit's `Worker` (see `kit_calls`).

Run as a program it makes such processes: a line of JSON for each on stdin, its number on
stdout. They are forked, so that each begins at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

from conductor_adapters.sqlite import SqliteHost
from conductor_adapters.store.boot import since_boot_ms
from tests.adapters.kit_calls import Asking


async def main(settings: dict[str, Any]) -> None:
    """Work until this process is killed."""
    asking = Asking(settings["socket"])
    later_ms: int = settings["later_ms"]
    host = SqliteHost(
        dict.fromkeys(settings["works"], asking.work),
        path=settings["path"],
        generators=dict.fromkeys(settings["types"], asking.generate),
        ask=asking.ask,
        lease_s=settings["lease_s"],
        lease_clock_ms=lambda: since_boot_ms() + later_ms,
        poll_s=0.005,
        synchronous="NORMAL",
    )
    async with host:
        await asyncio.Event().wait()


def make_processes() -> None:
    """Fork a worker for each line."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(main(json.loads(line)))
            os._exit(0)
        print(child, flush=True)


if __name__ == "__main__":
    make_processes()
