"""The handler of the work `shell`: one command, run by `/bin/sh -c` in a session of its own.

Rule: the exit status is the outcome, and an attempt has ended when its process group has.
The command finds what a handler is told in the JSON file that `CONDUCTOR_CONTEXT` names,
and may write what it has to say to the one that `CONDUCTOR_RESULT` names. It reads nothing
from the terminal, so that no step waits for an answer that nobody knows of.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from conductor_adapters.attempt_files import AttemptFiles, new_folder
from conductor_adapters.captured import Capture
from conductor_adapters.group_records import UNRECORDED
from conductor_adapters.process_groups import TERM_GRACE_S, end_group
from conductor_adapters.shell_command import ERRORS_KEPT, OUTPUT_KEPT, Command
from conductor_adapters.shell_input import input_problems, missing_environment, read_input
from conductor_adapters.shell_launch import Launch, not_recorded
from conductor_adapters.shell_result import RESULT_KEYS, read_result, write_context
from conductor_adapters.work import HostFailure, StepContext, StepFailure, StepResult

__all__ = [
    "ERRORS_KEPT",
    "OUTPUT_KEPT",
    "RESULT_KEYS",
    "Shell",
    "input_problems",
    "missing_environment",
]

SOON_S: Final = 2.0


def _nowhere(_attempt: str, _text: str) -> None:
    """Show nothing."""


class Shell:
    """Runs the commands of steps.

    `show` is handed what they print, as it comes. A command that is cancelled gets SIGTERM,
    and SIGKILL after `grace_s`. With `files`, what they print is kept there, and whoever
    resumes the flow finds there what is left of them when this host is killed.
    """

    def __init__(
        self,
        *,
        show: Callable[[str, str], None] = _nowhere,
        grace_s: float = TERM_GRACE_S,
        files: AttemptFiles | None = None,
    ) -> None:
        self._show = show
        self._grace_s = grace_s
        self._files = files

    async def __call__(self, context: StepContext) -> StepResult:
        """Run the command of a step."""
        given = read_input(context, os.environ)
        with self._new_folder(context.attempt) as name:
            folder = Path(name)
            try:
                write_context(folder / "context.json", context)
            except OSError as error:
                raise HostFailure(f"{context.attempt}: {folder}: {error.strerror}") from None
            command = Command(
                show=partial(self._show, context.attempt),
                capture=self._capture(context.attempt),
                secrets=given.secrets,
            )
            launch = Launch(given=given, attempt=context.attempt, folder=folder, files=self._files)
            try:
                status = await self._run(command, launch)
            finally:
                command.close()
            result = read_result(folder / "result.json", command.printed.text(), given.secrets)
        if status != 0:
            raise _failure(status, command, result)
        return result

    def _new_folder(self, attempt: str) -> TemporaryDirectory[str]:
        """A folder for this dispatch, which nobody else may look into."""
        try:
            if self._files is None:
                return new_folder()
            self._files.make_folder()
            return new_folder(self._files.folder)
        except OSError as error:
            raise HostFailure(f"{attempt}: {error.filename}: {error.strerror}") from None

    def _capture(self, attempt: str) -> Capture | None:
        """The file for what an attempt prints."""
        return None if self._files is None else Capture(self._files.output_of(attempt))

    async def _run(self, command: Command, launch: Launch) -> int:
        """Run a command to its end and return its exit status."""
        starting = asyncio.ensure_future(launch.begin(command))
        cancel: asyncio.CancelledError | None = None
        try:
            # A process that is being started must be known before its group can be ended.
            await asyncio.shield(starting)
            await command.exited.wait()
        except asyncio.CancelledError as error:
            cancel = error
        transport = await starting
        group = transport.get_pid()
        try:
            await end_group(group, grace_s=self._grace_s)
        finally:
            await _soon(command.exited)
            # Whoever left the group may hold the pipes open for ever.
            await _soon(command.drained)
            transport.close()
            was_recorded = await launch.ended(group)
        await command.exited.wait()
        status = transport.get_returncode()
        assert status is not None, "a process that exited has a status"
        if cancel is not None and status != 0:
            raise cancel
        if status == UNRECORDED and not was_recorded:
            raise not_recorded(launch.attempt, command.complained.text().strip())
        return status


async def _soon(event: asyncio.Event) -> None:
    """Wait for what should come at once, but not for ever."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), SOON_S)


def _failure(status: int, command: Command, result: StepResult) -> StepFailure:
    message = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
    details = {"exit_status": status, "stderr": command.complained.text()}
    return StepFailure(message, type="exit-status", details=details, result=result)
