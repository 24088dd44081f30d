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
from typing import Final, TypeVar

from conductor_adapters.attempt_files import AttemptFiles, new_folder
from conductor_adapters.captured import Capture
from conductor_adapters.group_records import UNRECORDED
from conductor_adapters.masking import Secrets
from conductor_adapters.process_groups import TERM_GRACE_S, end_group
from conductor_adapters.shell_command import ERRORS_KEPT, OUTPUT_KEPT, Command
from conductor_adapters.shell_input import input_problems, missing_environment, read_input
from conductor_adapters.shell_launch import Launch, most_at_once, not_recorded
from conductor_adapters.shell_result import RESULT_KEYS, read_result, write_context
from conductor_adapters.work import HostFailure, StepContext, StepFailure, StepResult

__all__ = [
    "ERRORS_KEPT",
    "OUTPUT_KEPT",
    "RESULT_KEYS",
    "AttemptFiles",
    "Shell",
    "input_problems",
    "missing_environment",
]

T = TypeVar("T")

SOON_S: Final = 2.0


def _nowhere(_attempt: str, _text: str) -> None:
    """Show nothing."""


class Shell:
    """Runs the commands of steps.

    `show` is handed what they print, as it comes. A command that is cancelled gets SIGTERM,
    and SIGKILL after `grace_s`. With `files`, which are those of one flow, what they print is
    kept there, and whoever resumes the flow finds there what is left of them when this host
    is killed.
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
        self._flow_id: str | None = None
        self._room = asyncio.Semaphore(most_at_once())

    async def __call__(self, context: StepContext) -> StepResult:
        """Run the command of a step, once there is room for it."""
        self._check_flow(context)
        async with self._room:
            return await self._worked(context)

    async def _worked(self, context: StepContext) -> StepResult:
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
                status = await self._run(command, launch, context)
            finally:
                command.close()
            return _outcome(status, command, folder / "result.json", given.secrets)

    def _check_flow(self, context: StepContext) -> None:
        """Raise HostFailure for the second flow of a shell whose files are those of one."""
        if self._files is not None:
            self._flow_id = self._flow_id or context.flow_id
            if self._flow_id != context.flow_id:
                raise HostFailure(
                    f"{context.attempt}: {self._files.folder} holds the files of flow "
                    f"{self._flow_id!r}; flow {context.flow_id!r} needs a shell of its own"
                )

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

    async def _run(self, command: Command, launch: Launch, context: StepContext) -> int:
        """Run a command to its end and return its exit status."""
        starting = asyncio.ensure_future(launch.begin(command))
        cancel: asyncio.CancelledError | None = None
        try:
            # A process that is being started must be known before its group can be ended.
            await asyncio.shield(starting)
            await command.exited.wait()
        except asyncio.CancelledError as error:
            if not command.exited.is_set():
                cancel = error
        transport = await _in_any_case(starting)
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
        # 0 says that what the flow has cancelled is done. When only the host stops it says no
        # more than that the command obeyed SIGTERM, as servers do, and the work begins again.
        if cancel is not None and (status != 0 or not context.cancelled):
            raise cancel
        if status == UNRECORDED and not was_recorded:
            raise not_recorded(launch.attempt, command.complained.text().strip())
        return status


async def _in_any_case(starting: asyncio.Future[T]) -> T:
    """Wait for what takes a moment, however often one is told to give up."""
    while not starting.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(starting)
    return starting.result()


async def _soon(event: asyncio.Event) -> None:
    """Wait for what should come at once, but not for ever."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), SOON_S)


def _outcome(status: int, command: Command, path: Path, secrets: Secrets) -> StepResult:
    """What a command left behind; raises StepFailure for one that failed."""
    details = {"exit_status": status, "stderr": command.complained.text()}
    printed = command.printed.text()
    try:
        result = read_result(path, printed, secrets)
    except StepFailure as bad:
        if status == 0:
            raise
        # That a command was cut off while it wrote is no more than one of the details.
        details["bad_result"] = str(bad)
        result = StepResult(output={"stdout": printed})
    if status == 0:
        return result
    message = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
    raise StepFailure(message, type="exit-status", details=details, result=result)
