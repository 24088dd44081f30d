"""Scenarios played on a Temporal server, in step with the scripted world on the reducer.

Rule: the scripted world says what happens next. Here it is made to happen on Temporal in the way
in which it happens there: work ends as its handler returns, groups come from their generator, a
timer fires by itself, a continue-as-new is carried out; all else is told by updates. Then both
must have given the same verdict, the same commands and the same state.

Each scenario is played by a thread, several at a time; one loop has the client and the worker of
all. Nothing is waited for longer than `PATIENCE_S`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from pathlib import Path
from queue import Empty
from typing import Any, Final

from attrs import evolve, frozen

from conductor_adapters.cli.scenario_file import read_scenarios
from conductor_adapters.temporal import TemporalClient
from conductor_core.codec import (
    encode_command,
    encode_groups,
    encode_spec,
    encode_state,
    encode_verdict,
)
from conductor_core.commands import CancelFutures, Command, DispatchStep
from conductor_core.differences import differences
from conductor_core.events import (
    AppendRequested,
    Event,
    FlowStarted,
    GenerationFailed,
    GroupsGenerated,
    StepFinished,
    TimerFired,
)
from conductor_core.legality import STALE_ATTEMPT
from conductor_core.payload import freeze
from conductor_core.reducer import Transition
from conductor_core.replay import replay
from conductor_core.spec import FlowSpec, GroupSpec
from conductor_core.state import FlowState
from conductor_core.testing.scenario_play import observe, play_world
from conductor_core.testing.scenarios import Scenario, Send
from conductor_core.verdicts import Accepted, Verdict
from tests.adapters.scenario_pace import AGE, AgingWorld, LeftOut, Paced, Reason, paced, slowed
from tests.adapters.temporal_stage import PATIENCE_S, SLACK_S, Host, Stage

FOLDER: Final = Path(__file__).parents[1] / "conformance"
PLAYERS: Final = 16
"""So many scenarios at a time: most of each is waiting for the server, or for a timer."""


def scenarios() -> Iterator[tuple[str, Scenario]]:
    """The scenarios of the conformance suite, by names of their own."""
    for file in sorted(FOLDER.glob("*.yaml")):
        for scenario in read_scenarios(file).scenarios:
            yield f"{file.name}::{scenario.name}", scenario


def sorted_out() -> tuple[Mapping[str, Paced], Mapping[str, Reason]]:
    """The scenarios that are played, and why the others are not, each by their names."""
    played: dict[str, Paced] = {}
    left_out: dict[str, Reason] = {}
    for number, (name, scenario) in enumerate(scenarios()):
        try:
            played[name] = paced(scenario, f"scenario/{number}")
        except LeftOut as error:
            left_out[name] = error.reason
    return played, left_out


# --- playing ---


class Otherwise(AssertionError):
    """Temporal did something else than the reducer."""


@frozen
class Happened:
    """What Temporal made of an event; nobody is told of what comes too late from a worker.

    Without a transition nothing has changed.
    """

    verdict: Verdict | None = None
    transition: Transition | None = None


class Mirrored(AgingWorld):
    """A scripted world in which everything happens on Temporal too.

    `commanded` holds every command that was given there.
    """

    def __init__(self, played: Paced, host: Host) -> None:
        super().__init__(played.scenario)
        self.commanded: list[Command] = []
        self.flow_id = played.scenario.flow_id
        self._pace = played.pace
        self._host = host
        self._stage = host.stages.setdefault(self.flow_id, Stage())
        self._given_up: set[str] = set()
        self._is_there = False

    # --- both worlds ---

    def send(self, event: Event) -> Verdict:
        """Send an event here and there; both must make the same of it."""
        if isinstance(event, TimerFired) and event.timer.startswith(AGE):
            return super().send(event)
        happened = self._happens(event)
        before = len(self.emitted)
        verdict = super().send(event)
        if happened.verdict is not None:
            told = encode_verdict(verdict), encode_verdict(happened.verdict)
            self._hold(event, "verdict", *told)
        if happened.transition is not None:
            self._hold_transition(event, self.emitted[before:], happened.transition)
        if self.state.outcome is not None:
            self._stage.clear()
        return verdict

    def _hold_transition(
        self, event: Event, commands: list[Command], transition: Transition
    ) -> None:
        self._hold(event, "state", *self._alike(transition.state))
        self._hold(event, "commands", _told(commands), _told(transition.commands))
        self.commanded += transition.commands
        for command in commands:
            self._heed(command)

    def _hold(self, event: Event, what: str, expected: object, seen: object) -> None:
        if told := list(differences(expected, seen, what)):
            raise Otherwise("\n".join([f"after {event}:", *told]))

    def _alike(self, state: FlowState) -> tuple[object, object]:
        """The state here, and one from there, as data that must be equal."""
        groups = slowed(tuple(self.state.catalog.groups), self._pace)
        here = _likeness(self.state, slowed(self.state.spec, self._pace), groups)
        return here, _likeness(state, state.spec, tuple(state.catalog.groups))

    def _heed(self, command: Command) -> None:
        """Wait until work has begun, which the world here takes for granted."""
        match command:
            case DispatchStep(attempt=attempt):
                begun = self._stage.work(attempt).begun.wait(PATIENCE_S)
                _require(begun, f"{attempt} is not begun")
            case CancelFutures(attempts=attempts):
                self._given_up.update(attempts)
            case _:
                pass

    def age(self, timer: str) -> None:
        """Wait until a plan is old."""
        stale_after_ms = self.stale_after_ms(timer.removeprefix(AGE))
        assert stale_after_ms is not None, "a plan that gets old may"
        time.sleep(stale_after_ms * self._pace / 1000 + SLACK_S)

    def copy_state(self) -> bool:
        """Go on with a copy; there another host takes the flow up, by its history.

        Where a continue-as-new is under way here, it has been carried out there.
        """
        if not self.state.continuing:
            self._look(self._host.reader)
        return super().copy_state()

    # --- there ---

    def _happens(self, event: Event) -> Happened:
        """Have an event happen."""
        match event:
            case FlowStarted() if not self._is_there:
                self._is_there = True
                spec = slowed(self.scenario.flow, self._pace)
                self._host.call(self._host.client.start(spec, flow_id=self.flow_id))
            case StepFinished() if event.attempt in self._stage.works:
                self._end(event)
                if not self._is_active(event.attempt):
                    self._await_end(event.attempt)
                    return Happened()
            case GroupsGenerated(complete=True) | GenerationFailed() if self._generates(event):
                self._stage.generation(self.state.run).set_result(slowed(event, self._pace))
            case _ if not (self.is_due(event) or self.continues(event)):
                return self._tell(event)
            case _:
                pass  # It happens by itself.
        return self._seen(event)

    def _generates(self, event: Event) -> bool:
        """Whether an event is what the generator answers, in a flow that waits for it."""
        return event is self.scenario.generate and self.state.outcome is None

    def _end(self, event: StepFinished) -> None:
        """End the work of an attempt, once it has heard that it is to give up, if it is."""
        work = self._stage.works.pop(event.attempt)
        if event.attempt in self._given_up:
            heard = work.cancelled.wait(PATIENCE_S)
            _require(heard, f"{event.attempt} has not heard that it is cancelled")
        work.fact.set_result(slowed(event, self._pace))

    def _is_active(self, attempt_id: str) -> bool:
        attempt = self.state.attempt(attempt_id)
        return attempt is not None and attempt.active

    def _await_end(self, attempt: str) -> None:
        """Wait until Temporal has taken note that work ended."""
        until_s = time.monotonic() + PATIENCE_S
        while attempt in self._host.call(self._host.under_way(self.flow_id)):
            _require(time.monotonic() < until_s, f"{attempt} does not end")
            time.sleep(SLACK_S)

    def _tell(self, event: Event) -> Happened:
        """Tell the flow by an update, or by another run, that something happened."""
        told = slowed(event, self._pace)
        client = self._host.client
        verdict = self._host.call(
            client.tell(self.flow_id, lambda *, at_ms: evolve(told, at_ms=at_ms))
        )
        return self._seen(event) if isinstance(verdict, Accepted) else Happened(verdict)

    def _seen(self, event: Event) -> Happened:
        """Wait for an event, which must be the next that counts."""
        try:
            seen, transition = self._stage.seen.get(timeout=PATIENCE_S)
            while transition.verdict is STALE_ATTEMPT:
                # It was passed over when it happened; its worker says so when it comes to it.
                seen, transition = self._stage.seen.get(timeout=PATIENCE_S)
        except Empty:
            raise Otherwise(f"{event} does not happen") from None
        _require(_subject(seen) == _subject(event), f"{seen} happens, not {event}")
        return Happened(transition.verdict, transition)

    # --- the end ---

    def check(self) -> None:
        """Hold against the state here the one there, that of its log, and all that is claimed."""
        state = self._look(self._host.client)
        lines = self._host.call(self._host.client.log(self.flow_id))
        logged = replay(lines, flow_id=self.flow_id).state
        _require(logged == state, "\n".join(differences(encode_state(state), encode_state(logged))))
        self._check_claims(state)

    def _look(self, client: TemporalClient) -> FlowState:
        """The state there, which the server may get to know after the worker."""
        until_s = time.monotonic() + PATIENCE_S
        while True:
            state = self._host.call(client.look(self.flow_id))
            told = list(differences(*self._alike(state)))
            if not told:
                return state
            _require(time.monotonic() < until_s, "\n".join(told))
            time.sleep(SLACK_S)

    def _check_claims(self, state: FlowState) -> None:
        world = copy(self)
        world.state, world.emitted = state, self.commanded
        for claim in self.scenario.expect:
            got = freeze(observe(world, claim))
            _require(got == claim.expected, f"{claim.where}: {claim.expected.text}, not {got.text}")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Otherwise(otherwise)


def _subject(event: Event) -> tuple[object, ...]:
    """What tells an event from others that may happen meanwhile."""
    return (type(event), *(getattr(event, name, None) for name in ("attempt", "timer")))


def _told(commands: Iterable[Command]) -> list[object]:
    return [_timeless(encode_command(command)) for command in commands]


def _likeness(state: FlowState, spec: FlowSpec, groups: tuple[GroupSpec, ...]) -> object:
    """A state as data that is the same in all worlds."""
    data = {**encode_state(state), "spec": encode_spec(spec)}
    data["groups"] = encode_groups(groups)
    return _timeless(data)


def _timeless(data: Any) -> Any:
    """Leave times out, but not whether there is one; and an error that says nothing."""
    if isinstance(data, dict):
        return {
            key: "a time" if key.endswith("_ms") else _timeless(value)
            for key, value in data.items()
            if not (key == "error" and value == {})
        }
    return [_timeless(item) for item in data] if isinstance(data, list) else data


def _works(played: Iterable[Scenario]) -> set[str]:
    """The names of all work that any scenario has."""
    return {
        step.handler
        for scenario in played
        for groups in _groups(scenario)
        for group in groups
        for step in group.steps
    }


def _groups(scenario: Scenario) -> Iterator[tuple[GroupSpec, ...]]:
    yield scenario.flow.groups
    sent = (action.deed.event for action in scenario.do if isinstance(action.deed, Send))
    for event in (scenario.generate, *sent):
        if isinstance(event, (GroupsGenerated, AppendRequested)):
            yield event.groups


class Scenarios:
    """Plays scenarios in the background; `outcome` waits for one of them."""

    def __init__(self, played: Mapping[str, Paced], url: str) -> None:
        scenarios = [it.scenario for it in played.values()]
        types = {it.flow.type for it in scenarios}
        self._host = Host(url, works=_works(scenarios), types=types)
        self._pool = ThreadPoolExecutor(PLAYERS)
        self._outcomes = {
            name: self._pool.submit(play, paced, self._host) for name, paced in played.items()
        }

    def outcome(self, name: str) -> Future[None]:
        """What becomes of a scenario."""
        return self._outcomes[name]

    def close(self) -> None:
        """Play no more of them."""
        self._pool.shutdown(cancel_futures=True)
        self._host.close()


def play(played: Paced, host: Host) -> None:
    """Play a scenario; raises Otherwise where it does not come out as it says."""
    world = Mirrored(played, host)
    try:
        told = play_world(world)
        _require(not told, "\n".join(map(str, told)))
        world.check()
    finally:
        host.call(host.terminate(world.flow_id))
        host.stages[world.flow_id].clear()
