"""What of a state must be the same on every host.

Rule: times are left out, but not whether there is one; so is what hosts may do in their own
way: whether they tell that work began, when they begin a fresh history, and in which words
they answer for interrupted work. Where work goes down that was to give up, they may answer
for it or wait until the grace is over.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from conductor_core.codec import encode_state
from conductor_core.differences import differences
from conductor_core.state import FlowState

OWN: Final = ("incarnation", "groups_since", "suggested")
TOLD: Final = 20
"""So many differences are told."""


def likeness(state: FlowState, *, loses_cancels: bool = False) -> dict[str, Any]:
    """The state as data that is equal on all hosts.

    `loses_cancels`: work may have gone down that was to give up.
    """
    data = _without(encode_state(state), *OWN)
    if loses_cancels and state.cancellation is not None:
        data = _without_acknowledgements(data)
    attempts = {f"{a['step']}#{a.get('n', 1)}": _attempt(a) for a in data.get("attempts", ())}
    likeness: dict[str, Any] = _timeless({**data, "attempts": attempts})
    return likeness


def _without_acknowledgements(data: dict[str, Any]) -> dict[str, Any]:
    """Leave out who answered for the work that was to give up."""
    attempts = [
        _without(attempt, "reason", "result") if attempt.get("status") == "cancelled" else attempt
        for attempt in data.get("attempts", ())
    ]
    parts = {
        "attempts": attempts,
        "cancellation": _without(data["cancellation"], "unacknowledged"),
        "outcome": _without(data.get("outcome", {}), "message"),
    }
    return {**data, **parts}


def _without(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in keys}


def _attempt(data: dict[str, Any]) -> dict[str, Any]:
    if data.get("status") in ("queued", "in-progress"):
        data = {**data, "status": "active"}
    error = data.get("result", {}).get("error", {})
    if error.get("type") == "interrupted":
        data = {**data, "result": {"error": {"type": "interrupted"}}}
    return data


def _timeless(data: Any) -> Any:
    if isinstance(data, dict):
        return {
            key: "a time" if key.endswith("_at_ms") else _timeless(value)
            for key, value in data.items()
        }
    return [_timeless(item) for item in data] if isinstance(data, list) else data


def told_differences(expected: Any, seen: Any) -> list[str]:
    """The first differences, a line for each."""
    found = list(islice(differences(expected, seen), TOLD + 1))
    return [*found[:TOLD], "and more"] if len(found) > TOLD else found
