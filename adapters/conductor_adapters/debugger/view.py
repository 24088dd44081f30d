"""What a page shows of a flow, as JSON: a header, the groups, and entries with patches.

Rule: pure; an entry is told from the two states around it, so that a recorded log and a live
store are shown by the same page, and who has shown n entries needs only those after them.

A page holds no states but records: the flow's under `""`, a group's under `@` and its key, an
attempt's under its id. A patch is a list of a record and of its fields that changed, None for one
that is gone. What is not said holds: a group and the first attempt of each step begin as
`pending`, and a field of which nothing was said is null.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from attrs import asdict

from conductor_adapters.debugger.recording import Recording
from conductor_core.attempt import Attempt
from conductor_core.catalog import Catalog
from conductor_core.codec import encode_command, encode_event, encode_verdict
from conductor_core.commands import Outcome
from conductor_core.events import Event, is_request
from conductor_core.graph import at_once
from conductor_core.lines import described
from conductor_core.log import Header
from conductor_core.reducer import Transition
from conductor_core.spec import FlowOptions, GroupSpec, StepSpec
from conductor_core.state import FlowState, initial_state

FORMAT: Final = "conductor-view/1"
PENDING: Final = "pending"

Json: TypeAlias = dict[str, Any]


# --- a log ---


def view_of(recording: Recording) -> Json:
    """The whole of a log."""
    first = recording.state_at(0)
    return {
        **opening(recording.name, recording.header, first),
        "closed": recording.replay.closed,
        "digest": recording.replay.digest,
        "entries": list(entries_of(recording)),
    }


def entries_of(recording: Recording, after: int = 0) -> Iterator[Json]:
    """The entries of a log that come after one."""
    before = recording.state_at(after)
    for played in recording.entries[after:]:
        yield entry(played.seq, before, played.event, played.transition)
        before = played.transition.state


def opening(name: str, header: Header, state: FlowState) -> Json:
    """Whose log it is, and the flow before any entry: what a page needs first.

    `state` is the state to which nothing has happened.
    """
    return {
        "view": FORMAT,
        "name": name,
        "flow_id": header.flow_id,
        "type": header.spec.type,
        "semantics": header.semantics,
        "core": header.core,
        "at_ms": header.at_ms,
        "accepted_only": header.accepted_only,
        "groups": [group(each, header.spec.options) for each in state.catalog.groups],
        "flow": _said(_flow(state)),
        "entries": [],
    }


def opening_of(name: str, header: Header) -> Json:
    """The same for who has no state yet."""
    return opening(name, header, initial_state(header.spec, header.flow_id))


def entry(seq: int, before: FlowState, event: Event, transition: Transition) -> Json:
    """An entry: what came in, what became of it, and what that changed."""
    after = transition.state
    told: Json = {
        "seq": seq,
        "told": described(event),
        "event": encode_event(event),
        "verdict": encode_verdict(transition.verdict),
        "commands": [encode_command(command) for command in transition.commands],
        "patch": [] if after is before else list(_patch(seq, before, after)),
    }
    if is_request(event):
        told["request"] = True
    new = len(before.catalog.groups)
    if len(after.catalog.groups) > new:
        groups = after.catalog.groups.slice(new, len(after.catalog.groups))
        told["groups"] = [group(each, after.spec.options) for each in groups]
    return told


# --- what is declared ---


def group(spec: GroupSpec, options: FlowOptions) -> Json:
    """A group with its steps."""
    told: Json = {"key": spec.key, "steps": [_step(step) for step in spec.steps]}
    if spec.name is not None:
        told["name"] = spec.name
    if spec.parallel:
        told["at_once"] = at_once(spec, options)
    return told


def _step(spec: StepSpec) -> Json:
    told: Json = {"key": spec.key, "work": spec.handler}
    if spec.name is not None:
        told["name"] = spec.name
    if spec.approval is not None:
        told["required"] = spec.approval.required
    if spec.needs:
        told["needs"] = list(spec.needs)
    return told


# --- what changed ---


def _patch(seq: int, before: FlowState, after: FlowState) -> Iterator[list[Any]]:
    """Every record that changed: the flow's, those of groups, then those of attempts."""
    flow = _changed(_flow(before), _flow(after))
    if flow:
        yield ["", flow]
    positions = list(after.live.changed_since(before.live))
    for index in sorted(_touched(before, after, positions)):
        status = after.group_status(index)
        if status != _group_before(before, index):
            yield [f"@{after.catalog.groups[index].key}", {"status": status}]
    for position in positions:
        for old, new in _attempts(before, after, position):
            changed = _changed(_attempt(old), _attempt(new))
            if new.result is not None and (old is None or new.result is not old.result):
                changed["result"] = seq
            if changed:
                yield [new.id, changed]


def _attempts(
    before: FlowState, after: FlowState, position: int
) -> Iterator[tuple[Attempt | None, Attempt]]:
    """The attempts of a step that may have changed, with what they were; new ones were nothing."""
    new = after.live[position]
    if position >= len(before.live):
        # The first attempt of a new step is there from the start, as `pending`.
        yield Attempt(new.step), new
        return
    old = before.live[position]
    earlier = after.superseded[position]
    for n in range(old.n, new.n):
        yield (old if n == old.n else None), earlier[n - 1]
    yield (old if old.n == new.n else None), new


def _touched(before: FlowState, after: FlowState, positions: list[int]) -> set[int]:
    """The groups that may stand otherwise than they did."""
    count = len(after.catalog.groups)
    touched = {_group_at(after.catalog, position) for position in positions}
    touched |= {before.current, after.current} & set(range(count))
    ended = (before.outcome, before.stop) != (after.outcome, after.stop)
    return touched | set(range(min(before.current, after.current), count)) if ended else touched


def _group_at(catalog: Catalog, position: int) -> int:
    """The group in which a step stands."""
    groups = range(len(catalog.groups))
    return bisect_right(groups, position, key=lambda index: catalog.span(index).start) - 1


def _group_before(state: FlowState, index: int) -> str:
    return state.group_status(index) if index < len(state.catalog.groups) else PENDING


def _changed(old: Json, new: Json) -> Json:
    """The fields that are not what they were."""
    return {key: new.get(key) for key in old | new if old.get(key) != new.get(key)}


def _said(fields: Json) -> Json:
    """The fields of which there is something to say."""
    return {key: value for key, value in fields.items() if value not in (None, False, 0, [])}


# --- records ---


def records_of(state: FlowState) -> dict[str, Json]:
    """All records of a state, as patches lead to them; `result` stays with the patches."""
    records = {"": _said(_flow(state))}
    for index, spec in enumerate(state.catalog.groups):
        records[f"@{spec.key}"] = {"status": state.group_status(index)}
    return records | {attempt.id: _attempt(attempt) for attempt in state.attempts()}


def _flow(state: FlowState) -> Json:
    cancel = state.cancellation
    return {
        "status": state.status,
        "run": state.run,
        "paused": state.paused or None,
        "approval": state.approval,
        "generating": None if state.generating == "no" else state.generating,
        "continuing": state.continuing or None,
        "incarnation": state.incarnation or None,
        "backoff_due_at_ms": state.wait_due_at_ms,
        "cancelled_by": None if cancel is None else cancel.by,
        "stop": _outcome(state.stop),
        "outcome": _outcome(state.outcome),
        "finished_at_ms": state.finished_at_ms,
    }


def _outcome(outcome: Outcome | None) -> Json | None:
    return None if outcome is None else _said(asdict(outcome))


def _attempt(attempt: Attempt | None) -> Json:
    """An attempt; its output stays with the entry that brought it, whose number is `result`."""
    if attempt is None:
        return {}
    told: Json = {
        "status": attempt.status.value,
        "directive": attempt.directive,
        "reason": attempt.reason,
        "retry": attempt.retry,
        "generation": attempt.generation,
        "due_at_ms": attempt.due_at_ms,
        "cancel_requested": attempt.cancel_requested,
    }
    if attempt.error is not None:
        told["error"] = f"{attempt.error.type}: {attempt.error.message}"
    if attempt.result is not None:
        told["subject"] = attempt.result.subject
    if attempt.approval is not None:
        told["asked_at_ms"] = attempt.approval.requested_at_ms
        told["answers"] = [f"{each.by}: {each.response}" for each in attempt.approval.answers]
        told["automatic"] = attempt.approval.automatic
    return _said(told)
