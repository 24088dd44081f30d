"""What people see of a flow in Temporal: its details, and the answers of its queries.

Rule: everything is read from the state and told in plain words or plain JSON.
"""

from __future__ import annotations

from typing import Any

from attrs import asdict

from conductor_adapters.temporal.record import Record
from conductor_core import explain
from conductor_core.codec import encode_event
from conductor_core.state import FlowState


def details(state: FlowState) -> str:
    """What the page of a workflow shows, in Markdown."""
    told = explain(state)
    lines = [f"**{told.status}**", ""]
    lines += [f"- waits for {wait}" for wait in told.waits[:20]]
    return "\n".join(lines)


def summary(state: FlowState, record: Record) -> dict[str, Any]:
    """A few words about a flow."""
    return {
        "flow_id": state.flow_id,
        "type": state.spec.type,
        "status": state.status,
        "outcome": None if state.outcome is None else asdict(state.outcome),
        "began_ms": record.began_ms,
        "changed_ms": record.latest_ms,
        "entries": record.position.entries,
        "waits_for": [str(wait) for wait in explain(state).waits],
    }


def explained(state: FlowState) -> dict[str, Any]:
    """Why a flow waits, who can help, and what may happen next."""
    told = explain(state)
    return {
        "status": told.status,
        "waits": [str(wait) for wait in told.waits],
        "for_people": told.for_people,
        "quorums": [asdict(quorum) for quorum in told.quorums],
        "legal": [encode_event(event) for event in told.legal],
        "next_timer": told.next_timer,
    }


def log_page(record: Record, after: int, most: int, previous: str | None) -> dict[str, Any]:
    """The lines behind an entry, at most so many entries of them.

    `previous` is the run that has what comes before, `more` whether this one has more.
    """
    behind = [(number, lines) for number, lines in record.lines() if number > after]
    page = behind[:most]
    return {
        "lines": [lines for _, lines in page],
        "last": page[-1][0] if page else after,
        "more": len(behind) > most,
        "previous": previous,
    }
