"""`--on-approval CMD`: a command that is run whenever an approval is asked for.

Rule: it is a notice and no answer. It holds nothing up, its failure is a warning, and the run
waits for it a little before it ends. Nothing of the flow's is on its command line: what it
is about stands in its environment, and as one JSON object on its standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE, STDOUT
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from conductor_adapters.cli.screen import Lines
from conductor_core.codec import encode_command
from conductor_core.commands import RequestApproval

LAST_WAIT_S: Final = 10.0
"""So long a run that ends waits for its notices."""
SHOWN: Final = 65_536
"""So many bytes of what a notice prints are shown."""


class Notices:
    """Runs a command for every approval that is asked for, perhaps again after a crash."""

    def __init__(self, command: str | None, screen: Lines, log: Path | None) -> None:
        self._command = command
        self._screen = screen
        self._log = log
        self._under_way: set[asyncio.Task[None]] = set()

    def ask(self, flow_id: str, asked: RequestApproval) -> None:
        """Begin to tell that an approval is asked for."""
        if self._command is not None:
            task = asyncio.get_running_loop().create_task(self._tell(self._command, flow_id, asked))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def give_up(self) -> None:
        """End what is under way."""
        for task in self._under_way:
            task.cancel()

    async def close(self) -> None:
        """Wait for what is under way, and end what takes too long."""
        under_way = set(self._under_way)
        if under_way:
            await asyncio.wait(under_way, timeout=LAST_WAIT_S)
            self.give_up()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _tell(self, command: str, flow_id: str, asked: RequestApproval) -> None:
        about = {**encode_command(asked), "flow_id": flow_id, "log": self._log and str(self._log)}
        variables = {
            "CONDUCTOR_FLOW_ID": flow_id,
            "CONDUCTOR_ATTEMPT": asked.attempt,
            "CONDUCTOR_STEP": asked.attempt.rpartition("#")[0],
            "CONDUCTOR_SUBJECT": (asked.subject or "").replace("\0", ""),
            "CONDUCTOR_LOG": "" if self._log is None else str(self._log),
        }
        # What it prints goes to a file: a child that it leaves behind may hold a pipe open.
        with TemporaryFile() as printed:
            try:
                process = await asyncio.create_subprocess_exec(
                    *("/bin/sh", "-c", command),
                    stdin=PIPE, stdout=printed, stderr=STDOUT,
                    env={**os.environ, **variables}, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                self._screen.warn(f"--on-approval: {error}")
                return
            await self._ended(process, json.dumps(about).encode())
            printed.seek(0)
            for line in printed.read(SHOWN).decode("utf-8", "replace").splitlines():
                self._screen.note(f"           on-approval | {line}")
        if process.returncode:
            self._screen.warn(f"--on-approval: exit status {process.returncode}")

    async def _ended(self, process: asyncio.subprocess.Process, about: bytes) -> None:
        """Tell a command what it is about, and wait for its end."""
        assert process.stdin is not None, "it was begun with a pipe"
        try:
            process.stdin.write(about)
            process.stdin.close()
            await process.wait()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            self._screen.warn("--on-approval: took too long and was ended")
            raise
