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
from typing import Final

from conductor_adapters.cli.screen import Screen
from conductor_core.codec import encode_command
from conductor_core.commands import RequestApproval

LAST_WAIT_S: Final = 10.0
"""So long a run that ends waits for its notices."""


class Notices:
    """Runs a command for every approval that is asked for, perhaps again after a crash."""

    def __init__(self, command: str | None, screen: Screen, log: Path | None) -> None:
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

    async def close(self) -> None:
        """Wait for what is under way, and end what takes too long."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=LAST_WAIT_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _tell(self, command: str, flow_id: str, asked: RequestApproval) -> None:
        about = {**encode_command(asked), "flow_id": flow_id, "log": self._log and str(self._log)}
        variables = {
            "CONDUCTOR_FLOW_ID": flow_id,
            "CONDUCTOR_ATTEMPT": asked.attempt,
            "CONDUCTOR_STEP": asked.attempt.rpartition("#")[0],
            "CONDUCTOR_SUBJECT": (asked.subject or "").replace("\0", ""),
            "CONDUCTOR_LOG": "" if self._log is None else str(self._log),
        }
        try:
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", command),
                stdin=PIPE, stdout=PIPE, stderr=STDOUT,
                env={**os.environ, **variables}, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._screen.warn(f"--on-approval: {error}")
            return
        try:
            printed, _ = await process.communicate(json.dumps(about).encode())
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            self._screen.warn("--on-approval: took too long and was ended")
            raise
        for line in printed.decode("utf-8", "replace").splitlines():
            self._screen.note(f"           on-approval | {line}")
        if process.returncode:
            self._screen.warn(f"--on-approval: exit status {process.returncode}")
