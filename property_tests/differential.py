"""The reducer and the model, side by side: same verdicts, same commands, same visible state.

Rule: both get the same events, chosen by what the reducer's state waits for; the first event
after which they differ is a finding, and is shown with the fewest that still lead to it.

    python -m property_tests.differential --events 1000000 --seed 7
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import traceback
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Final

from attrs import frozen

from conductor_core import FlowSpec, FlowState, initial_state, interrupted_attempts, reduce
from conductor_core.codec import decode_event, decode_spec, encode_event, encode_spec
from conductor_core.errors import ConductorError
from conductor_core.events import Event
from conductor_core.testing.arbitrary.choices import Choose
from conductor_core.testing.arbitrary.flows import any_flow
from conductor_core.testing.arbitrary.plays import Traffic
from property_tests.model import Model
from property_tests.tally import Tally
from property_tests.views import (
    Json,
    cancelled_timers,
    command_view,
    recovery_view,
    sorted_commands,
    state_view,
    without_cancel_timers,
)

FLOW_ID: Final = "flow"
LONGEST: Final = 140
"""The most events that one flow gets."""


@frozen
class Side:
    """One thing that both were asked for, and what they said."""

    name: str
    reducer: Any
    model: Any

    @property
    def differs(self) -> bool:
        """Whether they disagree."""
        return bool(self.reducer != self.model)


@frozen(kw_only=True)
class Difference:
    """A flow, the events up to the one after which the two disagree, and in what."""

    flow: Json
    events: tuple[Json, ...]
    sides: tuple[Side, ...]

    def __str__(self) -> str:
        said = [
            f"  {side.name}\n    reducer: {side.reducer!r}\n    model:   {side.model!r}"
            for side in self.sides
        ]
        shown = [f"    json.loads({json.dumps(event)!r})," for event in self.events]
        flow = f"flow = json.loads({json.dumps(self.flow)!r})"
        lines = [*said, flow, "events = [", *shown, "]", "print(compare(flow, events))"]
        return "\n".join(lines)


class Pair:
    """The reducer and the model of one flow, fed the same events."""

    def __init__(self, spec: FlowSpec) -> None:
        self.state: FlowState = initial_state(spec, flow_id=FLOW_ID)
        self.verdict = ""
        self._flow = encode_spec(spec)
        self._model = Model(self._flow, FLOW_ID)
        self._sent: list[Json] = []

    @classmethod
    def after(cls, spec: FlowSpec, events: Iterable[Event]) -> Pair:
        """Both as they are after these events, of which it is known that they agree."""
        pair = cls(spec)
        for event in events:
            pair._sent.append(encode_event(event))
            pair._model.send(pair._sent[-1])
            pair.state = reduce(pair.state, event).state
        return pair

    def send(self, event: Event) -> Difference | None:
        """Deliver an event to both and say where they differ."""
        self._sent.append(encode_event(event))
        try:
            sides = [side for side in self._deliver(event) if side.differs]
        except Exception:  # noqa: BLE001 - that either raises is a finding like any other
            sides = [Side("exception", traceback.format_exc(), None)]
        if not sides:
            return None
        return Difference(flow=self._flow, events=tuple(self._sent), sides=tuple(sides))

    def _deliver(self, event: Event) -> Iterator[Side]:
        transition = reduce(self.state, event)
        self.verdict, commands = self._model.send(self._sent[-1])
        yield Side("verdict", str(transition.verdict), self.verdict)
        mine = [command_view(command) for command in transition.commands]
        yield Side("commands", *(without_cancel_timers(side) for side in (mine, commands)))
        yield Side("cancelled timers", *(cancelled_timers(side) for side in (mine, commands)))
        unchanged = transition.state is self.state
        yield Side("unchanged", unchanged, self.verdict != "accepted")
        self.state = transition.state
        if not unchanged:
            yield from self._visible(event.at_ms)

    def _visible(self, at_ms: int) -> Iterator[Side]:
        mine, models = state_view(self.state), self._model.view()
        named = {attempt for attempt, reason in models["reasons"].items() if reason is not None}
        for view in (mine, models):  # the rules give a reason only where something is decided
            view["reasons"] = {attempt: view["reasons"].get(attempt) for attempt in named}
        for name, value in mine.items():
            yield Side(name, value, models[name])
        told = sorted_commands(self._model.pending_commands(at_ms))
        yield Side("recovery", recovery_view(self.state, at_ms), told)
        interrupted = self._model.interrupted_attempts()
        yield Side("interrupted", list(interrupted_attempts(self.state)), interrupted)


def play(choose: Choose, tally: Tally) -> Difference | None:
    """Play one flow, in any way, until it is long over or the two differ."""
    pair, traffic = Pair(any_flow(choose)), Traffic(choose)
    left = 20 + choose(LONGEST - 20)
    while left > 0:
        for event in traffic.arriving(pair.state):
            difference = pair.send(event)
            if difference is not None:
                return difference
            tally.count(difference_kind(event), pair.verdict)
            left -= 1
        left = min(left, 6) if is_over(pair.state) else left - 1
    return None


def is_over(state: FlowState) -> bool:
    """Whether no request can revive the flow."""
    return state.outcome is not None and state.outcome.status != "error"


def compare(flow: Json, events: list[Json]) -> Difference | None:
    """Play these events, given as plain data, and give the first difference."""
    pair = Pair(decode_spec(flow))
    for wire in events:
        difference = pair.send(decode_event(wire))
        if difference is not None:
            return difference
    return None


def shrunk(difference: Difference) -> Difference:
    """Leave out of flow and events whatever the difference does not need."""
    smaller = _smaller_difference(difference)
    return difference if smaller is None else shrunk(smaller)


def _smaller_difference(difference: Difference) -> Difference | None:
    document = {"events": list(difference.events), "flow": difference.flow}
    for candidate in smaller(document):
        try:
            found = compare(candidate["flow"], candidate["events"])
        except (ConductorError, KeyError):
            continue
        if found is not None:
            return found
    return None


def smaller(document: Any) -> Iterator[Any]:
    """The document with one part left out, large parts first, the last one first."""
    if isinstance(document, dict):
        yield from ({k: v for k, v in document.items() if k != key} for key in document)
        for key, value in document.items():
            yield from ({**document, key: less} for less in smaller(value))
    elif isinstance(document, list):
        for index in reversed(range(len(document))):
            yield document[:index] + document[index + 1 :]
        for index, value in enumerate(document):
            yield from (
                [*document[:index], less, *document[index + 1 :]] for less in smaller(value)
            )


def difference_kind(event: Event) -> str:
    """The wire name of an event."""
    return str(encode_event(event)["type"])


def main(arguments: list[str] | None = None) -> int:
    """Play random flows until so many events were compared; 1 when the two ever differ."""
    parser = argparse.ArgumentParser(prog="python -m property_tests.differential")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--flow", type=int, default=0, help="start with the flow of this number")
    options = parser.parse_args(arguments)
    tally = Tally()
    for number in count(options.flow):
        if tally.total >= options.events:
            break
        difference = play(random.Random(f"{options.seed}/{number}").randrange, tally)
        if difference is not None:
            print(f"flow {number} of seed {options.seed}:\n{shrunk(difference)}")
            return 1
    print(*tally.lines(), sep="\n")
    print(f"{tally.total:,} events, seed {options.seed}: no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
