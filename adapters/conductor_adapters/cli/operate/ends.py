"""Where a flow stands as the end of a command: its exit code, and the lines that say why.

Rule: 0 while nothing is wrong, 1 when the flow ended in an error or was cancelled, 3 when it
waits for a person; `conductor run` ends with the same codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from attrs import asdict

from conductor_adapters.cli.standing import told_outcome
from conductor_adapters.cli.waits import told_each_wait
from conductor_core import explain
from conductor_core.explain import waits_for_people
from conductor_core.state import FlowState

SUCCEEDED: Final = 0
STOPPED: Final = 1
WAITS: Final = 3


def code_of(state: FlowState) -> int:
    """The exit code for where a flow is; a flow that runs is as good as one that succeeded."""
    if state.outcome is not None:
        return SUCCEEDED if state.outcome.status == "success" else STOPPED
    return WAITS if waits_for_people(state) else SUCCEEDED


def told_why(state: FlowState, now_ms: int) -> Iterator[str]:
    """Say why a flow ended as it did, or what it waits for."""
    if state.outcome is None:
        yield from told_each_wait(explain(state), now_ms)
    elif state.outcome.status != "success":
        yield f"because: {told_outcome(state.outcome)}"
        if state.cancellation is not None:
            yield f"cancelled by {state.cancellation.by}"


def end_as_data(state: FlowState) -> dict[str, Any]:
    """The same for programs; the first keys of what `conductor run --json` writes at its end."""
    return {
        "flow_id": state.flow_id,
        "status": state.status,
        "outcome": None if state.outcome is None else asdict(state.outcome),
        "waits": [asdict(wait) for wait in explain(state).waits],
    }
