"""Whether a recorded flow would behave the same today: by other semantics, or with another spec.

Rule: the recorded events are played again and nothing else is; only what a host would see
counts, which is the verdict of every event and the commands that follow. Two flows that are
built differently and never show it are the same, and of a rejection the code counts, not its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from attrs import frozen

from conductor_core import semantics
from conductor_core.codec import encode_command, encode_event, encode_verdict
from conductor_core.commands import Command
from conductor_core.differences import differences
from conductor_core.errors import ConductorError
from conductor_core.events import Event
from conductor_core.lines import described
from conductor_core.log import Header, Played
from conductor_core.reducer import Transition
from conductor_core.semantics import Reducer
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState, initial_state
from conductor_core.verdicts import Rejected, Verdict

WORDS: Final = ("recorded", "now")
TOLD: Final = 10
"""So many differences of one entry are told."""
STEPS_TOLD: Final = 5
"""So many steps that one of two flows lacks are named, the others counted."""
NAMING: Final = ("attempt", "timer", "attempts")
"""The fields that tell a command from others of its type."""


@frozen(kw_only=True)
class Against:
    """What a log is held against; what is None is that of the log itself."""

    spec: FlowSpec | None = None
    semantics: int | None = None

    def begin(self, header: Header) -> tuple[FlowState, Reducer]:
        """Where the flow of a log begins here, and what plays it."""
        number = header.semantics if self.semantics is None else self.semantics
        spec = header.spec if self.spec is None else self.spec
        return initial_state(spec, header.flow_id), reducer_of(number)


@frozen
class Behaviour:
    """What a host sees of a transition."""

    verdict: Verdict
    commands: tuple[Command, ...]


@frozen(kw_only=True)
class Departure:
    """The first entry at which a flow behaves otherwise than was recorded.

    `gone` are the steps that the flow had then and has not now, `added` those that it has now.
    """

    seq: int
    event: Event
    recorded: Behaviour
    now: Behaviour
    gone: tuple[str, ...]
    added: tuple[str, ...]


def reducer_of(number: int) -> Reducer:
    """The reducer of a number; raises ConductorError for one that nobody knows."""
    known = semantics.REDUCERS
    if number not in known:
        told = " or ".join(map(str, sorted(known)))
        raise ConductorError(f"unknown semantics {number}, expected {told}")
    return known[number]


def departure_of(entries: Iterable[Played], state: FlowState, reduce: Reducer) -> Departure | None:
    """Play the events of a log from a state on, until one of them leads elsewhere."""
    for played in entries:
        transition = reduce(state, played.event)
        if not _alike(played.transition, transition):
            return _departure(played, transition)
        state = transition.state
    return None


def _departure(played: Played, now: Transition) -> Departure:
    before, after = _steps(played.transition.state), _steps(now.state)
    return Departure(
        seq=played.seq,
        event=played.event,
        recorded=_behaviour(played.transition),
        now=_behaviour(now),
        gone=tuple(key for key in before if key not in after),
        added=tuple(key for key in after if key not in before),
    )


def _steps(state: FlowState) -> dict[str, None]:
    """The keys of all steps of a flow, in their order."""
    return {step.key: None for group in state.catalog.groups for step in group.steps}


def _alike(recorded: Transition, now: Transition) -> bool:
    """Whether a host would see the same."""
    # As text a rejection is its code.
    return str(recorded.verdict) == str(now.verdict) and recorded.commands == now.commands


def _behaviour(transition: Transition) -> Behaviour:
    return Behaviour(transition.verdict, transition.commands)


# --- for people ---


def told_departure(departure: Departure) -> Iterator[str]:
    """Say on which event a flow behaves otherwise, and how; the differences are indented."""
    yield f"on {described(departure.event)}"
    told = _differences(departure.recorded, departure.now)
    yield from (f"  {line}" for line in islice(told, TOLD))
    if next(told, None) is not None:
        yield "  and more"
    yield from _told_steps("the flow no longer has", departure.gone)
    yield from _told_steps("the flow now has", departure.added)


def _told_steps(what: str, keys: tuple[str, ...]) -> Iterator[str]:
    if keys:
        more = f" and {len(keys) - STEPS_TOLD:,} more" if len(keys) > STEPS_TOLD else ""
        yield f"{what} {'step' if len(keys) == 1 else 'steps'} {', '.join(keys[:STEPS_TOLD])}{more}"


def _differences(recorded: Behaviour, now: Behaviour) -> Iterator[str]:
    if str(recorded.verdict) != str(now.verdict):
        yield f"verdict: {WORDS[0]} {_told(recorded.verdict)}, {WORDS[1]} {_told(now.verdict)}"
    before, after = _named(recorded.commands), _named(now.commands)
    yield from (f"no longer: {name}" for name in before if name not in after)
    yield from (f"new: {name}" for name in after if name not in before)
    for name in before:
        if name in after:
            told = differences(before[name], after[name], words=WORDS)
            yield from (f"{name}: {difference}" for difference in told)
    if [*before] != [*after] and before.keys() == after.keys():
        orders = (", ".join(names) for names in (before, after))
        yield f"order: {WORDS[0]} {next(orders)}; {WORDS[1]} {next(orders)}"


def _told(verdict: Verdict) -> str:
    """A verdict, with what a rejection says to the person."""
    message = verdict.message if isinstance(verdict, Rejected) else ""
    return f"{verdict} ({message})" if message else str(verdict)


def _named(commands: Iterable[Command]) -> Mapping[str, dict[str, Any]]:
    """Commands as data, by what tells them from each other."""
    named: dict[str, dict[str, Any]] = {}
    for command in commands:
        data = encode_command(command)
        names = [data[field] for field in NAMING if field in data]
        flat = [name if isinstance(name, str) else " ".join(name) for name in names]
        name = " ".join([data["type"], *flat])
        while name in named:
            name += " again"
        named[name] = data
    return named


# --- for programs ---


def departure_as_data(departure: Departure) -> dict[str, Any]:
    """The same as data: the event, and what became of it then and now."""
    return {
        "entry": departure.seq,
        "event": encode_event(departure.event),
        "recorded": _as_data(departure.recorded),
        "now": _as_data(departure.now),
        "differences": [*_differences(departure.recorded, departure.now)],
        "gone": list(departure.gone),
        "added": list(departure.added),
    }


def _as_data(behaviour: Behaviour) -> dict[str, Any]:
    return {
        "verdict": encode_verdict(behaviour.verdict),
        "commands": [encode_command(command) for command in behaviour.commands],
    }
