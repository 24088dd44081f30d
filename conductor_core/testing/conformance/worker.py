"""Does the work of every step, as its case says and the weather lets it.

Rule: whatever reaches the worker is held against the log before anything is done, and what
is wrong is kept as `problem`, for a host may swallow what its handlers raise. A call that was
lost, or went down with its host, is never answered.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from attrs import evolve

from conductor_core.codec import encode_command
from conductor_core.commands import Command, DispatchStep, GenerateSteps
from conductor_core.events import GenerationFailed, GroupsGenerated, StepFinished
from conductor_core.payload import freeze
from conductor_core.state import FlowState
from conductor_core.testing.answer_format import CANCELLED, OK
from conductor_core.testing.conformance.breakages import Breach, Breakage
from conductor_core.testing.conformance.call import A, AskedToGiveUp, Call, never
from conductor_core.testing.conformance.case import Case
from conductor_core.testing.conformance.likeness import told_differences
from conductor_core.testing.conformance.recorded import LogReader, LogSoFar
from conductor_core.testing.conformance.rig import Rig
from conductor_core.testing.conformance.weather import Weather

Generated: TypeAlias = GroupsGenerated | GenerationFailed

DELAY_S: Final = 0.01
LOOK_S: Final = 0.005
"""How often work looks whether it was asked to give up."""
GENERATION: Final = "the generation of groups"


class Worker:
    """The worker that a rig registers with its host, for everything there is to do.

    Call `work` and `generate` on the loop that runs the kit, `work_in_thread` and
    `generate_in_thread` in any other thread; `asked` says whether the work was asked to give
    up, which a coroutine may also learn by being cancelled. What they return is a fact that
    lacks its time (`at_ms` is 0): a StepFinished with the outcome `succeeded`, `failed` or
    `cancelled`, which the rig turns into whatever its host takes for that.
    """

    def __init__(self, case: Case, weather: Weather) -> None:
        self.works = frozenset(step.handler for step in case.steps())
        self.flow_types = frozenset([case.flow.type] if case.generates else ())
        self.problem: Exception | None = None
        self.calls: list[Call[Any]] = []
        self.lost: list[Call[Any]] = []
        self.answered: set[str] = set()
        self.deliveries: Counter[str] = Counter()
        self._case = case
        self._weather = weather
        self._given_up: frozenset[str] = frozenset()
        self._swallowed: set[str] = set()
        self._fragile = frozenset(s.key for s in case.steps() if s.on_recovery == "fail")
        self._loop = asyncio.get_running_loop()

    def attach(self, rig: Rig, log: LogReader) -> None:
        """Tell the worker whom it works for."""
        self._rig = rig
        self._log = log

    # --- what a host calls ---

    async def work(
        self, command: DispatchStep, asked: AskedToGiveUp = never, *, metadata: object = None
    ) -> StepFinished:
        """Do the work of an attempt; `metadata` is the flow's, where the handler gets that."""

        def entry(call: Call[StepFinished], log: LogSoFar) -> StepFinished | None:
            self._inspect_attempt(command, call, log)
            if metadata is not None:
                self._inspect_metadata(command.attempt, metadata)
            return self._entry_of(command, log)

        return await self._serve(command.attempt, asked, entry)

    async def generate(self, command: GenerateSteps) -> Generated:
        """Make the groups of the flow."""

        def groups(_call: Call[Generated], log: LogSoFar) -> Generated | None:
            _inspect(GENERATION, command, log.generations().get(command.run))
            return self._case.generate

        return await self._serve(GENERATION, never, groups)

    def work_in_thread(
        self, command: DispatchStep, asked: AskedToGiveUp = never, *, metadata: object = None
    ) -> StepFinished:
        """Do the work of an attempt in a thread other than the kit's."""
        work = self.work(command, asked, metadata=metadata)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def generate_in_thread(self, command: GenerateSteps) -> Generated:
        """Make the groups of the flow in a thread other than the kit's."""
        return asyncio.run_coroutine_threadsafe(self.generate(command), self._loop).result()

    # --- what the trial asks and does ---

    def at(self, attempt: str) -> list[Call[Any]]:
        """The calls that are under way for an attempt."""
        return [call for call in self.calls if call.what == attempt]

    def holds(self, attempts: Iterable[str]) -> bool:
        """Whether all of these are under way, and held."""
        held = {call.what for call in self.calls if call.held}
        return held.issuperset(attempts)

    def has(self, attempts: Iterable[str]) -> bool:
        """Whether all of these are under way."""
        return {call.what for call in self.calls}.issuperset(attempts)

    @property
    def doomed(self) -> bool:
        """Whether some call ends unanswered."""
        return any(call.doomed for call in self.calls)

    def finish(self, answer: StepFinished) -> None:
        """Answer a held attempt."""
        for call in self.at(answer.attempt):
            call.give(answer)

    def release_newest(self) -> None:
        """Answer the call that came last of those that wait for it."""
        waiting = [call for call in self.calls if call.ready is not None and not call.answer.done()]
        if waiting:
            waiting[-1].give(waiting[-1].ready)

    def overtaken(self, state: FlowState) -> list[Call[StepFinished]]:
        """The calls without which the flow has gone on."""
        work = (call for call in self.calls if call.what != GENERATION)
        return [call for call in work if not _active(state, call.what)]

    def untold(self, attempts: Iterable[str]) -> list[str]:
        """The attempts among these whose work runs on and was not asked to give up."""
        waiting = {call.what for call in self.calls if not call.told}
        return sorted(waiting.intersection(attempts))

    def lose(self, given_up: frozenset[str] = frozenset()) -> None:
        """No call that is under way will be answered any more.

        `given_up`: the attempts that were to give up by now, and must not begin again.
        """
        self._given_up = given_up
        for call in self.calls:
            call.doomed = True
        self.lose_doomed()
        self.answered.clear()

    def lose_doomed(self) -> None:
        """Forget the calls that are never answered."""
        for call in self.calls:
            call.gone = call.doomed
        self.lost += [call for call in self.calls if call.gone]
        self.calls = [call for call in self.calls if not call.gone]

    def bury(self) -> None:
        """End the calls that are gone."""
        for call in self.lost:
            call.answer.cancel()
        self.lost = []

    # --- a call ---

    async def _serve(
        self, what: str, asked: AskedToGiveUp, scripted: Callable[[Call[A], LogSoFar], A | None]
    ) -> A:
        """Answer a call as it is scripted, once it was held against the log."""
        call: Call[A] = self._taken(what, asked)
        try:
            self._arrange(call, scripted(call, await self._log.read()))
            return await self._answer(call)
        except Exception as error:
            self._note(call, error)
            raise
        finally:
            self._left(call)

    def _taken(self, what: str, asked: AskedToGiveUp) -> Call[Any]:
        self.deliveries[what] += 1
        call: Call[Any] = Call(what, asked, first=self.deliveries[what] == 1)
        self.calls.append(call)
        return call

    def _note(self, call: Call[Any], error: Exception) -> None:
        """Keep what is wrong; what a call finds whose host is gone already is nobody's fault."""
        if not call.gone:
            self.problem = self.problem or error

    def _left(self, call: Call[Any]) -> None:
        if not call.gone:
            self.calls.remove(call)

    def _inspect_attempt(
        self, command: DispatchStep, call: Call[StepFinished], log: LogSoFar
    ) -> None:
        """Raise Breach where the attempt must not run, or not like this."""
        attempt = command.attempt
        _inspect(f"attempt {attempt!r}", command, log.dispatches().get(attempt))
        if _step_of(attempt) in self._fragile and self.deliveries[attempt] > 1:
            what = f"attempt {attempt!r} runs twice, though its step has on_recovery: fail"
            raise Breach(Breakage.RAN_TWICE_UNSEEN, what)
        if log.finished(attempt):
            what = f"attempt {attempt!r} runs again, though the log says how it ended"
            raise Breach(Breakage.RAN_AGAIN, what)
        if attempt in self._given_up and not call.asked():
            what = f"attempt {attempt!r} runs again, though it was to give up before the crash"
            raise Breach(Breakage.RAN_AGAIN, what)

    def _inspect_metadata(self, attempt: str, given: object) -> None:
        """Raise Breach where an attempt gets other metadata than the flow's."""
        of_flow = self._case.flow.metadata
        if freeze(given) != of_flow:
            differ = told_differences(of_flow.value, freeze(given).value)
            what = f"attempt {attempt!r} was given metadata that is not the flow's"
            raise Breach(Breakage.WRONG_COMMAND, what, differ)

    def _entry_of(self, command: DispatchStep, log: LogSoFar) -> StepFinished | None:
        """What the script of a step says for an attempt; the last entry repeats."""
        step = _step_of(command.attempt)
        attempts = [a for a in log.dispatches() if _step_of(a) == step]
        entries = self._case.entries(step) or (OK,)
        entry = entries[min(attempts.index(command.attempt), len(entries) - 1)]
        return None if entry is None else evolve(entry, attempt=command.attempt)

    def _arrange(self, call: Call[A], answer: A | None) -> None:
        """See to it that a call is answered in its time."""
        if call.first and self._weather.interrupts:
            call.doomed = True
        elif answer is None:
            call.held = True
        elif self._weather is Weather.DELAYED:
            self._loop.call_later(DELAY_S, call.give, answer)
        elif self._weather is Weather.REORDERED:
            call.ready = answer
        else:
            call.give(answer)

    async def _answer(self, call: Call[A]) -> A:
        """Wait for the answer of a call; one that is held may give up."""
        while not call.answer.done():
            try:
                await asyncio.wait({call.answer}, timeout=LOOK_S)
                call.told = call.told or call.asked()
                if call.told and call.held:
                    await self._give_up(call)
            except asyncio.CancelledError:
                if call.gone or call.what == GENERATION:
                    raise
                call.told = True
        if not call.gone:
            self.answered.add(call.what)
        return call.answer.result()

    async def _give_up(self, call: Call[Any]) -> None:
        """Do as asked, unless the case ignores it, or the weather lets work end late or never."""
        if call.doomed or _step_of(call.what) in self._case.ignores_cancel:
            return
        if self._weather is Weather.CRASHING and call.what not in self._swallowed:
            self._swallowed.add(call.what)
            call.doomed = True
            return
        if self._weather is Weather.DELAYED and not _active(await self._rig.state(), call.what):
            return
        call.give(evolve(CANCELLED, attempt=call.what))


def _inspect(what: str, given: Command, commanded: Command | None) -> None:
    """Raise Breach unless something was commanded, and just as it was given."""
    if commanded is None:
        raise Breach(Breakage.COMMAND_FIRST, f"{what} began before its command stood in the log")
    if given != commanded:
        differ = told_differences(encode_command(commanded), encode_command(given))
        raise Breach(Breakage.WRONG_COMMAND, f"{what} is not what was commanded", differ)


def _step_of(attempt: str) -> str:
    return attempt.rpartition("#")[0]


def _active(state: FlowState, attempt_id: str) -> bool:
    attempt = state.attempt(attempt_id)
    return attempt is not None and attempt.active
