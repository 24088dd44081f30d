"""Worker processes for the conformance kit, whose handlers ask the process of the kit.

Rule: a worker is a process of its own with a SQLite host, killed by SIGKILL; what its handlers
do is decided by the kit's `Worker`, which they reach through a Unix socket: a line with the
command goes there, a line with the fact comes back, and `cancel` may follow the first.

Run as a program it makes such processes: a line of JSON for each on stdin, its number on
stdout. They are forked, so that each begins at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final

from conductor_adapters.sqlite import SqliteHost
from conductor_adapters.store.boot import since_boot_ms
from conductor_adapters.work import StepContext, StepResult
from conductor_core.codec import decode_event, encode_command
from conductor_core.commands import Command, GenerateSteps, RequestApproval
from conductor_core.spec import GroupSpec
from tests.adapters.calling import answer_of, groups_of

LONGEST: Final = 2**24
CANCEL: Final = b"cancel\n"


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


class Asking:
    """Handlers that ask the kit."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def work(self, context: StepContext) -> StepResult:
        """Do the work of an attempt as the kit says."""
        fact = await self._asked(context.command, metadata=context.metadata)
        return answer_of(fact)

    async def generate(self, command: GenerateSteps) -> Sequence[GroupSpec]:
        """Make groups as the kit says."""
        return groups_of(await self._asked(command))

    def ask(self, _flow_id: str, command: RequestApproval) -> None:
        """Tell the kit what people are asked."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self._path)
            connection.sendall(json.dumps({"asked": command.attempt}).encode() + b"\n")

    async def _asked(self, command: Command, **more: Any) -> Any:
        reader, writer = await asyncio.open_unix_connection(self._path, limit=LONGEST)
        writer.write(json.dumps({"command": encode_command(command), **more}).encode() + b"\n")
        answer = asyncio.ensure_future(reader.readline())
        while not answer.done():
            try:
                await asyncio.wait({answer})
            except asyncio.CancelledError:
                writer.write(CANCEL)
        writer.close()
        if not answer.result():
            # The kit has ended, and this process is about to.
            await asyncio.Event().wait()
        return decode_event(json.loads(answer.result()))


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
