"""Which peers are there to be compared with.

Rule: a peer that is not installed is no error, and is told of: its rows have no figure.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from benchmarks.peers.peer import Peer

DISTRIBUTIONS: Final = {
    "transitions": "transitions",
    "eventsourcing": "eventsourcing",
    "eventsourcing_bare": "eventsourcing",
    "statemachine": "python-statemachine",
    "automat": "automat",
    "langgraph": "langgraph",
    "dbos": "dbos",
}
"""The peers, and the distributions without which their modules cannot be imported."""


def peer(key: str) -> Peer | None:
    """A peer, if it can be played."""
    if installed_version(key) is None:
        return None
    found: Peer = import_module(f"benchmarks.peers.with_{key}").PEER
    return found


def installed_version(key: str) -> str | None:
    """The version of a peer's distribution, if it is installed."""
    try:
        return version(DISTRIBUTIONS[key])
    except PackageNotFoundError:
        return None
