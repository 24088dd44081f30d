"""One case, in one weather, on one host: played, and held against what was foreseen.

Rule: acts happen when the flow is quiet, and nothing is compared before. It is quiet when it
is in the state that was foreseen, times left out, and every attempt that is active there is
in the hands of the worker. A host that does not get there has a breakage, and has its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from attrs import evolve

from conductor_core.codec import encode_event
from conductor_core.errors import shown
from conductor_core.events import Event, FlowStarted, StepFinished, is_request
from conductor_core.state import FlowState
from conductor_core.testing.answer_format import OK
from conductor_core.testing.conformance.breakages import Breach, Breakage, Nonconformity
from conductor_core.testing.conformance.case import Case, addressed
from conductor_core.testing.conformance.diagnosis import diagnose
from conductor_core.testing.conformance.foreseen import Foreseen
from conductor_core.testing.conformance.likeness import likeness
from conductor_core.testing.conformance.patience import Patience
from conductor_core.testing.conformance.recorded import LogReader, verify
from conductor_core.testing.conformance.rig import Rig
from conductor_core.testing.conformance.weather import Weather
from conductor_core.testing.conformance.worker import GENERATION, Worker
from conductor_core.verdicts import Ignored

RigOf: TypeAlias = Callable[[Worker], Rig]

PATIENCE_S: Final = 10.0
ADVANCE_MS: Final = 10
LINGER_S: Final = 0.005
"""How long a host is watched when all is over, for it to do what it should not."""
DUPLICATE: Final = Ignored("duplicate-request")
CRASHED: Final = " and a crash"


async def conforms(
    rig_of: RigOf,
    case: Case,
    weather: Weather = Weather.CALM,
    *,
    patience_s: float = PATIENCE_S,
    flow_id: str | None = None,
) -> None:
    """Play a case on a host; raises Nonconformity, naming the breakage, where it does not conform.

    `rig_of` makes the rig, from the worker that it is to register. The host may take
    `patience_s` for anything, its recoveries and the resolution of its timers included. One
    that remembers flows from one trial to the next needs a new `flow_id` for each.
    """
    worker = Worker(case, weather)
    rig = rig_of(worker)
    world = Foreseen(case, weather, flow_id or f"conformance/{case}/{weather}")
    trial = Trial(rig, worker, world, case=case, weather=weather, patience_s=patience_s)
    try:
        await trial.play()
    except Breach as found:
        raise Nonconformity(found, case=case.name, weather=weather, after=trial.after) from None
    except Exception as error:
        error.add_note(f"in case {case.name!r} in {weather} weather, after {trial.after}")
        raise
    finally:
        worker.lose()
        worker.bury()
        await rig.close()


class Trial:
    """A case that is being played; `after` is what happened last."""

    def __init__(
        self,
        rig: Rig,
        worker: Worker,
        world: Foreseen,
        *,
        case: Case,
        weather: Weather,
        patience_s: float,
    ) -> None:
        self.after = "the start"
        self._rig = rig
        self._log = LogReader(rig)
        self._worker = worker
        self._world = world
        self._case = case
        self._weather = weather
        self._patience_s = patience_s
        self._repeated = 0
        worker.attach(rig, self._log)

    async def play(self) -> None:
        """Play the case from its start to its end; raises Breach."""
        self._world.send(FlowStarted(at_ms=0))
        await self._rig.start(self._case.flow, self._world.state.flow_id)
        await self._rest()
        for number, act in enumerate(self._case.acts, 1):
            self.after = f"act {number} ({encode_event(act)['type']})"
            await self._act(act, request_id=f"act-{number}")
            await self._rest()
        self.after = "its end"
        if self._weather is Weather.DELAYED:
            facts = (await self._log.read()).facts()
            await self._repeat(facts, Breakage.LATE_FACT_COUNTED)
        await asyncio.sleep(LINGER_S)
        await self._quiet()

    # --- acts ---

    async def _act(self, act: Event, request_id: str) -> None:
        """Have something happen, on the host and in the world."""
        if isinstance(act, StepFinished):
            self._world.send(act)
            self._worker.finish(act)
            return
        await self._tell(act, request_id)
        if is_request(act) and self._weather is Weather.DUPLICATED:
            await self._tell(act, request_id)

    async def _tell(self, act: Event, request_id: str) -> None:
        """Deliver an event; its verdict must be the reducer's."""
        told = addressed(act, await self._rig.state(), request_id)
        expected = self._world.send(addressed(act, self._world.state, request_id))
        verdict = await self._rig.tell(told)
        # A rejection is known by its code: its message is for people.
        if str(verdict) != str(expected):
            twice = expected == DUPLICATE
            breakage = Breakage.DUPLICATE_COUNTED if twice else Breakage.OTHER_VERDICT
            raise Breach(breakage, f"the verdict was {verdict}, expected {expected}")

    async def _repeat(self, facts: Iterable[Event], breakage: Breakage) -> None:
        """Deliver facts that must not count any more."""
        for fact in facts:
            verdict = await self._rig.tell(fact)
            if not isinstance(verdict, Ignored):
                how = "again" if breakage is Breakage.DUPLICATE_COUNTED else "late"
                what = f"{_told(fact)} came {how} and was {verdict}, expected it to be ignored"
                raise Breach(breakage, what)

    # --- quiet ---

    async def _rest(self) -> None:
        """Let the flow come to rest, through all that the weather holds then."""
        await self._quiet()
        match self._weather:
            case Weather.CRASHING:
                await self._crash()
                await self._quiet()
            case Weather.DUPLICATED:
                facts = (await self._log.read()).facts()
                await self._repeat(facts, Breakage.DUPLICATE_COUNTED)
                await self._quiet()
            case Weather.DELAYED:
                await self._answer_late()
                await self._quiet()
            case _:
                pass

    async def _quiet(self) -> None:
        """Wait until the flow is quiet, and hold its log and its work against it."""
        self._world.settle()
        foreseen = likeness(self._world.state)
        patience = Patience(self._patience_s)
        while not self._is_quiet(state := await self._rig.state(), foreseen):
            seen = state, sum(self._worker.deliveries.values())
            if self._has_ended(state, foreseen) or not patience.lasts(seen):
                raise diagnose(state, foreseen, self._worker, self._world.timers)
            await self._storm(state)
            await patience.pause()
            if self._awaits_a_timer(state):
                await self._rig.advance(ADVANCE_MS)
        await self._verify()

    def _is_quiet(self, state: FlowState, foreseen: dict[str, Any]) -> bool:
        """Whether nothing more will happen by itself, and just as it was foreseen."""
        self._raise_problem()
        return self._worker.holds(_under_way(state)) and likeness(state) == foreseen

    def _has_ended(self, state: FlowState, foreseen: dict[str, Any]) -> bool:
        """Whether the flow has come to an end that was not foreseen, and will stay there."""
        return state.outcome is not None and likeness(state) != foreseen

    def _awaits_a_timer(self, state: FlowState) -> bool:
        return any(timer not in self._world.timers for timer, _ in state.timers())

    def _raise_problem(self) -> None:
        if self._worker.problem is not None:
            raise self._worker.problem

    async def _verify(self) -> None:
        """Hold the log against the host's state, and all that was to be cancelled against both."""
        recorded = await self._log.read()
        while True:
            state = await self._rig.state()
            latest = await self._log.read()
            if latest is recorded:
                break
            recorded = latest
        verify(recorded, state)
        patience = Patience(self._patience_s)
        while untold := self._worker.untold(recorded.cancelled()):
            if not patience.lasts(untold):
                what = f"the work of {untold[0]!r} was never told to give up"
                raise Breach(Breakage.CANCEL_NOT_TOLD, what)
            await patience.pause()

    # --- weather ---

    async def _storm(self, state: FlowState) -> None:
        """Do to the host what the weather does while work runs."""
        match self._weather:
            case Weather.DUPLICATED:
                await self._repeat_new()
            case Weather.REORDERED:
                if self._worker.has(_under_way(state)):
                    self._worker.release_newest()
            case Weather.LOST:
                if self._worker.doomed and self._worker.has(_under_way(state)):
                    await self._lose()
            case Weather.CRASHING:
                if self._worker.doomed:
                    await self._crash()
            case _:
                pass

    async def _repeat_new(self) -> None:
        """Deliver once more every fact that has counted since this was last done."""
        facts = (await self._log.read()).facts()
        new, self._repeated = facts[self._repeated :], len(facts)
        await self._repeat(new, Breakage.DUPLICATE_COUNTED)

    async def _answer_late(self) -> None:
        """Answer for the work without which the flow has gone on."""
        for call in self._worker.overtaken(await self._rig.state()):
            answer = evolve(OK, attempt=call.what)
            await self._repeat([answer], Breakage.LATE_FACT_COUNTED)
            call.give(answer)

    async def _lose(self) -> None:
        """Lose what runs, so that it must be delivered again."""
        if self._rig.redelivers:
            self._worker.lose_doomed()
        else:
            await self._crash()

    async def _crash(self) -> None:
        """Let the host go down and another take over; what stood in the log must stand there."""
        before = (await self._log.read()).lines
        self._worker.lose()
        await self._rig.crash()
        self._worker.bury()
        await self._rig.recover()
        self.after = self.after.removesuffix(CRASHED) + CRASHED
        after = (await self._log.read()).lines
        for number, line in enumerate(before):
            if after[number : number + 1] != (line,):
                what = f"line {number + 1} does not stand in the log any more"
                raise Breach(Breakage.LOG_FORGETS, what, [shown(line)])


def _under_way(state: FlowState) -> list[str]:
    """Everything that the worker must have been called for."""
    active = [attempt.id for attempt in state.current_attempts() if attempt.active]
    waits = state.is_live and state.generating == "running" and not state.is_cancelling
    return [*active, GENERATION] if waits else active


def _told(event: Event) -> str:
    """An event in short: its type, and what it is about."""
    wire = encode_event(event)
    about = wire.get("attempt") or wire.get("timer")
    return wire["type"] if about is None else f"{wire['type']} of {about!r}"
