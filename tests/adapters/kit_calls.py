"""Worker processes of the conformance kit ask the process of the kit what to do.

Rule: they reach the kit's `Worker` through a Unix socket: a line with the command goes there, a
line with the fact comes back, and `cancel` may follow the first.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from conductor_adapters.work import StepCancelled, StepContext, StepResult
from conductor_core.codec import decode_command, decode_event, encode_command, encode_event
from conductor_core.commands import Command, DispatchStep, GenerateSteps, RequestApproval
from conductor_core.events import Event
from conductor_core.spec import GroupSpec
from tests.adapters.calling import CallingRig, answer_of, groups_of

LONGEST: Final = 2**24
CANCEL: Final = b"cancel\n"


class Asking:
    """Handlers that ask the kit."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def work(self, context: StepContext) -> StepResult:
        """Do the work of an attempt as the kit says."""
        told = {"metadata": context.metadata}
        return answer_of(await self._asked(context.flow_id, context.command, **told))

    async def generate(self, command: GenerateSteps) -> Sequence[GroupSpec]:
        """Make groups as the kit says."""
        return groups_of(await self._asked(command.flow_id, command))

    def ask(self, flow_id: str, command: RequestApproval) -> None:
        """Tell the kit what people are asked."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self._path)
            told = {"flow_id": flow_id, "asked": command.attempt}
            connection.sendall(json.dumps(told).encode() + b"\n")

    async def _asked(self, flow_id: str, command: Command, **more: Any) -> Any:
        told = {"flow_id": flow_id, "command": encode_command(command), **more}
        reader, writer = await asyncio.open_unix_connection(self._path, limit=LONGEST)
        writer.write(json.dumps(told).encode() + b"\n")
        answer = asyncio.ensure_future(reader.readline())
        while not answer.done():
            try:
                await asyncio.wait({answer})
            except asyncio.CancelledError:
                writer.write(CANCEL)
        writer.close()
        if not answer.result():
            await self.forsaken()
        return decode_event(json.loads(answer.result()))

    async def forsaken(self) -> None:
        """The kit has ended, and this process is about to."""
        await asyncio.Event().wait()


class Unanswered(Asking):
    """Handlers in processes that outlive a trial."""

    async def forsaken(self) -> None:
        """The trial is over."""
        raise StepCancelled("its trial is over")


class AnsweringRig(CallingRig):
    """Has the worker called through a socket."""

    flow_id = ""

    async def listen(self, path: Path) -> None:
        """Answer calls from here on."""
        self.calls: set[asyncio.Task[None]] = set()
        path.unlink(missing_ok=True)
        self.server = await asyncio.start_unix_server(self.called, path, limit=LONGEST)

    async def hang_up(self) -> None:
        """Answer no more, not even those who wait."""
        self.server.close()
        for call in self.calls:
            call.cancel()
        await asyncio.gather(*self.calls, return_exceptions=True)

    async def called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a call of a worker."""
        call = asyncio.current_task()
        assert call is not None, "a server serves in tasks"
        self.calls.add(call)
        call.add_done_callback(self.calls.discard)
        with suppress(ConnectionError, asyncio.CancelledError):
            line = await reader.readline()
            # Who was killed before it had asked says nothing.
            if line and (told := json.loads(line))["flow_id"] == self.flow_id:
                await self._answer(told, reader, writer)
        writer.close()

    async def _answer(
        self, told: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if "asked" in told:
            self.asked_for.add(told["asked"])
        else:
            fact = await self.fact(told, reader)
            writer.write(json.dumps(encode_event(fact)).encode() + b"\n")
            await writer.drain()

    async def fact(self, told: dict[str, Any], reader: asyncio.StreamReader) -> Event:
        """What the worker of the kit says, which may be asked to give up meanwhile."""
        command = decode_command(told["command"])
        if isinstance(command, GenerateSteps):
            return await self.worker.generate(command)
        assert isinstance(command, DispatchStep), "there is no other work"
        cancel = asyncio.ensure_future(reader.readline())

        def asked() -> bool:
            return cancel.done() and cancel.result() == CANCEL

        try:
            return await self.worker.work(command, asked, metadata=told["metadata"])
        finally:
            cancel.cancel()
