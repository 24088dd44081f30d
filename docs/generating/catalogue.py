"""The catalogue of events and commands: what their classes say of themselves.

Rule: every example is an event or a command that the codec wrote and reads.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_type_hints

import attrs

from conductor_core import codec, commands, events
from conductor_core.payload import Payload, freeze
from conductor_core.spec import GroupSpec, StepSpec
from docs.generating.markdown import code, document_of, page, table

_GROUP: Final = GroupSpec(key="services", steps=[StepSpec(key="api")])
_EXAMPLES: Final[Mapping[type, Mapping[str, Any]]] = {
    events.GroupsGenerated: {"groups": [_GROUP]},
    events.GenerationFailed: {"error": events.StepError(message="no inventory")},
    events.StepFinished: {
        "outcome": "succeeded",
        "output": {"add": 3},
        "subject": "sha256:2c26b4",
    },
    events.TimerFired: {"timer": "timeout:plan#1"},
    events.ApprovalResponded: {"response": "approve", "note": "as discussed"},
    events.ApprovalOptionChanged: {"option": "approve-all"},
    events.CancelRequested: {"reason": "a change freeze"},
    events.RerunRequested: {"step_id": "apply", "operation": "retry-step"},
    events.AppendRequested: {"groups": [_GROUP]},
    commands.FinishFlow: {"outcome": commands.Outcome(status="success"), "run": 1},
    commands.ScheduleTimer: {"timer": "timeout:plan#1", "due_at_ms": 1_060_000, "delay_ms": 60_000},
    commands.CancelTimer: {"timer": "timeout:plan#1"},
    commands.CancelFutures: {"attempts": ("plan#1",)},
    commands.DispatchStep: {"input": freeze({"region": "eu"}), "timeout_ms": 60_000},
    commands.RequestApproval: {
        "subject": "sha256:2c26b4",
        "required": 2,
        "approvers": ("ana", "bo"),
    },
}
_USUAL: Final[Mapping[str, Any]] = {
    "at_ms": 1_000_000,
    "attempt": "plan#1",
    "step": "plan",
    "step_id": "plan",
    "group": "network",
    "by": "ana",
    "flow_id": "deploy-42",
    "flow_type": "deploy",
    "work": "plan",
    "incarnation": 0,
    "run": 1,
    "retry": 0,
    "generation": 0,
    "idempotency_key": "deploy-42/plan#1",
    "start_from_group_idx": 1,
    "timeout_ms": None,
    "expires_at_ms": None,
    "due_at_ms": 1_060_000,
    "delay_ms": 60_000,
    "metadata": freeze({}),
    "input": freeze(None),
    "outputs": freeze({}),
    "subjects": freeze({}),
}


def events_page() -> str:
    """All events, facts first."""
    facts = [kind for kind in codec.EVENTS.values() if not _is_request(kind)]
    requests = [kind for kind in codec.EVENTS.values() if _is_request(kind)]
    return page(
        "Events",
        "What happens to a flow. *Facts* come from the host, and are never rejected; *requests* "
        "come from people, and may be. Rules are cited from [semantics](../semantics.md); "
        "which event counts in which phase of a flow stands in the [tables](tables.md). "
        "In Python they are classes of `conductor_core.events`; "
        "in a log they stand as the JSON that is shown.",
        "## Facts",
        *(_entry(kind) for kind in facts),
        "## Requests",
        "Each may carry `request_id`, under which it counts once (S4.5).",
        *(_entry(kind) for kind in requests),
        "## Records within them",
        *(_record(kind) for kind in (events.StepError, events.PolicyReport)),
        "Groups are written as in a [flow file](flow-files.md).",
    )


def commands_page() -> str:
    """All commands."""
    return page(
        "Commands",
        "What a host must do. Each is carried out at least once, and its ids make a second time "
        "harmless ([the contract](../hosts.md#the-contract)). In Python they are classes of "
        "`conductor_core.commands`.",
        *(_entry(kind) for kind in codec.COMMANDS.values()),
        "## Records within them",
        _record(commands.Outcome),
    )


def examples() -> Iterator[tuple[type, Any]]:
    """An event or a command of every kind."""
    for kind in (*codec.EVENTS.values(), *codec.COMMANDS.values()):
        yield kind, _example(kind)


def encoded(record: Any) -> Mapping[str, Any]:
    """An event or a command as it stands in a log."""
    write = codec.encode_event if type(record) in codec.EVENTS.values() else codec.encode_command
    told: Mapping[str, Any] = write(record)
    return told


def _is_request(kind: type) -> bool:
    return "request_id" in attrs.fields_dict(kind)


def _example(kind: type) -> Any:
    particulars = _EXAMPLES.get(kind, {})
    needed = [field.name for field in attrs.fields(kind) if field.default is attrs.NOTHING]
    return kind(**{name: _USUAL[name] for name in needed if name not in particulars}, **particulars)


def _entry(kind: type) -> str:
    example = json.dumps(encoded(_example(kind)), ensure_ascii=False)
    return "\n\n".join(
        [
            f"### {codec.TAGS[kind]}",
            document_of(kind),
            f"`{kind.__module__}.{kind.__name__}`",
            _fields(kind),
            f"```json\n{example}\n```",
        ]
    )


def _record(kind: type) -> str:
    return "\n\n".join([f"### {kind.__name__}", document_of(kind), _fields(kind)])


def _fields(kind: type) -> str:
    hints = get_type_hints(kind)
    rows = [
        [code(field.name), code(type_told(hints[field.name])), _default(field)]
        for field in attrs.fields(kind)
    ]
    return table(["field", "type", "default"], rows)


def type_told(hint: Any) -> str:
    """A type as somebody would write it."""
    if hint is Payload:
        return "any JSON"
    text = inspect.formatannotation(hint)
    for module in (
        "typing.",
        "conductor_core.events.",
        "conductor_core.spec.",
        "conductor_core.commands.",
    ):
        text = text.replace(module, "")
    return text


def _default(field: Any) -> str:
    default = field.default
    if default is attrs.NOTHING:
        return "(needed)"
    return code(default.text if isinstance(default, Payload) else repr(default))
