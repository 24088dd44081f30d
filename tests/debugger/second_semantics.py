"""Semantics that no release has: the reducer of today, but for one rule.

Rule: it is the whole reducer that runs, with that one rule replaced as long as it does, so that
what differs is what such a change would bring about.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final
from unittest.mock import patch

from conductor_core import reduce
from conductor_core.draft import Draft
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.rules import progress
from conductor_core.semantics import REDUCERS, Reducers
from conductor_core.spec import GroupSpec
from conductor_core.state import FlowState


def one_at_a_time(state: FlowState, event: Event) -> Transition:
    """As `reduce`, but a parallel group has room for one step."""
    with patch.object(progress, "_has_room", _room_for_one):
        return reduce(state, event)


def _room_for_one(draft: Draft, _group: GroupSpec) -> bool:
    return not draft.active


TWO: Final[Reducers] = MappingProxyType({**REDUCERS, 2: one_at_a_time})
"""The reducers of a release that has a second number."""
