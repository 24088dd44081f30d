"""A scenario played from its start to its end, and every claim held against what came of it.

Rule: nothing is raised for what a scenario gets wrong; each untrue claim is a Difference,
and an empty answer means that the scenario passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from conductor_core import codec
from conductor_core.commands import DispatchStep, Outcome
from conductor_core.errors import FormatError
from conductor_core.events import FlowStarted
from conductor_core.payload import freeze
from conductor_core.state import FlowState
from conductor_core.testing.scenario_world import MOST_EVENTS, NeverQuiet, World
from conductor_core.testing.scenarios import (
    Action,
    Advance,
    Claim,
    Difference,
    Scenario,
    Send,
    Snapshot,
    StayPending,
    TellContinueAsNew,
)
from conductor_core.verdicts import Verdict

UNFINISHED = Outcome(status="")


def play_scenario(scenario: Scenario) -> tuple[Difference, ...]:
    """Play a scenario; the differences between what it claims and what came of it."""
    return play_world(World(scenario))


def play_world(world: World) -> tuple[Difference, ...]:
    """Play the scenario of a world in it, which may be a world that does more than others."""
    return tuple(_story(world))


def _story(world: World) -> Iterator[Difference]:
    """Play the start and the actions one after another, each when the flow is quiet."""
    actions = world.scenario.do
    place = "do"
    try:
        if not (actions and isinstance(actions[0].deed, StayPending)):
            world.send(FlowStarted(at_ms=0))
            world.play()
        for index, action in enumerate(actions):
            place = f"do[{index}]"
            yield from _act(world, action, place)
    except NeverQuiet:
        yield _difference(place, "a quiet flow", f"more than {MOST_EVENTS} events")
        return
    yield from _untrue(world, world.scenario.expect, "expect")


def _act(world: World, action: Action, place: str) -> Iterator[Difference]:
    """Play one action and what follows from it; hold its verdict and its claims against it."""
    verdict: Verdict | None = None
    match action.deed:
        case Send(event=event):
            verdict = world.send(event)
        case TellContinueAsNew():
            verdict = world.send(world.incarnate(action.deed))
        case Advance(ms=ms):
            world.advance(ms)
        case Snapshot():
            yield from _copied(world, f"{place}.snapshot")
        case StayPending():
            pass
        case _:
            assert_never(action.deed)
    world.play()
    if verdict is not None and str(verdict) != action.expect:
        yield _difference(f"{place}.expect", action.expect, str(verdict))
    yield from _untrue(world, action.check, f"{place}.check")


def _copied(world: World, place: str) -> Iterator[Difference]:
    """Go on with a copy of the state, which must be equal to it."""
    try:
        equal = world.copy_state()
    except FormatError as error:
        yield _difference(place, "a state that can be written and read", str(error))
    else:
        if not equal:
            yield _difference(place, "an equal copy of the state", "another state")


def _untrue(world: World, claims: tuple[Claim, ...], place: str) -> Iterator[Difference]:
    """The claims that are not true."""
    for claim in claims:
        got = freeze(observe(world, claim))
        if got != claim.expected:
            where = f"{place}.{claim.where}"
            yield Difference(where=where, expected=claim.expected, got=got)


def _difference(where: str, expected: object, got: object) -> Difference:
    return Difference(where=where, expected=freeze(expected), got=freeze(got))


def observe(world: World, claim: Claim) -> object:
    """What is the case about the subject of a claim."""
    state, of = world.state, claim.of or ""
    outcome = state.outcome or UNFINISHED
    match claim.topic:
        case "flow":
            return state.status
        case "reason":
            return outcome.reason
        case "step":
            return outcome.step
        case "message":
            return outcome.message
        case "retries_exhausted":
            return outcome.retries_exhausted
        case "steps":
            attempt = state.attempt(of)
            return "no such attempt" if attempt is None else attempt.status.value
        case "absent":
            attempt = state.attempt(of)
            return None if attempt is None else attempt.status.value
        case "directives":
            attempt = state.attempt(of)
            return "no such attempt" if attempt is None else attempt.directive
        case "groups":
            return _group_status(state, of)
        case "dispatched":
            return [command.attempt for command in _dispatches(world)]
        case "attempts":
            return sum(attempt.step == of for attempt in state.attempts())
        case "timers":
            return sorted(timer for timer, _ in state.timers())
        case "approvals":
            return sorted(attempt.id for attempt in state.open_approvals())
        case "commands":
            return sum(isinstance(command, codec.COMMANDS[of]) for command in world.emitted)
        case "inputs":
            return _inputs(world, of, claim.expected.value)
        case _:
            assert_never(claim.topic)


def _group_status(state: FlowState, key: str) -> str:
    index = state.catalog.group_of(key)
    return "no such group" if index is None else state.group_status(index)


def _dispatches(world: World) -> Iterator[DispatchStep]:
    """The dispatches so far, in their order."""
    return (command for command in world.emitted if isinstance(command, DispatchStep))


def _inputs(world: World, attempt: str, asked: dict[str, object]) -> object:
    """The outputs, of the steps that are asked about, that the dispatch of an attempt carried."""
    for command in _dispatches(world):
        if command.attempt == attempt:
            outputs = command.outputs.value
            return {step: outputs[step] for step in asked if step in outputs}
    return "not dispatched"
