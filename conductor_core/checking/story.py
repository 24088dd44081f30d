"""A counterexample told: as an ordinary log, and as a scenario that is ready to paste.

Rule: a story is a flow and the events that befell it, in order; nothing in it is special to
the search. The log replays by itself. The scenario holds every attempt until an action ends
it, leaves every command unanswered, and expects what came of it; it stands on virtual time,
which moves only to let a plan grow stale, so that a timer that would fall due meanwhile
may tell another story than the search's, which knows no time: then there is no scenario.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, assert_never

from attrs import frozen

from conductor_core import codec, events
from conductor_core.events import Event
from conductor_core.log import LogWriter
from conductor_core.reducer import Transition, reduce
from conductor_core.spec import FlowSpec, StepSpec
from conductor_core.state import FlowState, initial_state
from conductor_core.testing.scenario_format import decode_scenarios
from conductor_core.testing.scenario_play import play_scenario
from conductor_core.testing.scenarios import FORMAT
from conductor_core.verdicts import Accepted, Ignored, Rejected, Verdict

HOLD: Final = "hold"


@frozen
class Story:
    """A flow, and the events that befell it."""

    spec: FlowSpec
    flow_id: str
    events: tuple[Event, ...]

    def transitions(self) -> Iterator[tuple[FlowState, Event, Transition]]:
        """Each event with the state before it and what became of it."""
        state = initial_state(self.spec, self.flow_id)
        for event in self.events:
            after = reduce(state, event)
            yield state, event, after
            state = after.state

    @property
    def state(self) -> FlowState:
        """Where it ends."""
        state = initial_state(self.spec, self.flow_id)
        for _, _, after in self.transitions():
            state = after.state
        return state

    def log(self) -> str:
        """The story as a log, which `replay` verifies."""
        writer = LogWriter(initial_state(self.spec, self.flow_id), at_ms=0)
        lines = [writer.entry(event, after) for _, event, after in self.transitions()]
        return writer.header() + "".join(lines)

    def scenario(self, name: str) -> dict[str, Any] | None:
        """The story as the decoded data of a scenario file, if virtual time can tell it."""
        data = {"format": FORMAT, "scenarios": [_scenario(self, name)]}
        (scenario,) = decode_scenarios(data)
        return None if play_scenario(scenario) else data

    def __str__(self) -> str:
        told = [f"{told_event(event)}: {after.verdict}" for _, event, after in self.transitions()]
        return "\n".join(told)


def told_event(event: Event) -> str:
    """An event in a few words: its tag, and what it says beside its time."""
    wire = codec.encode_event(event)
    said = [f"{key}={value}" for key, value in wire.items() if key not in ("type", "at_ms")]
    return " ".join([wire["type"], *said])


# --- scenarios ---


def _scenario(story: Story, name: str) -> dict[str, Any]:
    """One scenario: nothing is answered by itself, so that every event is an action."""
    actions = list(_actions(story))
    keys = sorted({step.key for step in _steps(story)})
    scenario: dict[str, Any] = {
        "name": name,
        "flow": _flow(story.spec),
        "flow_id": story.flow_id,
        "work": {key: [HOLD] for key in keys},
        "ignores_cancel": keys,
        "hold_continue_as_new": True,
        "do": [{"start": False}, *actions],
        "expect": _expectation(story.state),
    }
    return scenario


def _steps(story: Story) -> Iterator[StepSpec]:
    """Every step that the story ever speaks of."""
    yield from (step for group in story.spec.groups for step in group.steps)
    for event in story.events:
        if isinstance(event, events.GroupsGenerated | events.AppendRequested):
            yield from (step for group in event.groups for step in group.steps)


def _expectation(state: FlowState) -> dict[str, Any]:
    """What came of it in the end."""
    expected: dict[str, Any] = {"flow": state.status}
    attempts = {attempt.id: attempt.status.value for attempt in state.attempts()}
    if attempts:
        expected["steps"] = attempts
    if state.outcome is not None:
        expected["reason"] = state.outcome.reason
    return expected


def _actions(story: Story) -> Iterator[dict[str, Any]]:
    """Every event as an action, and the time that must pass before it."""
    now_ms = 0
    for _, event, after in story.transitions():
        if event.at_ms > now_ms:
            yield {"advance": event.at_ms - now_ms}
            now_ms = event.at_ms
        action = _action(event)
        verdict = _expected(after.verdict)
        yield action if verdict is None else {**action, "expect": verdict}


def _expected(verdict: Verdict) -> dict[str, str] | None:
    match verdict:
        case Accepted():
            return None
        case Ignored(reason=reason):
            return {"ignored": reason}
        case Rejected(code=code):
            return {"rejected": code}
        case _:
            assert_never(verdict)


def _action(event: Event) -> dict[str, Any]:
    """The action that sends an event of a search; the `operator` asks where people do."""
    match event:
        case events.FlowStarted():
            return {"start": True}
        case events.StepFinished():
            wire = codec.encode_event(event)
            return {"finish": {key: wire[key] for key in wire if key not in ("type", "at_ms")}}
        case events.StepStarted():
            return {"started": event.attempt}
        case events.TimerFired():
            return {"timer": event.timer}
        case events.GroupsGenerated():
            groups = codec.encode_groups(event.groups)
            return {"generated": {"groups": groups, "complete": event.complete}}
        case events.GenerationFailed():
            return {"generation-failed": event.error.message}
        case events.ContinueAsNewSuggested():
            return {"continue-as-new": {"fact": "suggest", "incarnation": event.incarnation}}
        case events.ContinuedAsNew():
            return {"continue-as-new": {"fact": "continued", "incarnation": event.incarnation}}
        case events.ApprovalResponded():
            fields = {"step": event.step, "response": event.response, "by": event.by}
            return {"respond": {**fields, "subject": event.subject}}
        case events.ApprovalOptionChanged():
            return {"approval-option": event.option}
        case events.CancelRequested():
            return {"cancel": {}}
        case events.RerunRequested():
            return {"rerun": {"step": event.step_id, "operation": event.operation}}
        case events.GroupRetryRequested():
            return {"retry-group": event.group}
        case events.RetryNowRequested():
            return {"retry-now": event.step}
        case events.PauseRequested():
            return {"pause": {}}
        case events.ResumeRequested():
            return {"resume": {}}
        case events.AppendRequested():
            return {"append": codec.encode_groups(event.groups)}
        case _:
            assert_never(event)


def _flow(spec: FlowSpec) -> dict[str, Any]:
    """The flow in the form of a flow file, which calls its type `flow`."""
    wire = codec.encode_spec(spec)
    return {"flow": wire.pop("type"), **wire} if "type" in wire else wire
