"""A story that a search found, told as a scenario that is ready to paste.

Rule: the scenario holds every attempt until an action ends it, leaves every command
unanswered, and expects what came of it. It stands on virtual time, in which timers fire as
soon as they are due; of a story that is no such one it fires the timers by hand, and says so
too. If what is left of time would still tell another story, there is no scenario.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, assert_never

from conductor_core import codec, events
from conductor_core.checking.story import Story
from conductor_core.checking.times import by_hand
from conductor_core.events import Event, TimerFired
from conductor_core.legality import ACCEPTED
from conductor_core.spec import FlowSpec, StepSpec
from conductor_core.state import FlowState
from conductor_core.testing.scenario_format import decode_scenarios
from conductor_core.testing.scenario_play import play_scenario
from conductor_core.testing.scenarios import FORMAT
from conductor_core.verdicts import Accepted, Ignored, Rejected, Verdict

HOLD: Final = "hold"
BY_HAND: Final = "timers fire by hand here, and not when they are due"


def scenario_of(story: Story, name: str) -> dict[str, Any] | None:
    """The story as the decoded data of a scenario file, if virtual time can tell it."""
    happened = by_hand(story.spec, story.flow_id, story.events)
    tellings = [_scenario(story, name, happened, BY_HAND)]
    if story.timing == "prompt":
        tellings.insert(0, _scenario(story, name, story.events))
    for told in tellings:
        data = {"format": FORMAT, "scenarios": [told]}
        (scenario,) = decode_scenarios(data)
        if not play_scenario(scenario):
            return data
    return None


def _scenario(
    story: Story, name: str, happened: tuple[Event, ...], remark: str = ""
) -> dict[str, Any]:
    """One scenario: nothing is answered by itself, so that every event is an action.

    Timers fire by themselves when time passes, unless a remark says that they do not.
    """
    actions = list(_actions(story, happened, timers_by_hand=bool(remark)))
    keys = sorted({step.key for step in _steps(story)})
    return {
        "name": name,
        **({"spec": remark} if _fires(actions) else {}),
        "flow": _flow(story.spec),
        "flow_id": story.flow_id,
        "work": {key: [HOLD] for key in keys},
        "ignores_cancel": keys,
        "hold_continue_as_new": True,
        "do": [{"start": False}, *actions],
        "expect": _expectation(story.state),
    }


def _fires(actions: list[dict[str, Any]]) -> bool:
    """Whether a timer is fired by hand."""
    return any("timer" in action for action in actions)


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


def _actions(
    story: Story, happened: tuple[Event, ...], *, timers_by_hand: bool
) -> Iterator[dict[str, Any]]:
    """Every event as an action, and the time that must pass before it."""
    now_ms, fired_ms = 0, -1
    for event, (_, _, after) in zip(happened, story.transitions(), strict=True):
        itself = isinstance(event, TimerFired) and after.verdict is ACCEPTED and not timers_by_hand
        if event.at_ms > now_ms or (itself and fired_ms != event.at_ms):
            yield {"advance": event.at_ms - now_ms}
            now_ms = event.at_ms
        if itself:
            fired_ms = now_ms
            continue
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
            parts = {"group": event.group, "step": event.step}
            return {"cancel": {key: name for key, name in parts.items() if name is not None}}
        case events.RerunRequested():
            return {"rerun": _rerun(event)}
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


def _rerun(event: events.RerunRequested) -> dict[str, Any]:
    """A rerun, with what it asks for beside the plain one."""
    more = {
        "stale_plan": event.stale_plan,
        "replan_step": event.replan_step_id,
        "additional_skip": list(event.additional_skip_step_ids),
        "continue_from_idx": event.continue_from_idx,
    }
    plain = {"step": event.step_id, "operation": event.operation, "flow_id": event.flow_id}
    return {**plain, **{key: value for key, value in more.items() if value}}


def _flow(spec: FlowSpec) -> dict[str, Any]:
    """The flow in the form of a flow file, which calls its type `flow`."""
    wire = codec.encode_spec(spec)
    return {"flow": wire.pop("type"), **wire} if "type" in wire else wire
