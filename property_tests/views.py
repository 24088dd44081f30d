"""The reducer as the model shows itself: verdicts, commands and what is visible, as plain data.

Rule: nothing is decided here; what the wire form leaves out because it is the default is
filled in, and the rest is copied.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from conductor_core import FlowState, pending_commands
from conductor_core.codec import encode_command
from conductor_core.commands import Command

Json = dict[str, Any]

OUTCOME: Final[Json] = {
    "status": None,
    "reason": None,
    "step": None,
    "message": None,
    "retries_exhausted": False,
}
DEFAULTS: Final[dict[str, Json]] = {
    "dispatch-step": {"timeout_ms": None},
    "request-approval": {"subject": None, "approvers": None, "expires_at_ms": None},
}


def command_view(command: Command) -> Json:
    """A command with every field."""
    view = encode_command(command)
    view = {**DEFAULTS.get(view["type"], {}), **view}
    if "outcome" in view:
        view["outcome"] = {**OUTCOME, **view["outcome"]}
    return view


def state_view(state: FlowState) -> Json:
    """Everything that can be seen of a state, as `Model.view` shows it."""
    outcome = state.outcome
    attempts = tuple(state.attempts())
    groups = enumerate(state.catalog.groups)
    return {
        "flow": state.status,
        "reason": None if outcome is None else outcome.reason,
        "step": None if outcome is None else outcome.step,
        "message": None if outcome is None else outcome.message,
        "retries_exhausted": outcome is not None and outcome.retries_exhausted,
        "steps": {attempt.id: attempt.status.value for attempt in attempts},
        "directives": {attempt.id: attempt.directive for attempt in attempts},
        "reasons": {attempt.id: attempt.reason for attempt in attempts},
        "groups": {group.key: state.group_status(index) for index, group in groups},
        "timers": dict(state.timers()),
        "approvals": [attempt.id for attempt in state.open_approvals()],
        "paused": state.paused,
        "incarnation": state.incarnation,
        "run": state.run,
        "finished_at_ms": state.finished_at_ms,
    }


def recovery_view(state: FlowState, at_ms: int) -> list[Json]:
    """What a host that lost its memory is told (S14.2)."""
    return sorted_commands(command_view(c) for c in pending_commands(state, at_ms=at_ms))


def sorted_commands(commands: Iterable[Json]) -> list[Json]:
    """The commands in an order of their own, where the rules give them none."""
    return sorted(commands, key=lambda command: json.dumps(command, sort_keys=True))


def without_cancel_timers(commands: list[Json]) -> list[Json]:
    """The commands whose order matters."""
    return [command for command in commands if command["type"] != "cancel-timer"]


def cancelled_timers(commands: list[Json]) -> list[str]:
    """The timers that are cancelled together, which has no order (S14.1)."""
    return sorted(c["timer"] for c in commands if c["type"] == "cancel-timer")
