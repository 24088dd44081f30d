"""How a command is begun, and what is on record of it while it runs.

Rule: a command that is on record is forgotten when nothing of its group runs any more, and no
sooner; and a record is taken away only by whoever it belongs to.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from asyncio.subprocess import DEVNULL
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

from conductor_adapters.attempt_files import AttemptFiles
from conductor_adapters.group_records import MARK, is_recorded, recording
from conductor_adapters.process_groups import has_gone
from conductor_adapters.shell_command import Command
from conductor_adapters.shell_input import ShellInput, bad_input
from conductor_adapters.work import HostFailure, StepFailure
from conductor_core.errors import FormatError, shown

GONE_S: Final = 2.0
FILES_EACH: Final = 8
FILES_LEFT: Final = 64
MANY: Final = 100_000

_logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class Launch:
    """What is begun, for which attempt; `folder` holds the two files of this dispatch."""

    given: ShellInput
    attempt: str
    folder: Path
    files: AttemptFiles | None

    async def begin(self, command: Command) -> asyncio.SubprocessTransport:
        """Begin the command; raises StepFailure where that cannot be done."""
        try:
            transport, _ = await asyncio.get_running_loop().subprocess_exec(
                lambda: command,
                *map(_bytes, self._arguments()),
                stdin=self._hold(),
                cwd=None if self.given.cwd is None else _bytes(self.given.cwd),
                env={_bytes(name): _bytes(value) for name, value in self._environment()},
                start_new_session=True,
            )
        except OSError as error:
            raise self._cannot(error) from None
        return transport

    def _environment(self) -> Iterator[tuple[str, str]]:
        yield from self.given.variables.items()
        yield "CONDUCTOR_CONTEXT", str(self.folder / "context.json")
        yield MARK, str(self.folder / "result.json")

    def _arguments(self) -> tuple[str, ...]:
        if self.files is None:
            return ("/bin/sh", "-c", "--", self.given.run)
        return recording(self.given.run, self.files.record_of(self.attempt), self.folder.name)

    def _hold(self) -> int:
        """The standard input of what is begun: empty, or what keeps the log locked."""
        return DEVNULL if self.files is None or self.files.hold is None else self.files.hold

    def _cannot(self, error: OSError) -> StepFailure:
        """Why a command could not be begun."""
        if self.given.cwd is not None and error.filename == _bytes(self.given.cwd):
            problem = f"{shown(self.given.cwd)}: {error.strerror}"
            return bad_input(FormatError("cwd", problem))
        if error.errno == errno.E2BIG:
            problem = "too long for the system, with the environment or in one of its parts"
            return bad_input(FormatError("", problem))
        return StepFailure(f"cannot begin: {error.strerror}", type="not-begun")

    async def ended(self, group: int) -> bool:
        """The process group has ended: forget it; tells whether it was ever on record."""
        if self.files is None:
            return True
        record = self.files.record_of(self.attempt)
        if not is_recorded(record, group, self.folder.name):
            return False
        try:
            if await has_gone(group, within_s=GONE_S):
                record.unlink(missing_ok=True)
            else:
                _logger.warning("%s: process group %d does not end", self.attempt, group)
        except OSError as error:
            _logger.warning("%s cannot be deleted: %s", record, error.strerror)
        return True


def most_at_once() -> int:
    """How many commands may run at once, by the number of files that may be open."""
    import resource  # noqa: PLC0415 - Windows has none, and runs no commands

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MANY if most == resource.RLIM_INFINITY else max(1, (most - FILES_LEFT) // FILES_EACH)


def _bytes(text: str) -> bytes:
    """What the system is given: commands are UTF-8 in every locale."""
    return text.encode("utf-8", "surrogateescape")


def not_recorded(attempt: str, why: str) -> HostFailure:
    """The host's failure to record the process group of a command, which did not begin."""
    return HostFailure(f"{attempt}: the record of its process group cannot be written: {why}")
