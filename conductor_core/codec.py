"""The wire form of events, commands, verdicts and specs: decoded JSON in, decoded JSON out.

Rule: every tag is written by hand in the tables below and never derived from a class, so
that classes are free to be renamed. Keys are the names of the fields. The form is closed:
an unknown tag or key, a wrong type or a missing key is a FormatError with its place.
The forms of states and of flow files have modules of their own and are reachable from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, assert_never, cast

from conductor_core import commands, events
from conductor_core.commands import Command
from conductor_core.errors import FormatError
from conductor_core.events import Event
from conductor_core.flowfile import decode_flow, decode_flow_groups
from conductor_core.json_text import loads
from conductor_core.lean import LeanReader, LeanReaders
from conductor_core.places import expected, unknown
from conductor_core.records import Reader, Writer, decoded, encoded, new_converter, record_reader
from conductor_core.spec import FlowSpec, GroupSpec
from conductor_core.state import FlowState
from conductor_core.statecodec import decode_state, encode_state
from conductor_core.texts import Texts, TextWriter, TextWriters, Unwritable, quoted, row_of
from conductor_core.verdicts import Accepted, Ignored, Rejected, Verdict

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = [
    "COMMANDS",
    "EVENTS",
    "TAGS",
    "decode_command",
    "decode_event",
    "decode_flow",
    "decode_flow_groups",
    "decode_groups",
    "decode_spec",
    "decode_state",
    "decode_verdict",
    "encode_command",
    "encode_event",
    "encode_groups",
    "encode_spec",
    "encode_state",
    "encode_verdict",
    "loads",
]

EVENTS: Final[Mapping[str, type[Event]]] = MappingProxyType(
    {
        "flow-started": events.FlowStarted,
        "groups-generated": events.GroupsGenerated,
        "generation-failed": events.GenerationFailed,
        "step-started": events.StepStarted,
        "step-finished": events.StepFinished,
        "timer-fired": events.TimerFired,
        "continue-as-new-suggested": events.ContinueAsNewSuggested,
        "continued-as-new": events.ContinuedAsNew,
        "approval-responded": events.ApprovalResponded,
        "approval-option-changed": events.ApprovalOptionChanged,
        "cancel-requested": events.CancelRequested,
        "rerun-requested": events.RerunRequested,
        "group-retry-requested": events.GroupRetryRequested,
        "retry-now-requested": events.RetryNowRequested,
        "pause-requested": events.PauseRequested,
        "resume-requested": events.ResumeRequested,
        "append-requested": events.AppendRequested,
    }
)

COMMANDS: Final[Mapping[str, type[Command]]] = MappingProxyType(
    {
        "dispatch-step": commands.DispatchStep,
        "request-approval": commands.RequestApproval,
        "cancel-futures": commands.CancelFutures,
        "schedule-timer": commands.ScheduleTimer,
        "cancel-timer": commands.CancelTimer,
        "generate-steps": commands.GenerateSteps,
        "continue-as-new": commands.ContinueAsNew,
        "finish-flow": commands.FinishFlow,
    }
)

TAGS: Final = {cls: tag for tag, cls in (*EVENTS.items(), *COMMANDS.items())}
"""The wire tag of each class of events and commands."""
TEXTS: Final = TextWriters(TAGS, shallow=True)
LEAN: Final = LeanReaders()


class _Writers(dict[type, TextWriter]):
    """The writers of events and commands, and of no other records."""

    def __missing__(self, cls: type) -> TextWriter:
        if cls not in TAGS:
            raise Unwritable
        write = self[cls] = TEXTS[cls]
        return write


class _Readers(dict[str, LeanReader]):
    """The lean readers of events, by their tags."""

    def __missing__(self, tag: str) -> LeanReader:
        read = self[tag] = LEAN[EVENTS[tag]]
        return read


_writers: Final = _Writers()
_readers: Final = _Readers()


# --- events and commands ---


def encode_event(event: Event) -> dict[str, Any]:
    """The wire form of an event: its tag under `type`, then its fields."""
    return cast(dict[str, Any], encoded(_tagged, event))


def decode_event(data: Any, path: str = "") -> Event:
    """The event of a wire form that stands at `path`."""
    return cast(Event, decoded(_read_event, data, path))


def encode_command(command: Command) -> dict[str, Any]:
    """The wire form of a command: its tag under `type`, then its fields."""
    return cast(dict[str, Any], encoded(_tagged, command))


def decode_command(data: Any, path: str = "") -> Command:
    """The command of a wire form that stands at `path`."""
    return cast(Command, decoded(_read_command, data, path))


def lean_event(data: Any) -> Event:
    """The event of a wire form, read in a hurry (see `lean`)."""
    read = _readers[data.pop("type")]
    return cast(Event, read(data))


def texts_of(record: Event | Command) -> Texts:
    """The texts of an event or a command; raises Unwritable for any other record."""
    return _writers[record.__class__](record)


def texts_of_all(records: tuple[Event | Command, ...]) -> Texts:
    """The texts of a row of events or commands."""
    return row_of(texts_of, records)


def _tagged(record: Any) -> dict[str, Any]:
    cls = record.__class__
    if cls not in TAGS:
        raise expected("an event or a command", record)
    return {"type": TAGS[cls], **writer(cls)(record)}


def _untagged(what: str, classes: Mapping[str, type], data: Any, _: Any = None) -> Any:
    if not isinstance(data, dict):
        raise expected("a mapping", data)
    fields = dict(data)
    if "type" not in fields:
        raise FormatError("", "missing key 'type'")
    tag = fields.pop("type")
    if not isinstance(tag, str) or tag not in classes:
        raise FormatError("type", unknown(what, tag, tuple(classes)))
    return reader(classes[tag])(fields, classes[tag])


_read_event: Final = partial(_untagged, "event", EVENTS)
_read_command: Final = partial(_untagged, "command", COMMANDS)


# --- specs ---


def encode_spec(spec: FlowSpec) -> dict[str, Any]:
    """The wire form of a spec."""
    return cast(dict[str, Any], encoded(writer(FlowSpec), spec))


def decode_spec(data: Any, path: str = "") -> FlowSpec:
    """The spec of a wire form; raises SpecError for one that can never run."""
    return cast(FlowSpec, decoded(reader(FlowSpec), data, path))


def encode_groups(groups: tuple[GroupSpec, ...]) -> list[Any]:
    """The wire form of groups."""
    return cast(list[Any], encoded(writer(tuple[GroupSpec, ...]), groups))


def decode_groups(data: Any, path: str = "groups") -> tuple[GroupSpec, ...]:
    """The groups of a wire form; whether they make sense is for the reducer to say."""
    return cast(tuple[GroupSpec, ...], decoded(reader(tuple[GroupSpec, ...]), data, path))


# --- verdicts ---


def encode_verdict(verdict: Verdict) -> str | dict[str, str]:
    """`"accepted"`, `{"ignored": reason}` or `{"rejected": code, "message": text}`."""
    match verdict:
        case Accepted():
            return "accepted"
        case Ignored(reason=reason):
            return {"ignored": reason}
        case Rejected(code=code, message=""):
            return {"rejected": code}
        case Rejected(code=code, message=message):
            return {"rejected": code, "message": message}
        case _:
            assert_never(verdict)


def verdict_text(verdict: Verdict) -> str:
    """The text of a verdict as a log has it, without a message; it has one key at most."""
    if isinstance(verdict, Accepted):
        return '"accepted"'
    match verdict:
        case Ignored(reason=reason):
            return f'{{"ignored":{quoted(reason)}}}'
        case Rejected(code=code):
            return f'{{"rejected":{quoted(code)}}}'
        case _:
            assert_never(verdict)


def decode_verdict(data: Any, path: str = "") -> Verdict:
    """The verdict of a wire form."""
    return decoded(_read_verdict, data, path)


def _read_verdict(data: Any, _: Any = None) -> Verdict:
    if data == "accepted":
        return Accepted()
    if isinstance(data, dict) and "ignored" in data:
        return cast(Ignored, reader(Ignored)(data, Ignored))
    if isinstance(data, dict) and "rejected" in data:
        return cast(Rejected, reader(Rejected)(data, Rejected))
    raise expected("accepted, or a mapping with the key ignored or rejected", data)


# --- records that hold any of these ---


def reader(kind: Any) -> Reader:
    """Reads a kind of record; cattrs compiles it on first use and keeps it."""
    return _converter().get_structure_hook(kind)


def writer(kind: Any) -> Writer:
    """Writes a kind of record."""
    return _converter().get_unstructure_hook(kind)


@cache
def _converter() -> Converter:
    converter = new_converter()
    for cls, renamed in ((Ignored, {"reason": "ignored"}), (Rejected, {"code": "rejected"})):
        converter.register_structure_hook(cls, record_reader(converter, cls, renamed=renamed))
    unions: tuple[tuple[Any, Reader, Writer], ...] = (
        (Event, _read_event, _tagged),
        (Command, _read_command, _tagged),
        (Verdict, _read_verdict, encode_verdict),
        (FlowState, lambda data, _: decode_state(data), encode_state),
    )
    for kind, read, write in unions:
        converter.register_structure_hook(kind, read)
        converter.register_unstructure_hook(kind, write)
    return converter
