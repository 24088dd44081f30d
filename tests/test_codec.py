"""The wire form: one golden text for each event, command and verdict, never edited."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any, get_args

import attrs
import pytest

from conductor_core import FlowOptions, FlowSpec, codec, commands, events
from conductor_core.commands import Command, Outcome
from conductor_core.errors import FormatError, SpecError
from conductor_core.events import Event, PolicyReport, StepError
from conductor_core.payload import EMPTY, NULL, Payload, canonical_text, freeze
from conductor_core.spec import ApprovalSpec, GroupSpec, RetryPolicy, StepSpec
from conductor_core.verdicts import Accepted, Ignored, Rejected, Verdict

ERROR = StepError(
    message="boom",
    type="Timeout",
    non_retryable=True,
    terminal=True,
    retry_after_ms=5,
    details={"a": [1.0]},
    cause=StepError(message="why"),
)
POLICY = PolicyReport(
    deny_violations=("d",), warn_violations=("w",), passed_policy_ids=("p",), evaluated=False
)
GROUPS = (GroupSpec(key="g", steps=(StepSpec(key="s"),)),)
EVERY_STEP_FIELD = StepSpec(
    key="s",
    work="w",
    input={"x": 1},
    approval=ApprovalSpec(
        required=2,
        approvers=("ana", "bo"),
        timeout_ms=1,
        stale_after_ms=2,
        auto_approve_on_policy_pass=True,
        skip_scope="step",
    ),
    retry=RetryPolicy(
        max_retries=3, max_auto_retries=2, scope="group", backoff_ms=(), jitter=False
    ),
    retryable=False,
    skippable=False,
    skip_on_failure=True,
    skip_if_noop=True,
    skipped=True,
    timeout_ms=9,
    needs=("r",),
    on_recovery="fail",
    name="S",
    metadata={"queue": "q"},
)
EVERY_GROUP_FIELD = GroupSpec(
    key="g",
    steps=(EVERY_STEP_FIELD,),
    parallel=True,
    max_parallel=4,
    fail_fast=True,
    name="G",
    metadata={"owner": "o"},
)

GOLDEN_EVENTS: list[tuple[Event, str]] = [
    (
        events.FlowStarted(at_ms=0),
        '{"at_ms":0,"type":"flow-started"}',
    ),
    (
        events.GroupsGenerated(at_ms=1, groups=GROUPS),
        '{"at_ms":1,"groups":[{"key":"g","steps":[{"key":"s"}]}],"type":"groups-generated"}',
    ),
    (
        events.GroupsGenerated(at_ms=1, complete=False),
        '{"at_ms":1,"complete":false,"type":"groups-generated"}',
    ),
    (
        events.GenerationFailed(at_ms=1, error=StepError(message="boom")),
        '{"at_ms":1,"error":{"message":"boom"},"type":"generation-failed"}',
    ),
    (
        events.StepStarted(at_ms=-2, attempt="a#1"),
        '{"at_ms":-2,"attempt":"a#1","type":"step-started"}',
    ),
    (
        events.StepFinished(at_ms=3, attempt="a#1", outcome="succeeded"),
        '{"at_ms":3,"attempt":"a#1","outcome":"succeeded","type":"step-finished"}',
    ),
    (
        events.StepFinished(
            at_ms=3,
            attempt="a#1",
            outcome="failed",
            directive="retry",
            output=[1],
            error=ERROR,
            noop=True,
            policy=POLICY,
            subject="v1",
            metadata={"b": None},
        ),
        (
            '{"at_ms":3,"attempt":"a#1","directive":"retry","error":{"cause":{"message":"why"},'
            '"details":{"a":[1.0]},"message":"boom","non_retryable":true,"retry_after_ms":5,'
            '"terminal":true,"type":"Timeout"},"metadata":{"b":null},"noop":true,"outcome":"failed",'
            '"output":[1],"policy":{"deny_violations":["d"],"evaluated":false,'
            '"passed_policy_ids":["p"],"warn_violations":["w"]},"subject":"v1","type":"step-finished"}'
        ),
    ),
    (
        events.TimerFired(at_ms=4, timer="timeout:a#1"),
        '{"at_ms":4,"timer":"timeout:a#1","type":"timer-fired"}',
    ),
    (
        events.ContinueAsNewSuggested(at_ms=5, incarnation=0),
        '{"at_ms":5,"incarnation":0,"type":"continue-as-new-suggested"}',
    ),
    (
        events.ContinuedAsNew(at_ms=5, incarnation=1),
        '{"at_ms":5,"incarnation":1,"type":"continued-as-new"}',
    ),
    (
        events.ApprovalResponded(
            at_ms=6,
            step="a",
            response="approve",
            by="ana",
            note="ok",
            subject="v1",
            request_id="r1",
        ),
        (
            '{"at_ms":6,"by":"ana","note":"ok","request_id":"r1","response":"approve","step":"a",'
            '"subject":"v1","type":"approval-responded"}'
        ),
    ),
    (
        events.ApprovalOptionChanged(at_ms=7, option="approve-all", by="ana"),
        '{"at_ms":7,"by":"ana","option":"approve-all","type":"approval-option-changed"}',
    ),
    (
        events.CancelRequested(at_ms=8, by="ana", group="g", step="s", reason="late"),
        '{"at_ms":8,"by":"ana","group":"g","reason":"late","step":"s","type":"cancel-requested"}',
    ),
    (
        events.RerunRequested(at_ms=9, by="ana", flow_id="f", step_id="a"),
        '{"at_ms":9,"by":"ana","flow_id":"f","step_id":"a","type":"rerun-requested"}',
    ),
    (
        events.RerunRequested(
            at_ms=9,
            by="ana",
            flow_id="f",
            step_id="a",
            operation="skip-step",
            stale_plan=True,
            replan_step_id="p",
            continue_from_idx=2,
            additional_skip_step_ids=("b",),
        ),
        (
            '{"additional_skip_step_ids":["b"],"at_ms":9,"by":"ana","continue_from_idx":2,'
            '"flow_id":"f","operation":"skip-step","replan_step_id":"p","stale_plan":true,'
            '"step_id":"a","type":"rerun-requested"}'
        ),
    ),
    (
        events.GroupRetryRequested(at_ms=10, group="g", by="ana"),
        '{"at_ms":10,"by":"ana","group":"g","type":"group-retry-requested"}',
    ),
    (
        events.RetryNowRequested(at_ms=11, step="a", by="ana"),
        '{"at_ms":11,"by":"ana","step":"a","type":"retry-now-requested"}',
    ),
    (
        events.PauseRequested(at_ms=12, by="ana"),
        '{"at_ms":12,"by":"ana","type":"pause-requested"}',
    ),
    (
        events.ResumeRequested(at_ms=13, by="ana"),
        '{"at_ms":13,"by":"ana","type":"resume-requested"}',
    ),
    (
        events.AppendRequested(at_ms=14, by="ana", groups=GROUPS),
        (
            '{"at_ms":14,"by":"ana","groups":[{"key":"g","steps":[{"key":"s"}]}],'
            '"type":"append-requested"}'
        ),
    ),
]

DISPATCH = commands.DispatchStep(
    attempt="a#1",
    work="shell",
    input=freeze({"run": "make"}),
    outputs=freeze({"p": None}),
    subjects=EMPTY,
    idempotency_key="f/a#1",
    retry=0,
    generation=1,
    timeout_ms=None,
)
GOLDEN_COMMANDS: list[tuple[Command, str]] = [
    (
        DISPATCH,
        (
            '{"attempt":"a#1","generation":1,"idempotency_key":"f/a#1","input":{"run":"make"},'
            '"outputs":{"p":null},"retry":0,"subjects":{},"timeout_ms":null,"type":"dispatch-step",'
            '"work":"shell"}'
        ),
    ),
    (
        commands.RequestApproval(
            attempt="a#1", subject="v1", required=2, approvers=("ana", "bo"), expires_at_ms=9
        ),
        (
            '{"approvers":["ana","bo"],"attempt":"a#1","expires_at_ms":9,"required":2,'
            '"subject":"v1","type":"request-approval"}'
        ),
    ),
    (
        commands.RequestApproval(
            attempt="a#1", subject=None, required=1, approvers=None, expires_at_ms=None
        ),
        (
            '{"approvers":null,"attempt":"a#1","expires_at_ms":null,"required":1,"subject":null,'
            '"type":"request-approval"}'
        ),
    ),
    (
        commands.CancelFutures(attempts=("a#1", "b#2")),
        '{"attempts":["a#1","b#2"],"type":"cancel-futures"}',
    ),
    (
        commands.ScheduleTimer(timer="cancel", due_at_ms=9, delay_ms=4),
        '{"delay_ms":4,"due_at_ms":9,"timer":"cancel","type":"schedule-timer"}',
    ),
    (
        commands.CancelTimer(timer="cancel"),
        '{"timer":"cancel","type":"cancel-timer"}',
    ),
    (
        commands.GenerateSteps(flow_id="f", flow_type="deploy", metadata=NULL, run=1),
        '{"flow_id":"f","flow_type":"deploy","metadata":null,"run":1,"type":"generate-steps"}',
    ),
    (
        commands.ContinueAsNew(start_from_group_idx=1, incarnation=0),
        '{"incarnation":0,"start_from_group_idx":1,"type":"continue-as-new"}',
    ),
    (
        commands.FinishFlow(outcome=Outcome(status="success"), run=1),
        '{"outcome":{"status":"success"},"run":1,"type":"finish-flow"}',
    ),
    (
        commands.FinishFlow(
            outcome=Outcome(
                status="error", reason="failed", step="a#1", message="m", retries_exhausted=True
            ),
            run=2,
        ),
        (
            '{"outcome":{"message":"m","reason":"failed","retries_exhausted":true,"status":"error",'
            '"step":"a#1"},"run":2,"type":"finish-flow"}'
        ),
    ),
]
GOLDEN_VERDICTS: list[tuple[Verdict, str]] = [
    (Accepted(), '"accepted"'),
    (Ignored("stale-attempt"), '{"ignored":"stale-attempt"}'),
    (Rejected("not-failed"), '{"rejected":"not-failed"}'),
    (Rejected("not-failed", "a is fine"), '{"message":"a is fine","rejected":"not-failed"}'),
]
GOLDEN_SPECS: list[tuple[FlowSpec, str]] = [
    (FlowSpec(), "{}"),
    (
        FlowSpec(
            type="deploy",
            groups=(GroupSpec(key="f", steps=(StepSpec(key="r"),)), EVERY_GROUP_FIELD),
            options=FlowOptions(
                approval="approve-all",
                on_failure="await-retry",
                continue_as_new_every=5,
                max_parallel=6,
                cancel_grace_ms=7,
            ),
            metadata={"team": "t"},
        ),
        (
            '{"groups":[{"key":"f","steps":[{"key":"r"}]},{"fail_fast":true,"key":"g",'
            '"max_parallel":4,"metadata":{"owner":"o"},"name":"G","parallel":true,"steps":['
            '{"approval":{"approvers":["ana","bo"],"auto_approve_on_policy_pass":true,"required":2,'
            '"skip_scope":"step","stale_after_ms":2,"timeout_ms":1},"input":{"x":1},"key":"s",'
            '"metadata":{"queue":"q"},"name":"S","needs":["r"],"on_recovery":"fail","retry":'
            '{"backoff_ms":[],"jitter":false,"max_auto_retries":2,"max_retries":3,"scope":"group"},'
            '"retryable":false,"skip_if_noop":true,"skip_on_failure":true,"skippable":false,'
            '"skipped":true,"timeout_ms":9,"work":"w"}]}],"metadata":{"team":"t"},"options":'
            '{"approval":"approve-all","cancel_grace_ms":7,"continue_as_new_every":5,'
            '"max_parallel":6,"on_failure":"await-retry"},"type":"deploy"}'
        ),
    ),
]


# --- golden texts ---


@pytest.mark.parametrize(("event", "text"), GOLDEN_EVENTS, ids=lambda value: type(value).__name__)
def test_events_have_their_golden_form(event: Event, text: str) -> None:
    """An event is written as it always was, and read back from it."""
    assert canonical_text(codec.encode_event(event)) == text
    assert codec.decode_event(codec.loads(text)) == event


@pytest.mark.parametrize(
    ("command", "text"), GOLDEN_COMMANDS, ids=lambda value: type(value).__name__
)
def test_commands_have_their_golden_form(command: Command, text: str) -> None:
    """A command is written as it always was, and read back from it."""
    assert canonical_text(codec.encode_command(command)) == text
    assert codec.decode_command(codec.loads(text)) == command


@pytest.mark.parametrize(("verdict", "text"), GOLDEN_VERDICTS)
def test_verdicts_have_their_golden_form(verdict: Verdict, text: str) -> None:
    """A verdict is written as it always was, and read back from it."""
    assert canonical_text(codec.encode_verdict(verdict)) == text
    assert codec.decode_verdict(codec.loads(text)) == verdict


@pytest.mark.parametrize(("spec", "text"), GOLDEN_SPECS)
def test_specs_have_their_golden_form(spec: FlowSpec, text: str) -> None:
    """A spec is written as it always was, and read back from it; its groups alone, too."""
    data = codec.loads(text)
    assert canonical_text(codec.encode_spec(spec)) == text
    assert codec.decode_spec(data) == spec
    assert codec.encode_groups(spec.groups) == data.get("groups", [])
    assert codec.decode_groups(data.get("groups", [])) == spec.groups


def test_every_class_has_a_tag_and_a_golden_text() -> None:
    """No event and no command is without its hand-written tag, and none without a golden text."""
    assert set(codec.EVENTS.values()) == set(get_args(Event))
    assert set(codec.COMMANDS.values()) == set(get_args(Command))
    assert {type(event) for event, _ in GOLDEN_EVENTS} == set(get_args(Event))
    assert {type(command) for command, _ in GOLDEN_COMMANDS} == set(get_args(Command))


@pytest.mark.parametrize("record", [EVERY_STEP_FIELD, EVERY_STEP_FIELD.approval, EVERY_GROUP_FIELD])
def test_the_golden_texts_show_every_field(record: Any) -> None:
    """The records that stand for all fields differ from the default in each of them."""
    for name, field in attrs.fields_dict(type(record)).items():
        assert getattr(record, name) != field.default, name


# --- what is refused ---


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, "expected a mapping, got None"),
        ([], "expected a mapping, got []"),
        ({}, "missing key 'type'"),
        ({"type": None}, "type: unknown event None, expected one of flow-started, "),
        ({"type": ["flow-started"]}, "type: unknown event ['flow-started'], expected one of "),
        ({"type": "FlowStarted"}, "type: unknown event 'FlowStarted'"),
        ({"type": "dispatch-step"}, "type: unknown event 'dispatch-step'"),
        (
            {"type": "flow-startd"},
            "type: unknown event 'flow-startd' (perhaps 'flow-started'?), expected one of ",
        ),
        ({"type": "flow-started"}, "missing key 'at_ms'"),
        (
            {"type": "flow-started", "at_ms": 1, "at_m": 2},
            "at_m: unknown key 'at_m' (perhaps 'at_ms'?)",
        ),
        ({"type": "flow-started", "at_ms": 1.0}, "at_ms: expected an integer, got 1.0"),
        (
            {
                "type": "append-requested",
                "at_ms": 1,
                "by": "a",
                "groups": [{"key": "g", "steps": [{}]}],
            },
            "groups[0].steps[0]: missing key 'key'",
        ),
        (
            {
                "type": "append-requested",
                "at_ms": 1,
                "by": "a",
                "groups": [
                    {"key": "f"},
                    {"key": "g", "steps": [{"key": "s", "retry": {"backoff_ms": [1, 2, "3"]}}]},
                ],
            },
            "groups[1].steps[0].retry.backoff_ms[2]: expected an integer, got '3'",
        ),
        (
            {"type": "generation-failed", "at_ms": 1, "error": {"cause": {"cause": {"typ": "x"}}}},
            "error.cause.cause.typ: unknown key 'typ' (perhaps 'type'?)",
        ),
    ],
)
def test_a_malformed_event_is_refused(data: Any, problem: str) -> None:
    """The error names the place, the value and what was expected, from where one looks."""
    with pytest.raises(FormatError, match=f"^{re.escape(problem)}"):
        codec.decode_event(data)
    with pytest.raises(FormatError) as caught:
        codec.decode_event(data, "do[3].event")
    assert caught.value.path.startswith("do[3].event")


def test_a_malformed_command_is_refused() -> None:
    """Commands are as closed as events."""
    with pytest.raises(FormatError, match=r"^commands\[0\]\.type: unknown command 'flow-started'"):
        codec.decode_command({"type": "flow-started", "at_ms": 1}, "commands[0]")
    with pytest.raises(FormatError, match=r"^missing key 'timer'"):
        codec.decode_command({"type": "cancel-timer"})


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("rejected", "expected accepted, or a mapping with the key ignored or rejected, got"),
        ({}, "expected accepted, or a mapping"),
        (["accepted"], "expected accepted, or a mapping"),
        ({"ignored": 1}, "ignored: expected a string, got 1"),
        (
            {"ignored": "x", "message": "y"},
            "message: unknown key 'message', expected one of ignored",
        ),
        (
            {"rejected": "x", "code": "y"},
            "code: unknown key 'code', expected one of rejected, message",
        ),
    ],
)
def test_a_malformed_verdict_is_refused(data: Any, problem: str) -> None:
    """A verdict has one of three forms and nothing beside."""
    with pytest.raises(
        FormatError, match=f"^expect\\.{re.escape(problem)}|^expect: {re.escape(problem)}"
    ):
        codec.decode_verdict(data, "expect")


def test_specs_are_validated_when_they_are_read() -> None:
    """A spec of the right shape that can never run is a SpecError; the paths are the same."""
    data = {"groups": [{"key": "g", "steps": []}, {"key": "g", "steps": [{"key": "a b"}]}]}
    with pytest.raises(SpecError) as caught:
        codec.decode_spec(data, "spec")
    assert [path for path, _ in caught.value.problems] == [
        "spec.groups[0].steps",
        "spec.groups[1].key",
        "spec.groups[1].steps[0].key",
    ]
    assert len(codec.decode_groups(data["groups"])) == 2, "groups alone are the reducer's to judge"
    with pytest.raises(FormatError, match=r"^groups\[0\]: missing key 'key'"):
        codec.decode_groups([{}])


def test_what_is_no_event_is_not_written() -> None:
    """Only events and commands have a tag; a wrong type in one is found when it is written."""
    with pytest.raises(FormatError, match="expected an event or a command, got 'text'"):
        codec.encode_event("text")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(FormatError, match=r"^at_ms: expected an integer, got 1\.5"):
        codec.encode_event(events.FlowStarted(at_ms=1.5))  # type: ignore[arg-type]


def test_bottomless_errors_are_refused_both_ways() -> None:
    """What is nested without end does not exhaust the stack."""
    bottomless = Payload("[" * 100_000 + "]" * 100_000)
    data: dict[str, Any] = {}
    for _ in range(5_000):
        data = {"cause": data}
    with pytest.raises(FormatError, match="nested too deeply"):
        codec.encode_event(events.GenerationFailed(at_ms=1, error=StepError(details=bottomless)))
    with pytest.raises(FormatError, match="nested too deeply"):
        codec.decode_event({"type": "generation-failed", "at_ms": 1, "error": data})


def test_decoding_leaves_its_input_alone() -> None:
    """What was decoded can be decoded again."""
    data = {"type": "flow-started", "at_ms": 1}
    assert codec.decode_event(data) == codec.decode_event(data)
    assert data == {"type": "flow-started", "at_ms": 1}


def test_the_core_does_without_the_codec() -> None:
    """Importing the core imports neither the codec nor cattrs."""
    code = "import sys, conductor_core; print('cattrs' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_what_a_record_refuses_is_placed() -> None:
    """A rule that only the record itself knows is told with its place like any other."""
    data = {"type": "step-finished", "at_ms": 1, "attempt": "a#1", "outcome": "succeeded"}
    with pytest.raises(FormatError) as refused:
        codec.decode_event({**data, "metadata": [1]}, "event")
    assert str(refused.value) == "event.metadata: expected a mapping, got [1]"
