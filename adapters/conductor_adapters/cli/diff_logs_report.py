"""How two logs differ, for people and for programs.

Rule: what is A and what is B is said first; of each kind of difference the first so many are
told and the others counted, while programs are told all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from conductor_adapters.cli.console import counted, cut
from conductor_adapters.cli.ends_report import LOGS, ends_as_data, few, told_ends
from conductor_adapters.debugger.attempt_diff import AttemptDiff, Attempts, Only, durations_of
from conductor_adapters.debugger.declared import Change
from conductor_adapters.debugger.log_diff import LogDiff, remarks_on
from conductor_adapters.debugger.parting import Parting, Step
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.unequal import Unequal, unequal
from conductor_core.attempt import AttemptStatus
from conductor_core.codec import encode_event, encode_verdict
from conductor_core.durations import told_duration
from conductor_core.lines import line_of
from conductor_core.state import FlowState

SHOWN: Final = 20
"""So many differences of one kind are told, the others counted."""
AROUND: Final = 5
"""So many attempts are named where two logs part."""


def told_log_diff(diff: LogDiff, *, times: bool) -> Iterator[str]:
    """All that differs, what is declared first and the end last."""
    yield f"A: {_told_log(diff.a)}"
    yield f"B: {_told_log(diff.b)}"
    yield from (f"  {remark}" for remark in remarks_on(diff))
    if diff.are_alike:
        yield f"same: {counted(diff.parting.common, 'event')}, {_alike(diff.attempts)}"
    else:
        yield from told_changes(diff.declared)
        yield from _parting(diff.parting)
        yield from _attempts(diff.attempts)
        yield "in the end"
        yield from (f"  {line}" for line in told_ends(diff.ends, LOGS, SHOWN))
    if times:
        yield from _times(durations_of(diff.a, diff.b))


def told_changes(changes: Iterable[Change]) -> Iterator[str]:
    """What two flows declare differently."""
    lines = [f"  {cut(str(change))}" for change in changes]
    if lines:
        yield "declared differently"
        yield from few(lines, SHOWN)


def _told_log(recording: Recording) -> str:
    entries = counted(len(recording.entries), "entry", "entries")
    flow = f"flow {recording.header.flow_id} ({recording.header.spec.type})"
    return f"{recording.name}, {flow}, {entries}"


# --- where they part ---


def _parting(parting: Parting) -> Iterator[str]:
    common = counted(parting.common, "event")
    if not parting.parts:
        order = (
            "in the same order, but for parallel work" if parting.swapped else "in the same order"
        )
        yield f"they never part: the same {common} came {order}"
        return
    yield f"they part after {common} in common"
    yield f"  A {_told_step(parting.a)}"
    yield f"  B {_told_step(parting.b)}"
    yield from (f"    {cut(str(place))}" for place in _places(parting)[:AROUND])
    earlier = [step.before for step in (parting.a, parting.b) if step is not None]
    told = dict.fromkeys(map(told_around, earlier))
    yield from (f"  before that: {line}" for line in told)
    for side, step in (("A", parting.a), ("B", parting.b)):
        if step is not None:
            yield f"  then, in {side}: {told_around(step.entry.transition.state)}"


def _told_step(step: Step | None) -> str:
    """An entry, with what became of it."""
    if step is None:
        return "has nothing more"
    return f"{step.entry.seq:,}: {cut(line_of(step.entry.event, step.entry.transition))}"


def _places(parting: Parting) -> list[Unequal]:
    """Where two events of one kind differ."""
    if parting.a is None or parting.b is None:
        return []
    ours, theirs = (json.loads(step.content) for step in (parting.a, parting.b))
    return list(unequal(ours, theirs)) if ours["type"] == theirs["type"] else []


def told_around(state: FlowState) -> str:
    """Where a flow stands, in a line: its status, and the attempts that its group waits for."""
    if not state.span:
        return f"{state.status}, every group has finished"
    groups = state.catalog.groups
    place = f"{state.status}, group {groups[state.current].key} ({state.current + 1:,} of"
    begun = [
        f"{attempt.id} {attempt.status.value}"
        for attempt in state.current_attempts()
        if attempt.status is not AttemptStatus.PENDING
    ]
    more = f" and {len(begun) - AROUND:,} more" if len(begun) > AROUND else ""
    told = f": {', '.join(begun[:AROUND])}{more}" if begun else ""
    return f"{place} {len(groups):,}){told}"


# --- attempts ---


def _attempts(attempts: Attempts) -> Iterator[str]:
    if attempts.are_alike:
        yield f"attempts: {_alike(attempts)}"
        return
    differing = counted(len(attempts.differing), "attempt")
    yield f"attempts: {differing} of both that differ, {_alike(attempts)}"
    yield from few((f"  {_told_diff(diff)}" for diff in attempts.differing), SHOWN)
    for side, only in (("A", attempts.only_a), ("B", attempts.only_b)):
        if only:
            yield f"only in {side}: {counted(len(only), 'attempt')}"
            yield from few((f"  {each.attempt}: {each.status}" for each in only), SHOWN)


def _alike(attempts: Attempts) -> str:
    return f"{counted(attempts.same, 'attempt')} alike"


def _told_diff(diff: AttemptDiff) -> str:
    """An attempt with the places at which it differs, on one line."""
    told = [cut(str(place)) for place in diff.places[:AROUND]]
    more = len(diff.places) - AROUND
    return f"{diff.attempt}: {'; '.join(told)}{f' and {more:,} more' if more > 0 else ''}"


def _times(durations: Iterable[Unequal]) -> Iterator[str]:
    lines = [f"  {it.place}: {_took(it.a)} -> {_took(it.b)}" for it in durations]
    yield "work that took another time" if lines else "all work took the same time"
    yield from few(lines, SHOWN)


def _took(duration_ms: int) -> str:
    return told_duration(duration_ms) if duration_ms else "no time"


# --- as data ---


def log_diff_as_data(diff: LogDiff, *, times: bool) -> dict[str, Any]:
    """All of it."""
    attempts = diff.attempts
    data: dict[str, Any] = {
        "same": diff.are_alike,
        "a": _log_as_data(diff.a),
        "b": _log_as_data(diff.b),
        "declared": [change.as_data() for change in diff.declared],
        "parting": _parting_as_data(diff.parting),
        "attempts": [each.as_data() for each in attempts.differing],
        "only_a": _only_as_data(attempts.only_a),
        "only_b": _only_as_data(attempts.only_b),
        "same_attempts": attempts.same,
        "ends": ends_as_data(diff.ends, a="a", b="b"),
        "remarks": list(remarks_on(diff)),
    }
    if times:
        took = durations_of(diff.a, diff.b)
        data["times"] = [{"attempt": it.place, "a_ms": it.a, "b_ms": it.b} for it in took]
    return data


def _only_as_data(only: Iterable[Only]) -> list[dict[str, Any]]:
    return [each.as_data() for each in only]


def _log_as_data(recording: Recording) -> dict[str, Any]:
    return {
        "file": recording.name,
        "flow_id": recording.header.flow_id,
        "type": recording.header.spec.type,
        "entries": len(recording.entries),
    }


def _parting_as_data(parting: Parting) -> dict[str, Any]:
    return {
        "parts": parting.parts,
        "common": parting.common,
        "swapped": parting.swapped,
        "a": _step_as_data(parting.a),
        "b": _step_as_data(parting.b),
        "places": [place.as_data() for place in _places(parting)],
    }


def _step_as_data(step: Step | None) -> dict[str, Any] | None:
    if step is None:
        return None
    entry = step.entry
    return {
        "seq": entry.seq,
        "event": encode_event(entry.event),
        "verdict": encode_verdict(entry.transition.verdict),
        "told": line_of(entry.event, entry.transition),
        "before": told_around(step.before),
        "after": told_around(entry.transition.state),
    }
