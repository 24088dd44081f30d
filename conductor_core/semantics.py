"""The numbers of the semantics, and the reducer that behaves by each.

Rule: from release 0.1.0 on, a rule that changes gets a new number, and the reducer of the old
number stays here for as long as there are logs of it. New flows begin with the last number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from conductor_core.events import Event
from conductor_core.loglines import SEMANTICS
from conductor_core.reducer import Transition, reduce
from conductor_core.state import FlowState

__all__ = ["REDUCERS", "Reducer", "Reducers"]

Reducer: TypeAlias = Callable[[FlowState, Event], Transition]
"""What becomes of an event: pure, total and deterministic."""
Reducers: TypeAlias = Mapping[int, Reducer]
"""Reducers by the number of their semantics."""

REDUCERS: Final[Reducers] = MappingProxyType({SEMANTICS: reduce})
"""All that this release knows."""
