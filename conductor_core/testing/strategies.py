"""Hypothesis strategies: any flow, any event that a state may meet, any play of a flow.

Of a flow of one's own `plays_of` draws what may happen to it, and `events_for` what may come
next; `flow_machine` plays it step by step.

Rule: a state is only ever built by playing events, so that every one that is drawn can be
reached. What is drawn shrinks towards the plainest flow and the plainest events.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

try:
    from hypothesis import strategies as st
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Hypothesis strategies need the test extra: pip install 'conductor-core[test]'",
        name="hypothesis",
    ) from None

from conductor_core.events import Event
from conductor_core.spec import FlowSpec
from conductor_core.state import FlowState, initial_state
from conductor_core.testing.arbitrary.choices import Choose
from conductor_core.testing.arbitrary.flows import any_flow
from conductor_core.testing.arbitrary.plays import Play, any_event, any_play, play_on

__all__ = ["Play", "events_for", "flows", "plays", "plays_of"]

T = TypeVar("T")


@st.composite
def chosen(draw: st.DrawFn, make: Callable[[Choose], T]) -> T:
    """What `make` makes of choices that Hypothesis draws."""
    return make(lambda count: draw(_below(count)))


def flows() -> st.SearchStrategy[FlowSpec]:
    """Any flow."""
    return chosen(any_flow)


def events_for(state: FlowState, *, at_ms: int = 0) -> st.SearchStrategy[Event]:
    """Any event at that time, mostly one that the state waits for."""
    return chosen(lambda choose: any_event(choose, state, at_ms))


def plays(*, most: int = 40) -> st.SearchStrategy[Play]:
    """Any flow with up to so many events that happen to it, in the order of their arrival."""
    return chosen(lambda choose: any_play(choose, 1 + choose(most)))


def plays_of(spec: FlowSpec, *, most: int = 40, flow_id: str = "flow") -> st.SearchStrategy[Play]:
    """Up to so many events that happen to this flow, in the order of their arrival.

    Whatever hosts and people may send is sent: what is late, twice, mistaken, or made up.
    """
    start = initial_state(spec, flow_id)
    return chosen(lambda choose: play_on(choose, start, 1 + choose(most)))


@lru_cache(maxsize=256)
def _below(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)
