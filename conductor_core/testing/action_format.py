"""Actions as they are written: what people and the world do in a scenario.

Rule: an action that sends one event is a row of a table: the event, the field that a bare
value fills, and the fields that a mapping may give, under the names they have in a file.
The other actions have a small reader each. An action has exactly one key of either kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import frozen

from conductor_core import codec, events
from conductor_core.errors import FormatError
from conductor_core.testing import closed
from conductor_core.testing.answer_format import (
    decode_failed_generation,
    decode_finish,
    decode_generated,
)
from conductor_core.testing.expectation_format import decode_expectation
from conductor_core.testing.scenarios import (
    Action,
    Advance,
    Deed,
    Send,
    Snapshot,
    StayPending,
    TellContinueAsNew,
)

OPERATOR: Final = "operator"


@frozen
class Field:
    """A field of an event; `of` is its name in the event."""

    of: str
    reader: closed.Reader[object] = closed.text


@frozen(kw_only=True)
class Form:
    """How an action that sends one event is written.

    `bare` is the field that a bare text fills. `named` are the fields that a mapping may
    give and `required` those that it must; without any the action is never a mapping.
    `given` is what the action itself says.
    """

    event: type[events.Event]
    bare: str | None = None
    named: Mapping[str, Field] = {}
    required: tuple[str, ...] = ()
    given: Mapping[str, object] = {}


_maybe: Final = closed.optional(closed.text)
_answer: Final = {
    "step": Field("step"),
    "by": Field("by"),
    "note": Field("note", _maybe),
    "subject": Field("subject", _maybe),
}


def _responds(response: str) -> Form:
    """The form of an action that gives one response to an approval."""
    return Form(
        event=events.ApprovalResponded,
        bare="step",
        named=_answer,
        required=("step",),
        given={"response": response, "by": OPERATOR},
    )


def _reruns(operation: str) -> Form:
    """The form of an action that asks for the plain rerun of a step."""
    given = {"operation": operation, "by": OPERATOR}
    return Form(event=events.RerunRequested, bare="step_id", given=given)


def _names(event: type[events.Event], bare: str) -> Form:
    """The form of another request that only names what it is about."""
    return Form(event=event, bare=bare, given={"by": OPERATOR})


def _asks(event: type[events.Event], named: Mapping[str, Field], *required: str) -> Form:
    """The form of another request that is written as a mapping."""
    named = {**named, "by": Field("by")}
    return Form(event=event, named=named, required=required, given={"by": OPERATOR})


FORMS: Final[Mapping[str, Form]] = {
    "approve": _responds("approve"),
    "deny": _responds("deny"),
    "skip-current": _responds("skip-current"),
    "skip-current-and-dependents": _responds("skip-current-and-dependents"),
    "retry-plan": _responds("retry"),
    "respond": _asks(
        events.ApprovalResponded, {**_answer, "response": Field("response")}, "step", "response"
    ),
    "retry": _reruns("retry-step"),
    "skip": _reruns("skip-step"),
    "rerun": _asks(
        events.RerunRequested,
        {
            "step": Field("step_id"),
            "operation": Field("operation"),
            "stale_plan": Field("stale_plan", closed.flag),
            "replan_step": Field("replan_step_id", _maybe),
            "additional_skip": Field("additional_skip_step_ids", closed.list_of(closed.text)),
            "continue_from_idx": Field("continue_from_idx", closed.count),
            "flow_id": Field("flow_id"),
        },
        "step",
    ),
    "retry-group": _names(events.GroupRetryRequested, "group"),
    "retry-now": _names(events.RetryNowRequested, "step"),
    "pause": _asks(events.PauseRequested, {}),
    "resume": _asks(events.ResumeRequested, {}),
    "approval-option": _names(events.ApprovalOptionChanged, "option"),
    "started": Form(event=events.StepStarted, bare="attempt"),
    "timer": Form(event=events.TimerFired, bare="timer"),
}
CANCEL: Final = _asks(
    events.CancelRequested,
    {name: Field(name, _maybe) for name in ("group", "step", "reason")},
)


def _cancel(data: object, path: str) -> Deed:
    """Read a cancel, of the flow or by one of its groups or steps."""
    event = _event(CANCEL, data, path)
    if isinstance(data, dict) and {"group", "step"} <= data.keys():
        raise FormatError(path, "expected a group or a step, got both")
    return Send(event=event)


def _append(data: object, path: str) -> Deed:
    """Read the groups to append; whether they fit is for the reducer to say."""
    groups = codec.decode_flow_groups(data, path)
    return Send(event=events.AppendRequested(at_ms=0, by=OPERATOR, groups=groups))


def _start(data: object, path: str) -> Deed:
    """Read `yes` or `no`, which are texts in YAML 1.2, or true and false, as JSON has them."""
    if data == "yes" or data is True:
        return Send(event=events.FlowStarted(at_ms=0))
    if data == "no" or data is False:
        return StayPending()
    raise closed.wrong(path, "yes or no", data)


def _fact(data: object, path: str) -> Literal["suggest", "continued"]:
    if data == "suggest":
        return "suggest"
    if data == "continued":
        return "continued"
    raise closed.wrong(path, "suggest or continued", data)


def _continue_as_new(data: object, path: str) -> Deed:
    """Read a fact about continue-as-new, alone or with the incarnation that it is for."""
    if not isinstance(data, dict):
        return TellContinueAsNew(fact=_fact(data, path))
    told = closed.record(data, path, ("fact", "incarnation"), required=("fact",))
    return TellContinueAsNew(
        fact=told.read("fact", _fact),
        incarnation=told.read("incarnation", closed.optional(closed.count)),
    )


def _snapshot(data: object, path: str) -> Deed:
    closed.record(data, path, ())
    return Snapshot()


READERS: Final[Mapping[str, closed.Reader[Deed]]] = {
    "cancel": _cancel,
    "append": _append,
    "start": _start,
    "generated": lambda data, path: Send(event=decode_generated(data, path)),
    "generation-failed": lambda data, path: Send(event=decode_failed_generation(data, path)),
    "finish": lambda data, path: Send(event=decode_finish(data, path)),
    "advance": lambda data, path: Advance(ms=closed.count(data, path)),
    "continue-as-new": _continue_as_new,
    "snapshot": _snapshot,
}
NAMES: Final = (*FORMS, *READERS)


def decode_action(data: object, path: str, flow_id: str) -> Action:
    """Read one action; a rerun is for the flow itself unless it names another."""
    action = closed.record(data, path, (*NAMES, "expect", "check"))
    named = [name for name in NAMES if name in action]
    if len(named) != 1:
        raise FormatError(path, f"expected one action, got {' and '.join(named) or 'none'}")
    name = named[0]
    deed = _deed(name, action.given[name], closed.child(path, name), flow_id)
    return Action(
        deed=deed,
        expect=_verdict(action, deed),
        check=action.read("check", decode_expectation, default={}),
    )


def _verdict(action: closed.Record, deed: Deed) -> str | None:
    """Read the verdict that an action expects, which is accepted unless it says otherwise."""
    if isinstance(deed, Send | TellContinueAsNew):
        return action.read("expect", _verdict_text, default="accepted")
    if "expect" in action:
        raise FormatError(closed.child(action.path, "expect"), "there is no verdict to expect")
    return None


def _verdict_text(data: object, path: str) -> str:
    """Read a verdict as the text of one."""
    if data == "accepted":
        return "accepted"
    if not isinstance(data, dict) or len(data) != 1:
        raise closed.wrong(path, "accepted, {rejected: code} or {ignored: reason}", data)
    verdict = closed.record(data, path, ("rejected", "ignored"))
    (kind,) = verdict.given
    return f"{kind}({verdict.read(kind, closed.name)})"


def _deed(name: str, data: object, path: str, flow_id: str) -> Deed:
    """Read what an action does."""
    if name in READERS:
        return READERS[name](data, path)
    form = FORMS[name]
    # A rerun names its flow, so that one for another flow can be refused (S10.1).
    given = {"flow_id": flow_id} if form.event is events.RerunRequested else {}
    return Send(event=_event(form, data, path, **given))


def _event(form: Form, data: object, path: str, **given: object) -> events.Event:
    """Read the event of an action that sends one."""
    values: dict[str, Any] = {"at_ms": 0, **form.given, **given}
    if form.bare is not None and not (form.named and isinstance(data, dict)):
        values[form.bare] = closed.text(data, path)
    else:
        fields = closed.record(data, path, form.named, required=form.required)
        for key in fields.given:
            field = form.named[key]
            values[field.of] = fields.read(key, field.reader)
    return form.event(**values)
