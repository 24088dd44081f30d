"""What our things are called in Temporal, where people and other tools see them.

Rule: names are the storage format: histories hold them, so that they never change.
"""

from __future__ import annotations

from typing import Final

FLOW: Final = "conductor-flow"
"""The type of the one workflow that runs every flow; its id is the flow's."""
GROUP: Final = "conductor-group"
"""The type of the workflow that runs one group of a flow, as a child of the flow's."""
TASK_QUEUE: Final = "conductor"
"""Where flows and their work go, unless somebody says otherwise."""
TELL: Final = "tell"
"""The update, and the signal, by which an event comes in."""
STATE: Final = "state"
SUMMARY: Final = "summary"
EXPLAIN: Final = "explain"
LOG: Final = "log"
"""The queries: the whole state, a few words of it, why it waits, and lines of the log."""
GENERATE: Final = "generate:"
"""Begins the types of activities that make groups; the flow's type follows."""
ASK: Final = "conductor-ask"
"""The activity that tells people what they are asked."""
RELAY: Final = "relay"
REPORT: Final = "report"
"""The signals by which a flow tells a child what happened, and a child its flow."""
IGNORED: Final = "ignored"
"""The type of the error by which an event that is ignored is answered (S4.1)."""
OWNER_ID: Final = "ConductorOwnerId"
OWNER_TYPE: Final = "ConductorOwnerType"
FLOW_TYPE: Final = "ConductorFlowType"
"""Keys of the memo, and of search attributes where those are asked for."""
BEGAN: Final = "ConductorBeganMs"
"""When a flow began: the beginning of a run, which the memo has too, may be that of a revival."""
KEPT: Final = (OWNER_ID, OWNER_TYPE, FLOW_TYPE, BEGAN)
"""What a run that revives a flow takes over from the one before."""


def generator_of(flow_type: str) -> str:
    """The type of the activity that makes the groups of the flows of a type."""
    return f"{GENERATE}{flow_type}"
