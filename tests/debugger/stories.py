"""Recordings that the tests of the debugger's page look at."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from conductor_adapters.debugger.recording import Recording, record
from conductor_core import (
    ApprovalSpec,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
    events,
)
from conductor_core.events import Event, StepError
from conductor_core.testing.brief import START, failed, group, succeeded
from tests.debugger import recordings

PLAN: Final = StepSpec(
    key="plan", approval=ApprovalSpec(required=2, approvers=["ana", "bo"], skip_scope="step")
)
SHAKY: Final = RetryPolicy(max_auto_retries=1, backoff_ms=[1000], jitter=False)
DEPLOY: Final = FlowSpec(
    type="deploy",
    groups=[
        group("network", PLAN, StepSpec(key="apply", needs=["plan"], retry=SHAKY)),
        group("services", "api", "web", "db", parallel=True, max_parallel=2),
        group("smoke", StepSpec(key="smoke", needs=["api", "apply"])),
    ],
)
MORE: Final = GroupSpec(key="more", name="One more", steps=[StepSpec(key="mail")])


def answer(by: str, response: str = "approve", note: str | None = None) -> Event:
    """What somebody answers to the plan."""
    return events.ApprovalResponded(at_ms=0, step="plan", response=response, by=by, note=note)


BEFORE: Final[tuple[Event, ...]] = (
    *(START, events.StepStarted(at_ms=0, attempt="plan#1"), succeeded("plan#1")),
    *(answer("eve"), answer("ana", note="looks right"), answer("bo")),
    events.StepStarted(at_ms=0, attempt="apply#1"),
)
STORY: Final[tuple[Event, ...]] = (
    *BEFORE,
    *(failed("apply#1"), events.TimerFired(at_ms=0, timer="backoff:apply#2"), succeeded("apply#2")),
    events.AppendRequested(at_ms=0, by="bo", groups=[MORE]),
    *(succeeded("api#1"), succeeded("api#1"), failed("web#1"), succeeded("db#1")),
    events.RerunRequested(at_ms=0, by="ana", flow_id="deploy-42", step_id="web"),
    *(succeeded("web#2"), succeeded("smoke#1"), succeeded("mail#1")),
)
"""Approvals, a refusal, retries by itself and by hand, a group that comes later, a late fact."""
OTHER: Final[tuple[Event, ...]] = (
    *(*BEFORE, succeeded("apply#1"), succeeded("web#1"), succeeded("api#1")),
    events.CancelRequested(at_ms=0, by="bo", reason="too late"),
)


def log_of(spec: FlowSpec, *sent: Event, flow_id: str = "deploy-42") -> str:
    """The log of a flow to which these events happened, a second apart."""
    timed = (evolve(event, at_ms=number * 1000) for number, event in enumerate(sent, 1))
    return recordings.log_of(spec, timed, flow_id)


def recording(spec: FlowSpec, *sent: Event) -> Recording:
    """The same in memory."""
    return record("log.jsonl", log_of(spec, *sent).encode().splitlines(keepends=True))


UNTAMED: Final = (
    "</script><script>window.broken = true</script>",
    '<img src="x" onerror="window.broken = true">',
    "\u2028window.broken = true\u2029",
    "<!--<script>",
    "${window.broken = true} `{{data}}` {{scripts}}",
    "\x00\x1b[31m\u202e\u061c\u200b\u00ad\u2060\U000e0041]]> &lt;b&gt; '\"",
)


def untamed() -> Recording:
    """A flow in which everything that people and work may write is hostile."""
    steps = [StepSpec(key=f"s{n}", name=name) for n, name in enumerate(UNTAMED)]
    steps.append(StepSpec(key="constructor", approval=ApprovalSpec()))
    wild = GroupSpec(key="toString", name=UNTAMED[1], steps=steps, parallel=True)
    spec = FlowSpec(type=UNTAMED[0], groups=[wild])
    sent: list[Event] = [START]
    sent += [
        events.StepFinished(at_ms=0, attempt=f"s{n}#1", outcome="succeeded", output={name: [name]})
        for n, name in enumerate(UNTAMED[:-1])
    ]
    sent.append(succeeded("constructor#1", subject=UNTAMED[1]))
    by, note = UNTAMED[1], UNTAMED[0]
    sent.append(
        events.ApprovalResponded(at_ms=0, step="constructor", response="approve", by=by, note=note)
    )
    error = StepError(message=UNTAMED[0], type=UNTAMED[1], details=[UNTAMED[2]])
    sent.append(events.StepFinished(at_ms=0, attempt="s5#1", outcome="failed", error=error))
    return recording(spec, *sent)
