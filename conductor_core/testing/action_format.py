"""Actions as they are written: what people and the world do in a scenario.

Rule: an action that sends one event is a row of a table: the event, the field that a bare
value fills, and the fields that a mapping may give, under the names they have in a file.
The other actions have a small reader each. An action has exactly one key of either kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import frozen

from conductor_core import closed, codec, events
from conductor_core.errors import FormatError
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
    readers = {"fact": _fact, "incarnation": closed.optional(closed.count)}
    return TellContinueAsNew(**closed.fields(data, path, readers, required=("fact",)))


def _snapshot(data: object, path: str) -> Deed:
    closed.fields(data, path, {})
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


def action_of(flow_id: str) -> closed.Reader[Action]:
    """A reader of an action on a flow; a rerun is for this flow unless it names another."""
    deeds = {**{name: _form_reader(form, flow_id) for name, form in FORMS.items()}, **READERS}
    readers = {**deeds, "expect": _verdict_text, "check": decode_expectation}

    def read(data: object, path: str) -> Action:
        values, problems = closed.sift(data, path, readers)
        given = closed.mapping(data, path)
        named = [name for name in NAMES if name in given]
        # A misspelt action is told as an unknown key, and not as a missing one too.
        if len(named) > 1 or not (named or given.keys() - readers.keys()):
            told = f"expected one action, got {' and '.join(named) or 'none'}"
            problems.append((path, told))
        deed = values.get(named[0]) if named else None
        if "expect" in given and isinstance(deed, Advance | Snapshot | StayPending):
            problems.append((closed.child(path, "expect"), "there is no verdict to expect"))
        closed.tell(problems)
        assert deed is not None, "an action without problems does something"
        return _action(deed, values)

    return read


def _action(deed: Deed, values: Mapping[str, Any]) -> Action:
    """The action that does this; where there is a verdict, it is accepted unless it says not."""
    heard = isinstance(deed, Send | TellContinueAsNew)
    verdict = values.get("expect", "accepted") if heard else None
    return Action(deed=deed, expect=verdict, check=values.get("check", ()))


def _verdict_text(data: object, path: str) -> str:
    """Read a verdict as the text of one."""
    if data == "accepted":
        return "accepted"
    if not isinstance(data, dict) or len(data) != 1:
        raise closed.wrong(path, "accepted, {rejected: code} or {ignored: reason}", data)
    verdict = closed.fields(data, path, {"rejected": closed.name, "ignored": closed.name})
    ((kind, word),) = verdict.items()
    return f"{kind}({word})"


def _form_reader(form: Form, flow_id: str) -> closed.Reader[Deed]:
    """A reader of what an action that sends one event does."""
    # A rerun names its flow, so that one for another flow can be refused (S10.1).
    given = {"flow_id": flow_id} if form.event is events.RerunRequested else {}
    return lambda data, path: Send(event=_event(form, data, path, **given))


def _event(form: Form, data: object, path: str, **given: object) -> events.Event:
    """Read the event of an action that sends one."""
    values: dict[str, Any] = {"at_ms": 0, **form.given, **given}
    if form.bare is not None and not (form.named and isinstance(data, dict)):
        values[form.bare] = closed.text(data, path)
    else:
        readers = {key: field.reader for key, field in form.named.items()}
        told = closed.fields(data, path, readers, required=form.required)
        values |= {form.named[key].of: value for key, value in told.items()}
    return form.event(**values)
