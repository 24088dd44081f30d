"""Small flows that are played, so that every example of an event counts in one of them.

Rule: an example is never made up by itself; of all accepted events, or commands, of its kind
in these stories it is the one that says most.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, TypeAlias

from conductor_core import (
    ApprovalSpec,
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    Transition,
    codec,
    events,
    initial_state,
    reduce,
)
from conductor_core.events import Event
from conductor_core.payload import freeze
from docs.generating.markdown import as_json

Story: TypeAlias = tuple[FlowSpec, str, tuple[Event, ...]]

_SMOKE: Final = GroupSpec(key="smoke", steps=[StepSpec(key="smoke")])
_NETWORK: Final = GroupSpec(
    key="network",
    steps=[
        StepSpec(key="plan", approval=ApprovalSpec(required=1, timeout_ms=86_400_000)),
        StepSpec(
            key="apply",
            input=freeze({"region": "eu-1"}),
            needs=["plan"],
            timeout_ms=600_000,
            retry=RetryPolicy(max_auto_retries=1, backoff_ms=[30_000], jitter=False),
        ),
    ],
)
_DEPLOY: Final = FlowSpec(type="deploy", groups=[_NETWORK])
_HANGING: Final = events.StepError(message="the API timed out", type="timeout")
_FAILED: Final = events.StepError(message="quota used up", type="quota", non_retryable=True)

_RETRIED: Final[tuple[Event, ...]] = (
    events.FlowStarted(at_ms=0),
    events.StepStarted(at_ms=20, attempt="plan#1"),
    events.StepFinished(
        at_ms=5_000,
        attempt="plan#1",
        outcome="succeeded",
        output=freeze({"add": 3}),
        noop=False,
        policy=events.PolicyReport(warn_violations=["no tags"], passed_policy_ids=["regions"]),
        subject="sha256:71c9b2cd",
    ),
    events.ApprovalOptionChanged(at_ms=6_000, option="approve-all", by="bo"),
    events.StepFinished(at_ms=90_000, attempt="apply#1", outcome="failed", error=_HANGING),
    events.PauseRequested(at_ms=91_000, by="ana"),
    events.RetryNowRequested(at_ms=92_000, step="apply", by="ana", request_id="r-92"),
    events.ResumeRequested(at_ms=93_000, by="ana"),
    events.StepFinished(at_ms=180_000, attempt="apply#2", outcome="failed", error=_FAILED),
    events.RerunRequested(
        at_ms=200_000, by="ana", flow_id="deploy-42", step_id="apply#2", request_id="r-200"
    ),
    events.AppendRequested(at_ms=210_000, by="bo", groups=[_SMOKE]),
    events.ContinueAsNewSuggested(at_ms=220_000, incarnation=0),
    events.StepFinished(at_ms=230_000, attempt="apply#3", outcome="succeeded"),
    events.ContinuedAsNew(at_ms=230_010, incarnation=0),
    events.StepFinished(at_ms=240_000, attempt="smoke#1", outcome="failed", error=_FAILED),
    events.GroupRetryRequested(at_ms=250_000, group="smoke", by="ana"),
    events.CancelRequested(at_ms=260_000, by="bo", reason="the window closes"),
    events.TimerFired(at_ms=290_000, timer="cancel"),
)
_APPROVED: Final[tuple[Event, ...]] = (
    *_RETRIED[:3],
    events.ApprovalResponded(
        at_ms=60_000,
        step="plan",
        response="approve",
        by="ana",
        note="as discussed",
        subject="sha256:71c9b2cd",
    ),
)
_GENERATED: Final[tuple[Event, ...]] = (
    events.FlowStarted(at_ms=0),
    events.GroupsGenerated(at_ms=300, groups=[_SMOKE], complete=False),
    events.GenerationFailed(at_ms=400, error=_FAILED),
)
STORIES: Final[tuple[Story, ...]] = (
    (_DEPLOY, "deploy-42", _APPROVED),
    (_DEPLOY, "deploy-42", _RETRIED),
    (
        FlowSpec(type="tests", options=FlowOptions(), metadata=freeze({"suite": "nightly"})),
        "tests-7",
        _GENERATED,
    ),
)


def played(story: Story) -> Iterator[tuple[Event, Transition]]:
    """Every event of a story, and what became of it."""
    spec, flow_id, history = story
    state = initial_state(spec, flow_id)
    for event in history:
        transition = reduce(state, event)
        state = transition.state
        yield event, transition


@cache
def examples() -> dict[type[Any], dict[str, Any]]:
    """Of each kind of events and commands the longest in wire form."""
    found: dict[type[Any], dict[str, Any]] = {}
    for story in STORIES:
        for event, transition in played(story):
            _keep(found, type(event), codec.encode_event(event))
            for command in transition.commands:
                _keep(found, type(command), codec.encode_command(command))
    return found


def _keep(found: dict[type[Any], dict[str, Any]], kind: type[Any], form: dict[str, Any]) -> None:
    """Keep a form that says more than the one that is known."""
    if len(as_json(form)) > len(as_json(found.get(kind, {}))):
        found[kind] = form
