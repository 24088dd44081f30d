"""The rigs of the hosts here, for the conformance kit.

Rule: a rig only drives its host and translates; it mends nothing that a host does wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from attrs import evolve

from conductor_adapters.clock import Clock, VirtualClock
from conductor_adapters.host import INTERRUPTED, Journal
from conductor_adapters.memory import MemoryFlow, MemoryHost
from conductor_adapters.work import StepCancelled, StepContext, StepResult
from conductor_adapters.workers import GroupsOf, Handler
from conductor_core import FlowSpec, FlowState, Transition, initial_state
from conductor_core.commands import GenerateSteps
from conductor_core.events import Event, StepFinished
from conductor_core.log import LogWriter, replay
from conductor_core.spec import GroupSpec
from conductor_core.testing.conformance import Rig, Worker
from conductor_core.verdicts import Verdict
from tests.adapters.calling import CallingInThreads, CallingRig, answer_of, failure_of, groups_of

VISIBLE_S: Final = 0.03
"""How long a worker may hold a message before another gets it."""


class Lines:
    """A journal in memory that outlives its host: the lines of a log, as a file would hold them."""

    def __init__(self, writer: LogWriter, lines: list[str]) -> None:
        self.lines = lines
        self.dead = False
        self._writer = writer

    @classmethod
    def begun(cls, state: FlowState) -> Lines:
        """The log of a flow that has not started."""
        writer = LogWriter(state, at_ms=0)
        return cls(writer, [writer.header()])

    def resumed(self) -> tuple[Lines, FlowState]:
        """The journal of the next host, and the state that it starts from."""
        replayed = replay(self.lines)
        return type(self)(LogWriter.resume(replayed), list(self.lines)), replayed.state

    def append(self, event: Event, transition: Transition) -> None:
        """Keep an entry; what a dead host still has to say is lost."""
        if not self.dead:
            self.lines += self._writer.entry(event, transition).splitlines(keepends=True)


class AcceptedOnlyLines(Lines):
    """A log that says in its header that it holds accepted events only."""

    @classmethod
    def begun(cls, state: FlowState) -> Lines:
        """The log of a flow that has not started."""
        writer = LogWriter(state, at_ms=0, accepted_only=True)
        return cls(writer, [writer.header()])


class ClosedLines(Lines):
    """A log that is closed as soon as its flow has ended."""

    def append(self, event: Event, transition: Transition) -> None:
        """Keep an entry, and perhaps the end."""
        super().append(event, transition)
        if not self.dead and transition.state.outcome is not None:
            self.lines += self._writer.close(transition.state).splitlines(keepends=True)


class MemoryRig(CallingRig):
    """Drives a flow on a MemoryHost, whose handlers are coroutines."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker)
        self.clock: Clock | None = None

    # --- what the kit does ---

    async def start(self, spec: FlowSpec, flow_id: str) -> None:
        """Start a flow."""
        self.lines = self.journal_of(initial_state(spec, flow_id))
        self.host = self.new_host()
        self.flow = await self.host.start(spec, flow_id=flow_id, journal=self.lines)

    async def tell(self, event: Event) -> Verdict:
        """Deliver an event at the time of the host."""
        return self.flow.tell(lambda *, at_ms: evolve(event, at_ms=at_ms))

    async def state(self) -> FlowState:
        """The state that the host holds."""
        return self.flow.state

    async def log(self) -> Sequence[bytes | str]:
        """The lines so far."""
        return list(self.lines.lines)

    async def crash(self) -> None:
        """Cut the host off its journal, then end it."""
        self.lines.dead = True
        await self.host.close(grace_s=0)

    async def recover(self) -> None:
        """Have a new host begin where the log ends."""
        self.lines, state = self.lines.resumed()
        self.host = self.new_host()
        self.flow = await self.recovered(state, self.lines)

    async def close(self) -> None:
        """End the host."""
        await self.crash()

    # --- what others make in another way ---

    def journal_of(self, state: FlowState) -> Lines:
        """The journal of a new flow."""
        return Lines.begun(state)

    async def recovered(self, state: FlowState, journal: Journal) -> MemoryFlow:
        """The flow on the new host."""
        return await self.host.recover(state, journal=journal)

    def new_host(self) -> MemoryHost:
        """A host that calls the worker for everything."""
        self.hosts += 1
        self.asked_for = set()
        return MemoryHost(
            dict.fromkeys(self.worker.works, self.handler()),
            generators=dict.fromkeys(self.worker.flow_types, self.generator()),
            clock=self.clock,
            ask=self.ask,
        )


class ThreadRig(CallingInThreads, MemoryRig):
    """The same with functions that run in threads."""


class VirtualRig(MemoryRig):
    """The same in virtual time."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker)
        self.clock = self.virtual = VirtualClock()

    async def advance(self, ms: int) -> None:
        """Move the clock on."""
        self.virtual.advance(ms)


class QueueRig(MemoryRig):
    """The same with workers that are given up on after a while, as queues of messages do it."""

    redelivers = True

    def handler(self) -> Handler:
        """Call the worker again whenever it has not answered for a while."""

        async def work(context: StepContext) -> StepResult:
            lines = self.lines
            calls: set[asyncio.Future[StepFinished]] = set()
            while True:
                calls.add(self.delivery(context))
                if done := await self.answers(calls):
                    return answer_of(done.pop().result())
                if lines.dead:
                    raise StepCancelled(context.attempt)
                if context.step in self.fragile:
                    raise failure_of(INTERRUPTED)

        return work

    async def start(self, spec: FlowSpec, flow_id: str) -> None:
        """Start a flow."""
        steps = (step for group in spec.groups for step in group.steps)
        self.fragile = {step.key for step in steps if step.on_recovery == "fail"}
        await super().start(spec, flow_id)

    async def answers(
        self, calls: set[asyncio.Future[StepFinished]]
    ) -> set[asyncio.Future[StepFinished]]:
        """The calls that were answered; a cancel is told to the worker by `asked`."""
        try:
            done, _ = await asyncio.wait(
                calls, timeout=VISIBLE_S, return_when=asyncio.FIRST_COMPLETED
            )
        except asyncio.CancelledError:
            return set()
        return done

    def delivery(self, context: StepContext) -> asyncio.Future[StepFinished]:
        """One more call of the worker."""
        work = self.worker.work(
            context.command, lambda: context.cancelled, metadata=context.metadata
        )
        return asyncio.ensure_future(work)

    def generator(self) -> GroupsOf:
        """Call the worker again when it has not answered for a while."""

        async def generate(command: GenerateSteps) -> Sequence[GroupSpec]:
            first = asyncio.ensure_future(self.worker.generate(command))
            await asyncio.wait({first}, timeout=VISIBLE_S)
            fact = first.result() if first.done() else await self.worker.generate(command)
            return groups_of(fact)

        return generate


class FileRig(MemoryRig):
    """The same with a log that is read as from a file, at times while a line is written.

    Nobody sees whom its host asks.
    """

    whole = 0
    asked = Rig.asked

    async def log(self) -> Sequence[bytes | str]:
        """The lines so far; one that commands nothing may be seen before it is whole."""
        lines = [line.encode() for line in self.lines.lines]
        if len(lines) > self.whole and b'"commands":[]' in lines[-1]:
            self.whole = len(lines)
            return [*lines[:-1], lines[-1][:-9]]
        return lines


class AcceptedOnlyRig(MemoryRig):
    """The same with a log that holds accepted events only, as one that was rebuilt does."""

    def journal_of(self, state: FlowState) -> Lines:
        """The journal of a new flow."""
        return AcceptedOnlyLines.begun(state)


class ClosedRig(MemoryRig):
    """The same with a log that is closed when its flow ends."""

    def journal_of(self, state: FlowState) -> Lines:
        """The journal of a new flow."""
        return ClosedLines.begun(state)
