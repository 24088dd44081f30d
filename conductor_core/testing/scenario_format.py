"""Scenario files (`conductor-scenario/1`), read from decoded YAML or JSON.

Rule: the format is closed. An unknown or missing key, a wrong type, a bad reference or an
unknown format is a FormatError with its path; nothing is guessed and nothing is evaluated.
What is wrong with one part does not hide what is wrong with the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final, Literal, TypeAlias

from conductor_core import closed, codec
from conductor_core.errors import WIDTH, FormatError, Problem, SpecError, shown
from conductor_core.events import AppendRequested, Event, GroupsGenerated
from conductor_core.records import PROBLEMS
from conductor_core.spec import FlowSpec, GroupSpec, flow_id_problems
from conductor_core.testing.action_format import action_of
from conductor_core.testing.answer_format import decode_generate, entry_of
from conductor_core.testing.expectation_format import (
    Mention,
    decode_expectation,
    mentions,
    step_of,
)
from conductor_core.testing.scenarios import (
    FORMAT,
    Action,
    Scenario,
    Script,
    Send,
    StayPending,
)

GROUPS_COME_BY: Final = frozenset({"flow", "generate", "do"})
"""The keys of a scenario that tell which groups it has."""

Known: TypeAlias = Mapping[Literal["step", "group"], dict[str, None]]
"""The keys of steps and groups."""


def decode_scenarios(data: object) -> tuple[Scenario, ...]:
    """Read the scenarios of a file."""
    # The format comes first: what another version allows is not for this one to judge.
    found = closed.mapping(data, "").get("format", FORMAT)
    if found != FORMAT:
        raise closed.wrong("format", f"the format {FORMAT!r}", found)
    readers = {"format": closed.text, "scenarios": _scenarios}
    scenarios: tuple[Scenario, ...] = closed.fields(data, "", readers, readers)["scenarios"]
    return scenarios


def _scenarios(data: object, path: str) -> tuple[Scenario, ...]:
    """Read every scenario; there is at least one, and each has a name of its own."""
    taken: dict[str, str] = {}

    def read(item: object, place: str) -> Scenario:
        scenario = _scenario(item, place)
        here = closed.child(place, "name")
        first = taken.setdefault(scenario.name, here)
        if first != here:
            raise FormatError(here, f"{shown(scenario.name)} is used twice, first at {first}")
        return scenario

    scenarios = closed.list_of(read)(data, path)
    if not scenarios:
        # Nothing to play would look like success.
        raise FormatError(path, "expected at least one scenario")
    return tuple(scenarios)


def _scenario(data: object, path: str) -> Scenario:
    """Read one scenario."""
    given = closed.mapping(data, path)
    readers = {**READERS, "do": _actions_of(given)}
    values, problems = closed.sift(data, path, readers, required=("name", "flow"))
    # Which groups there are must be known before a name can be called unknown.
    if GROUPS_COME_BY & {"flow", *given} <= values.keys():
        problems += islice(_unknown_names(given, values, path), PROBLEMS)
    closed.tell(problems)
    return Scenario(**values)


def _flow_id(data: object, path: str) -> str:
    flow_id = closed.text(data, path)
    for _, problem in flow_id_problems(flow_id):
        raise FormatError(path, problem)
    return flow_id


def _flow(data: object, path: str) -> FlowSpec:
    """Read the flow; everything that makes it invalid is said at once."""
    try:
        return codec.decode_flow(data, path)
    except SpecError as error:
        raise FormatError.of(error.problems) from None


def _work(data: object, path: str) -> tuple[Script, ...]:
    """Read what the work of each step returns."""
    return tuple(closed.values_of(_script_of)(data, path))


def _script_of(step: str) -> closed.Reader[Script]:
    """A reader of what the work of one step returns."""
    read = closed.list_of(entry_of(step))
    return lambda data, path: Script(step=step, entries=tuple(read(data, path)))


def _steps(data: object, path: str) -> frozenset[str]:
    return frozenset(closed.list_of(closed.text)(data, path))


READERS: Final[Mapping[str, closed.Reader[Any]]] = {
    "name": closed.name,
    "spec": closed.text,
    "flow": _flow,
    "flow_id": _flow_id,
    "work": _work,
    "generate": decode_generate,
    "ignores_cancel": _steps,
    "hold_continue_as_new": closed.flag,
    "expect": decode_expectation,
}
"""How the parts of a scenario are read, but for `do`, whose reader knows the flow id."""


def _actions_of(scenario: Mapping[str, object]) -> closed.Reader[tuple[Action, ...]]:
    """A reader of the actions of a scenario."""
    flow_id = scenario.get("flow_id")
    action = action_of(flow_id if isinstance(flow_id, str) else "flow")

    def read(data: object, path: str) -> tuple[Action, ...]:
        actions = closed.list_of(action)(data, path)
        for index, late in enumerate(actions[1:], 1):
            if isinstance(late.deed, StayPending):
                problem = "only the first action may keep the flow from starting"
                raise FormatError(f"{path}[{index}]", problem)
        return tuple(actions)

    return read


# --- names ---


def _unknown_names(
    given: Mapping[str, Any], values: Mapping[str, Any], path: str
) -> Iterator[Problem]:
    """Name every step and group that no part of the scenario declares, delivers or appends.

    A claim may also speak of what an action names, which may be unknown on purpose; and
    where there are no groups at all, it says of any name that nothing came of it.
    """
    sent = [action.deed.event for action in values.get("do", ()) if isinstance(action.deed, Send)]
    groups = list(_groups(values, sent))
    known: Known = {
        # As dicts they keep their order, in which suggestions are made.
        "step": {step.key: None for group in groups for step in group.steps},
        "group": {group.key: None for group in groups},
    }
    spoken = {name for event in sent for name in _named(event)}
    for mention in _scripted(given, values, path):
        if mention.key not in known[mention.what]:
            yield _unknown(mention, known)
    for mention in _claimed(given, values, path):
        if groups and mention.key not in known[mention.what] and mention.key not in spoken:
            yield _unknown(mention, known)


def _groups(values: Mapping[str, Any], sent: Iterable[Event]) -> Iterator[GroupSpec]:
    """Every group that a scenario knows of, whether or not it will ever be accepted."""
    yield from values["flow"].groups
    for event in (values.get("generate"), *sent):
        if isinstance(event, GroupsGenerated | AppendRequested):
            yield from event.groups


def _named(event: Event) -> Iterator[str]:
    """The steps and the group that an event is about."""
    fields = ("step", "step_id", "replan_step_id", "attempt", "group")
    names = [getattr(event, field, None) for field in fields]
    for name in (*names, *getattr(event, "additional_skip_step_ids", ())):
        if name is not None:
            yield step_of(name)


def _scripted(given: Mapping[str, Any], values: Mapping[str, Any], path: str) -> Iterator[Mention]:
    """The steps that the world has something to play for."""
    place = closed.child(path, "work")
    for script in values.get("work", ()):
        yield Mention(closed.child(place, script.step), "step", script.step)
    if "ignores_cancel" in values:
        for place, step in closed.items(
            given["ignores_cancel"], closed.child(path, "ignores_cancel")
        ):
            yield Mention(place, "step", closed.text(step, place))


def _claimed(given: Mapping[str, Any], values: Mapping[str, Any], path: str) -> Iterator[Mention]:
    """The steps and groups that something is claimed about."""
    for place, action in closed.items(given.get("do", []), closed.child(path, "do")):
        check = closed.mapping(action, place).get("check", {})
        yield from mentions(closed.mapping(check, place), closed.child(place, "check"))
    if "expect" in values:
        yield from mentions(given["expect"], closed.child(path, "expect"))


def _unknown(mention: Mention, known: Known) -> Problem:
    """Say that there is no such thing, and which one was perhaps meant."""
    # No key is that long, and a long text is dear to compare.
    word = mention.key[:WIDTH]
    close = get_close_matches(word, known[mention.what], n=1)
    meant = f" (perhaps {close[0]!r}?)" if close else ""
    return mention.path, f"unknown {mention.what} {shown(mention.key)}{meant}"
