"""The handler of the work `shell`: one command, run by `/bin/sh -c` in a session of its own.

Rule: the exit status is the outcome, and an attempt has ended when its process group has.
The command finds what a handler is told in the JSON file that `CONDUCTOR_CONTEXT` names,
and may write what it has to say to the one that `CONDUCTOR_RESULT` names. It reads nothing
from the terminal, so that no step waits for an answer that nobody knows of.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import os
import signal
from asyncio.subprocess import DEVNULL
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from conductor_adapters.work import StepContext, StepFailure, StepResult
from conductor_core.codec import decode_event, loads
from conductor_core.errors import FormatError, Problem
from conductor_core.events import StepFinished

OUTPUT_KEPT: Final = 65_536
ERRORS_KEPT: Final = 4_096
LARGEST_RESULT: Final = 1_000_000
RESULT_KEYS: Final = ("output", "subject", "noop", "directive", "policy")
TERM_GRACE_S: Final = 5.0
SOON_S: Final = 2.0
POLL_S: Final = 0.05


def _nowhere(_attempt: str, _text: str) -> None:
    """Show nothing."""


def input_problems(value: object) -> Iterator[Problem]:
    """Say what is wrong with the input of a shell step."""
    if not isinstance(value, dict):
        yield "", "expected a mapping"
        return
    run = value.get("run")
    if not isinstance(run, str) or not run.strip() or "\0" in run:
        yield "run", f"expected a command, got {run!r}"
    for key in value.keys() - {"run"}:
        yield str(key), "unknown key, expected run"


class Shell:
    """Runs the commands of steps.

    `show` is handed what they print, as it comes. A command that is cancelled gets SIGTERM,
    and SIGKILL after `grace_s`.
    """

    def __init__(
        self, *, show: Callable[[str, str], None] = _nowhere, grace_s: float = TERM_GRACE_S
    ) -> None:
        self._show = show
        self._grace_s = grace_s

    async def __call__(self, context: StepContext) -> StepResult:
        """Run the command of a step."""
        for path, text in input_problems(context.input):
            place = f"input.{path}" if path else "input"
            raise StepFailure(f"{place}: {text}", type="bad-input", non_retryable=True)
        with TemporaryDirectory(prefix="conductor-") as folder:
            result_file = Path(folder, "result.json")
            environment = {
                **os.environ,
                "CONDUCTOR_CONTEXT": _write_context(Path(folder, "context.json"), context),
                "CONDUCTOR_RESULT": str(result_file),
            }
            command = _Command(partial(self._show, context.attempt))
            status = await self._run(command, context.input["run"], environment)
            result = _read_result(result_file, command.printed)
        if status != 0:
            raise _failure(status, command.complained, result)
        return result

    async def _run(self, command: _Command, line: str, environment: Mapping[str, str]) -> int:
        """Run a command line to its end and return its exit status."""
        starting = asyncio.ensure_future(
            asyncio.get_running_loop().subprocess_exec(
                lambda: command,
                *("/bin/sh", "-c", line),
                stdin=DEVNULL,
                env=environment,
                start_new_session=True,
            )
        )
        cancel: asyncio.CancelledError | None = None
        try:
            # A process that is being started must be known before its group can be ended.
            await asyncio.shield(starting)
            await command.exited.wait()
        except asyncio.CancelledError as error:
            cancel = error
        transport, _ = await starting
        try:
            await self._end(transport.get_pid())
        finally:
            await _soon(command.exited)
            # Whoever left the group may hold the pipes open for ever.
            await _soon(command.drained)
            transport.close()
        await command.exited.wait()
        status = transport.get_returncode()
        assert status is not None, "a process that exited has a status"
        if cancel is not None and status != 0:
            raise cancel
        return status

    async def _end(self, group: int) -> None:
        """End what is left of a process group: politely, then for good."""
        try:
            if _signal(group, signal.SIGTERM):
                async with asyncio.timeout(self._grace_s):
                    while _signal(group, 0):  # noqa: ASYNC110 - nothing tells of its end
                        await asyncio.sleep(POLL_S)
        except TimeoutError:
            pass
        finally:
            _signal(group, signal.SIGKILL)


async def _soon(event: asyncio.Event) -> None:
    """Wait for what should come at once, but not for ever."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), SOON_S)


def _signal(group: int, number: int) -> bool:
    """Send a signal to a process group; tells whether there was one to send it to."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


class _Command(asyncio.SubprocessProtocol):
    """Takes what a command prints, and notices its end."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.printed = _Kept(OUTPUT_KEPT)
        self.complained = _Kept(ERRORS_KEPT)
        self.exited = asyncio.Event()
        self.drained = asyncio.Event()
        self._show = show
        self._streams = {1: self.printed, 2: self.complained}
        self._decoders = {fd: codecs.getincrementaldecoder("utf-8")("replace") for fd in (1, 2)}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep and show what came."""
        self._streams[fd].add(data)
        self._show(self._decoders[fd].decode(data))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Show what was left of a character."""
        self._show(self._decoders[fd].decode(b"", final=True))

    def process_exited(self) -> None:
        """The shell has ended."""
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The shell has ended and nobody can print any more."""
        self.drained.set()


class _Kept:
    """The end of what a command printed; of 1 GB, as much as fits."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = bytearray()
        self._dropped = 0

    def add(self, chunk: bytes) -> None:
        """Keep a chunk, and drop what is too much from the front."""
        self._bytes += chunk
        excess = len(self._bytes) - self._most
        if excess > 0:
            del self._bytes[:excess]
            self._dropped += excess

    def text(self) -> str:
        """What was kept, with a word about what was not."""
        text = self._bytes.decode("utf-8", "replace")
        return f"[{self._dropped} bytes left out]\n{text}" if self._dropped else text


def _write_context(path: Path, context: StepContext) -> str:
    """Write what a command is told; returns the name of the file."""
    told = {
        "flow_id": context.flow_id,
        "attempt": context.attempt,
        "step": context.step,
        "input": context.input,
        "needs": context.needs,
        "subjects": context.subjects,
        "idempotency_key": context.idempotency_key,
        "retry": context.retry,
        "generation": context.generation,
        "timeout_ms": context.timeout_ms,
        "metadata": context.metadata,
    }
    path.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    return str(path)


def _read_result(path: Path, printed: _Kept) -> StepResult:
    """Read what a command had to say; without a word of its own its output is what it printed."""
    try:
        told = _told(path)
        fact = decode_event(
            {"type": "step-finished", "at_ms": 0, "attempt": "", "outcome": "succeeded", **told}
        )
    except FormatError as error:
        raise StepFailure(f"CONDUCTOR_RESULT: {error}", type="bad-result") from None
    assert isinstance(fact, StepFinished), "that is what was decoded"
    return StepResult(
        output=fact.output if "output" in told else {"stdout": printed.text()},
        subject=fact.subject,
        noop=fact.noop,
        directive=fact.directive,
        policy=fact.policy,
    )


def _told(path: Path) -> dict[str, Any]:
    """The content of a result file; nothing if there is none."""
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        content = file.read(LARGEST_RESULT + 1)
    if len(content) > LARGEST_RESULT:
        raise FormatError("", f"larger than {LARGEST_RESULT:,} bytes")
    told = loads(content)
    if not isinstance(told, dict):
        raise FormatError("", "expected a mapping")
    for key in told.keys() - set(RESULT_KEYS):
        raise FormatError(key, f"unknown key, expected one of {', '.join(RESULT_KEYS)}")
    return told


def _failure(status: int, complained: _Kept, result: StepResult) -> StepFailure:
    message = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
    details = {"exit_status": status, "stderr": complained.text()}
    return StepFailure(message, type="exit-status", details=details, result=result)
