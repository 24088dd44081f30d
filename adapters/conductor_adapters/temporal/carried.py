"""What a run of the workflow is given at its start, and what it leaves at its end.

Rule: the whole of a flow travels here and nowhere else: its state, where its log stands, the
options it was started with, the run before. Every form names its version and the semantics
that it was made by, so that a worker of another release refuses it instead of guessing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import asdict, evolve, frozen

from conductor_adapters.temporal.options import Settings, decode_settings, encode_settings
from conductor_adapters.temporal.packing import SHOWN, TooLarge, packed, unpacked
from conductor_core import initial_state
from conductor_core.codec import decode_event, decode_spec, encode_event, encode_spec
from conductor_core.errors import FormatError, shown
from conductor_core.events import Event
from conductor_core.json_text import dumps, loads
from conductor_core.log import SEMANTICS
from conductor_core.loglines import Position
from conductor_core.snapshot import restore, snapshot
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState

VERSION: Final = 1
MOST_STEPS: Final = 40_000
"""A state of more is not read again within the two seconds that a task of a workflow has."""
LONGEST_SPEC: Final = 16_384
"""A spec of so many characters stands in the history as it is, for people to read."""


@frozen(kw_only=True)
class Standing:
    """Where a flow and its log stand between two runs.

    `latest_ms` is the time of the last event, which no later one is before.
    """

    state: FlowState
    position: Position
    began_ms: int
    latest_ms: int


@frozen(kw_only=True)
class Carried:
    """What a run is given.

    `standing` None: nothing has happened to the flow yet. `previous` is the run before, whose
    history holds the log so far. `request` is what revives a flow that had ended.
    """

    state: FlowState
    settings: Settings
    standing: Standing | None = None
    previous: str | None = None
    request: Event | None = None


def fresh(spec: FlowSpec, flow_id: str, settings: Settings) -> dict[str, Any]:
    """The input of a flow to which nothing has happened; raises TooLarge."""
    form = encode_spec(spec)
    text = dumps(form)
    told = form if len(text) <= LONGEST_SPEC else packed(f"flow {flow_id!r}", text)
    return {**_head(), "flow_id": flow_id, "spec": told, "settings": encode_settings(settings)}


def going_on(
    standing: Standing, settings: Settings, *, previous: str, request: Event | None = None
) -> dict[str, Any]:
    """The input of a run that goes on where another has ended; raises TooLarge."""
    told = {"previous": previous, "settings": encode_settings(settings)}
    asked = {} if request is None else {"request": encode_event(request)}
    return {**_head(), **encode_standing(standing), **told, **asked}


def _head() -> dict[str, Any]:
    return {"conductor": VERSION, "semantics": SEMANTICS}


def is_too_long(state: FlowState) -> bool:
    """Whether a flow has too many steps to go on in another history."""
    return len(state.live) > MOST_STEPS


def encode_standing(standing: Standing) -> dict[str, Any]:
    """The form of a standing; raises TooLarge."""
    state = standing.state
    return {
        "flow_id": state.flow_id,
        "state": packed(f"the state of flow {state.flow_id!r}", snapshot(state)),
        "log": asdict(standing.position),
        "began_ms": standing.began_ms,
        "latest_ms": standing.latest_ms,
    }


def decode_carried(data: Any) -> Carried:
    """What an input says; raises FormatError for another's."""
    _check_head(data)
    settings = decode_settings(data["settings"])
    if "state" not in data:
        told = data["spec"]
        spec = decode_spec(loads(unpacked(told)) if isinstance(told, str) else told, "spec")
        return Carried(state=initial_state(spec, data["flow_id"]), settings=settings)
    standing, asked = decode_standing(data), data.get("request")
    return Carried(
        state=standing.state,
        settings=settings,
        standing=standing,
        previous=data["previous"],
        request=None if asked is None else decode_event(asked, "request"),
    )


def decode_standing(data: Mapping[str, Any]) -> Standing:
    """The standing of a form."""
    return Standing(
        state=restore(unpacked(data["state"])),
        position=Position(**data["log"]),
        began_ms=data["began_ms"],
        latest_ms=data["latest_ms"],
    )


# --- groups that a child runs ---


@frozen(kw_only=True)
class Handed:
    """What the child is given that runs a group.

    `parent` is the workflow of its flow, `recovers` whether another had the group and is gone.
    `sent` is how much it has reported, if it went on from another run.
    """

    carried: Carried
    group: str
    parent: str
    latest_ms: int
    recovers: bool = False
    sent: int = 0


def encode_handed(handed: Handed) -> dict[str, Any]:
    """The form of what a child is given; raises TooLarge."""
    state = handed.carried.state
    what = f"group {handed.group!r} of flow {state.flow_id!r}"
    return {
        **_head(),
        "group": handed.group,
        "parent": handed.parent,
        "state": packed(what, snapshot(state)),
        "settings": encode_settings(handed.carried.settings),
        "latest_ms": handed.latest_ms,
        "recovers": handed.recovers,
        "sent": handed.sent,
    }


def decode_handed(data: Any) -> Handed:
    """What a child is given; raises FormatError for another's."""
    _check_head(data)
    settings = decode_settings(data["settings"])
    return Handed(
        carried=Carried(state=restore(unpacked(data["state"])), settings=settings),
        group=data["group"],
        parent=data["parent"],
        latest_ms=data["latest_ms"],
        recovers=data["recovers"],
        sent=data["sent"],
    )


def encode_report(child: str, sent: int, entries: Sequence[str]) -> dict[str, Any]:
    """What a child reports to its flow, after so many entries that it has reported before.

    The entries are JSON texts.
    """
    told = {"child": child, "after": sent}
    return told | {"entries": packed(f"what {child!r} reports", f"[{','.join(entries)}]")}


@frozen(kw_only=True)
class Reported:
    """What a child has accepted: an event, or the number of one that was relayed to it."""

    at_ms: int
    event: Event | None = None
    relay: int | None = None


@frozen(kw_only=True)
class Report:
    """What a child reports, after so many entries that it has reported before."""

    child: str
    after: int
    entries: Sequence[Reported]


def decode_report(data: object) -> Report:
    """What a child reports; raises FormatError for what is no report."""
    if not isinstance(data, Mapping):
        raise FormatError("", f"expected a report, got {shown(data)}")
    child, after, told = data.get("child"), data.get("after"), data.get("entries")
    if not (isinstance(child, str) and isinstance(told, str)):
        raise FormatError("entries", f"expected what a child reports, got {shown(told)}")
    if type(after) is not int:
        raise FormatError("after", f"expected a number of entries, got {shown(after)}")
    entries = loads(unpacked(told))
    if not isinstance(entries, list):
        raise FormatError("entries", f"expected a list of entries, got {shown(entries)}")
    return Report(child=child, after=after, entries=[_reported(entry) for entry in entries])


def _reported(entry: Any) -> Reported:
    match entry:
        case {"relay": int() as number, "at_ms": int() as at_ms}:
            return Reported(at_ms=at_ms, relay=number)
        case {"event": told}:
            event = decode_event(told, "event")
            return Reported(at_ms=event.at_ms, event=event)
        case _:
            raise FormatError("entries", f"expected an entry of a report, got {shown(entry)}")


def encode_relay(number: int, event: Event, form: Event) -> dict[str, Any]:
    """What a child is told: an event, and by what its form for the child differs from it."""
    whole, told = encode_event(event), encode_event(form)
    changed = {key: told[key] for key in told if key not in whole or whole[key] != told[key]}
    removed = [key for key in whole if key not in told]
    return {"number": number, "event": whole, "changed": changed, "removed": removed}


def decode_relay(data: Any) -> tuple[int, Event, Event]:
    """The number of what is relayed, the event, and its form; raises FormatError."""
    if not isinstance(data, Mapping) or sorted(data) != sorted(RELAYED):
        raise FormatError("", f"expected what a flow relays, got {shown(data)}")
    number, whole, changed, removed = (data[key] for key in RELAYED)
    right = isinstance(whole, dict) and isinstance(changed, dict) and isinstance(removed, list)
    if not (right and type(number) is int):
        raise FormatError("", f"expected what a flow relays, got {shown(data)}")
    told = {key: value for key, value in (whole | changed).items() if key not in removed}
    return number, decode_event(whole, "event"), decode_event(told, "event")


RELAYED: Final = ("number", "event", "changed", "removed")


def _check_head(data: Any) -> None:
    if not (isinstance(data, dict) and "conductor" in data):
        raise FormatError("", f"expected the input of a flow, got {shown(data)}")
    for name, known in (("conductor", VERSION), ("semantics", SEMANTICS)):
        if data.get(name) != known:
            raise FormatError(name, f"expected {known}, got {shown(data.get(name))}")


def left(standing: Standing, previous: str | None) -> dict[str, Any]:
    """What a run leaves whose flow has ended: its outcome in the open, and all of it packed.

    A state that is too large is left out; whoever wants it has the history.
    """
    outcome = standing.state.outcome
    assert outcome is not None, "a run ends with its flow"
    shown_of_it = evolve(outcome, message=outcome.message and outcome.message[:SHOWN])
    told = {**_head(), "outcome": asdict(shown_of_it), "previous": previous}
    try:
        return told | encode_standing(standing)
    except TooLarge:
        return told | {"flow_id": standing.state.flow_id}


def standing_left(data: Any) -> Standing | None:
    """Where a flow stands that has ended, if its run could leave that."""
    _check_head(data)
    return decode_standing(data) if "state" in data else None
