"""Scenario files (`conductor-scenario/1`), read from decoded YAML or JSON.

Rule: the format is closed. An unknown or missing key, a wrong type, a bad reference or an
unknown format is a FormatError with its path; nothing is guessed and nothing is evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conductor_core import codec
from conductor_core.errors import FormatError, Problem, SpecError
from conductor_core.events import AppendRequested, GroupsGenerated
from conductor_core.records import PROBLEMS
from conductor_core.spec import FlowSpec, GroupSpec, flow_id_problems
from conductor_core.testing import closed
from conductor_core.testing.action_format import decode_action
from conductor_core.testing.answer_format import decode_entry, decode_generate
from conductor_core.testing.expectation_format import decode_expectation
from conductor_core.testing.scenarios import (
    FORMAT,
    Action,
    Scenario,
    Script,
    Send,
    StayPending,
)

KEYS: Final = (
    *("name", "spec", "flow", "flow_id", "work", "generate", "ignores_cancel"),
    *("hold_continue_as_new", "do", "expect"),
)


def decode_scenarios(data: object) -> tuple[Scenario, ...]:
    """Read the scenarios of a file."""
    keys = ("format", "scenarios")
    # The format comes first: what another version allows is not for this one to judge.
    found = closed.mapping(data, "").get("format", FORMAT)
    if found != FORMAT:
        raise closed.wrong("format", f"the format {FORMAT!r}", found)
    return closed.record(data, "", keys, required=keys).read("scenarios", _scenarios)


def _scenarios(data: object, path: str) -> tuple[Scenario, ...]:
    """Read every scenario, or tell what is wrong with each of them."""
    scenarios: list[Scenario] = []
    problems: list[Problem] = []
    for place, item in closed.items(data, path):
        try:
            scenarios.append(_scenario(item, place))
        except FormatError as error:
            problems += error.problems
        if len(problems) >= PROBLEMS:
            break
    if problems:
        raise FormatError.of(problems)
    return tuple(scenarios)


def _scenario(data: object, path: str) -> Scenario:
    """Read one scenario."""
    given = closed.record(data, path, KEYS, required=("name", "flow"))
    flow_id = given.read("flow_id", _flow_id, default="flow")
    scenario = Scenario(
        name=given.read("name", closed.name),
        spec=given.read("spec", closed.text, default=""),
        flow=given.read("flow", _flow),
        flow_id=flow_id,
        work=given.read("work", _work, default={}),
        generate=given.read("generate", decode_generate) if "generate" in given else None,
        ignores_cancel=given.read("ignores_cancel", _steps, default=[]),
        hold_continue_as_new=given.read("hold_continue_as_new", closed.flag, default=False),
        do=given.read("do", _actions_of(flow_id), default=[]),
        expect=given.read("expect", decode_expectation, default={}),
    )
    _refuse_unknown_steps(scenario, path)
    return scenario


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
    return tuple(
        Script(
            step=step,
            entries=tuple(
                decode_entry(item, place, step)
                for place, item in closed.items(entries, closed.child(path, step))
            ),
        )
        for step, entries in closed.mapping(data, path).items()
    )


def _steps(data: object, path: str) -> frozenset[str]:
    return frozenset(closed.text(item, place) for place, item in closed.items(data, path))


def _actions_of(flow_id: str) -> closed.Reader[tuple[Action, ...]]:
    """A reader of the actions on a flow."""

    def read(data: object, path: str) -> tuple[Action, ...]:
        actions: list[Action] = []
        for place, item in closed.items(data, path):
            action = decode_action(item, place, flow_id)
            if actions and isinstance(action.deed, StayPending):
                raise FormatError(place, "only the first action may keep the flow from starting")
            actions.append(action)
        return tuple(actions)

    return read


def _refuse_unknown_steps(scenario: Scenario, path: str) -> None:
    """Refuse a step that no group of the scenario declares, delivers or appends."""
    known = {step.key for group in _groups(scenario) for step in group.steps}
    for script in scenario.work:
        if script.step not in known:
            place = closed.child(closed.child(path, "work"), script.step)
            raise FormatError(place, f"unknown step {script.step!r}")
    for step in sorted(scenario.ignores_cancel - known):
        raise FormatError(closed.child(path, "ignores_cancel"), f"unknown step {step!r}")


def _groups(scenario: Scenario) -> Iterator[GroupSpec]:
    """Every group that the scenario knows of, whether or not it will ever be accepted."""
    yield from scenario.flow.groups
    sent = [action.deed.event for action in scenario.do if isinstance(action.deed, Send)]
    for event in (scenario.generate, *sent):
        if isinstance(event, GroupsGenerated | AppendRequested):
            yield from event.groups
