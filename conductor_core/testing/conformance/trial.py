"""One case, in one weather, on one host: played, and held against what was foreseen.

Rule: acts happen when the flow is quiet, and nothing is compared before. It is quiet when it
is in the state that was foreseen, times left out, and every attempt that is active there is
in the hands of the worker. A host that does not get there has a breakage, and has its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from attrs import evolve

from conductor_core.codec import encode_event
from conductor_core.errors import shown
from conductor_core.events import FlowStarted, StepFinished, is_request
from conductor_core.state import FlowState
from conductor_core.testing.answer_format import OK
from conductor_core.testing.conformance.breakages import Breach, Breakage, Nonconformity
from conductor_core.testing.conformance.case import Act, Case, events_of
from conductor_core.testing.conformance.deliveries import Deliveries
from conductor_core.testing.conformance.diagnosis import diagnose
from conductor_core.testing.conformance.foreseen import Foreseen
from conductor_core.testing.conformance.patience import LONGEST_S, Patience
from conductor_core.testing.conformance.quiet import check_quiet
from conductor_core.testing.conformance.recorded import LogReader
from conductor_core.testing.conformance.rig import Rig
from conductor_core.testing.conformance.weather import Weather
from conductor_core.testing.conformance.worker import GENERATION, Worker

RigOf: TypeAlias = Callable[[Worker], Rig]

PATIENCE_S: Final = 10.0
ADVANCE_MS: Final = 10
CLOSELY_S: Final = 0.005
"""Looks are at most so far apart where a moment must not be missed."""
LINGER_S: Final = 0.005
"""How long a host is watched when all is over, for it to do what it should not."""
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
        self._deliveries = Deliveries(rig, self._log, world, patience_s=patience_s)
        self._case = case
        self._weather = weather
        self._patience_s = patience_s
        self._longest_s = CLOSELY_S if weather is Weather.CRASHING else LONGEST_S
        self._crashed_at: set[str] = set()
        worker.attach(rig, self._log)

    async def play(self) -> None:
        """Play the case from its start to its end; raises Breach."""
        self._world.send(FlowStarted(at_ms=0))
        await self._rig.start(self._case.flow, self._world.state.flow_id)
        await self._rest()
        for number, act in enumerate(self._case.acts, 1):
            self.after = f"act {number} ({_named(act)})"
            await self._act(act, f"act-{number}")
            await self._rest()
        self.after = "its end"
        if self._weather is Weather.DELAYED:
            await self._deliveries.repeat_all(Breakage.LATE_FACT_COUNTED)
        await asyncio.sleep(LINGER_S)
        await self._quiet()

    async def _act(self, act: Act, name: str) -> None:
        """Have something happen, on the host and in the world."""
        if isinstance(act, StepFinished):
            self._world.send(act)
            self._worker.finish(act)
            return
        named = [(f"{name}-{number}", event) for number, event in enumerate(events_of(act), 1)]
        if self._weather is Weather.DUPLICATED:
            named += [(name, event) for name, event in named if is_request(event)]
        await self._deliveries.tell(named)
        if self._weather is Weather.CRASHING:
            await self._crash()

    # --- quiet ---

    async def _rest(self) -> None:
        """Let the flow come to rest, through all that the weather holds then."""
        await self._quiet()
        match self._weather:
            case Weather.CRASHING:
                await self._crash()
                await self._quiet()
            case Weather.DUPLICATED:
                await self._deliveries.repeat_all(Breakage.DUPLICATE_COUNTED)
                await self._quiet()
            case Weather.DELAYED:
                await self._answer_late()
                await self._quiet()
            case _:
                pass

    async def _quiet(self) -> None:
        """Wait until the flow is quiet, and hold all that the host has done against it."""
        self._world.settle()
        foreseen = self._world.likeness()
        patience = self._patience()
        while not self._is_quiet(state := await self._rig.state(), foreseen):
            seen = state, sum(self._worker.deliveries.values())
            if self._has_ended(state, foreseen) or not patience.lasts(seen):
                raise diagnose(state, self._world, self._worker)
            await self._storm(state)
            await patience.pause()
            if self._due_timers(state):
                await self._rig.advance(ADVANCE_MS)
        await check_quiet(self._rig, self._log, self._worker, self._patience())

    def _patience(self) -> Patience:
        return Patience(self._patience_s, longest_s=self._longest_s)

    def _is_quiet(self, state: FlowState, foreseen: dict[str, Any]) -> bool:
        """Whether nothing more will happen by itself, and just as it was foreseen."""
        self._raise_problem()
        return self._worker.holds(_under_way(state)) and self._world.likeness(state) == foreseen

    def _has_ended(self, state: FlowState, foreseen: dict[str, Any]) -> bool:
        """Whether the flow has come to an end that was not foreseen, and will stay there."""
        return state.outcome is not None and self._world.likeness(state) != foreseen

    def _due_timers(self, state: FlowState) -> set[str]:
        """The timers that fire before the flow is quiet."""
        return {timer for timer, _ in state.timers() if timer not in self._world.timers}

    def _raise_problem(self) -> None:
        if self._worker.problem is not None:
            raise self._worker.problem

    # --- weather ---

    async def _storm(self, state: FlowState) -> None:
        """Do to the host what the weather does while work runs."""
        match self._weather:
            case Weather.DUPLICATED:
                await self._deliveries.repeat_new()
            case Weather.REORDERED:
                if self._worker.has(_under_way(state)):
                    self._worker.release_newest()
            case Weather.LOST:
                if self._worker.doomed and self._worker.has(_under_way(state)):
                    await self._lose()
            case Weather.CRASHING:
                await self._crash_once(state)
            case _:
                pass

    async def _crash_once(self, state: FlowState) -> None:
        """Have the host go down in whatever it is in the middle of, once in each."""
        moments = self._due_timers(state)
        if state.continuing:
            moments.add(f"continue-as-new {state.incarnation}")
        if self._worker.doomed or not moments <= self._crashed_at:
            self._crashed_at |= moments
            await self._crash()

    async def _answer_late(self) -> None:
        """Answer for the work without which the flow has gone on."""
        for call in self._worker.overtaken(await self._rig.state()):
            answer = evolve(OK, attempt=call.what)
            await self._deliveries.repeat([answer], Breakage.LATE_FACT_COUNTED)
            call.give(answer)

    async def _lose(self) -> None:
        """Lose what runs, so that it must be delivered again."""
        if self._rig.redelivers:
            self._worker.lose_doomed()
        else:
            await self._crash()

    async def _crash(self) -> None:
        """Let the host go down and another take over; what stood in the log must stand there."""
        before = await self._log.read()
        self._worker.lose(before.cancelled())
        await self._rig.crash()
        self._worker.bury()
        await self._rig.recover()
        self.after = self.after.removesuffix(CRASHED) + CRASHED
        after = (await self._log.read()).lines
        for number, line in enumerate(before.lines):
            if after[number : number + 1] != (line,):
                what = f"line {number + 1} does not stand in the log any more"
                raise Breach(Breakage.LOG_FORGETS, what, [shown(line)])


def _named(act: Act) -> str:
    """An act in short."""
    return " and ".join(str(encode_event(event)["type"]) for event in events_of(act))


def _under_way(state: FlowState) -> list[str]:
    """Everything that the worker must have been called for."""
    active = [attempt.id for attempt in state.current_attempts() if attempt.active]
    waits = state.is_live and state.generating == "running" and not state.is_cancelling
    return [*active, GENERATION] if waits else active
