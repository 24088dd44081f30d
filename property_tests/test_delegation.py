"""A group that a child runs goes as it would go in its flow, whatever happens to the flow."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_core.events import Event
from conductor_core.state import FlowState
from conductor_core.testing.arbitrary.plays import Play, any_event, any_play
from conductor_core.testing.strategies import chosen, events_for, plays
from property_tests.delegations import (
    LongPlay,
    check_beginning,
    check_cut,
    check_lag,
    check_law,
    is_delegable,
    is_own_fact,
)
from property_tests.late_plays import any_late_play
from property_tests.profiles import by_profile

PLAYS: Final = plays() | chosen(lambda choose: any_late_play(choose, 1 + choose(40)))
"""Plays of any flow, many of them where its last groups are."""


BATCHES: Final = by_profile(dev=5, ci=100, thorough=2_000)


def delegated(play: Play) -> Iterator[tuple[FlowState, Event]]:
    """Every event that a flow met while a group of it was delegated, with the flow's state."""
    return ((state, event) for state, event, _ in play.steps() if is_delegable(state))


@given(PLAYS)
def test_cutting_and_reducing_commute(play: Play) -> None:
    """What happens to the flow and is relayed does to the child what it does to the flow."""
    for state, event in delegated(play):
        check_law(state, event)


@given(PLAYS, st.data())
def test_whatever_comes_next_is_relayed_rightly(play: Play, data: st.DataObject) -> None:
    """The law holds of any event that may come last, not only of those that lead on."""
    state = play.transitions[-1].state
    if is_delegable(state):
        for _ in range(5):
            check_law(state, data.draw(events_for(state, at_ms=60_000)))


@given(PLAYS, st.data())
def test_a_parent_that_lags_behind_relays_the_same(play: Play, data: st.DataObject) -> None:
    """What the child found out by itself may reach the parent late."""
    late: FlowState | None = None
    for state, event, transition in play.steps():
        if not is_delegable(state):
            late = None
            continue
        if late is None or late.current != state.current:
            late = state
        check_lag(late, state, event)
        if not is_own_fact(event, transition):
            late = None
    if late is not None and is_delegable(play.transitions[-1].state):
        state = play.transitions[-1].state
        if state.current == late.current:
            check_lag(late, state, data.draw(events_for(state, at_ms=60_000)))


@given(PLAYS)
def test_a_child_begins_where_its_group_is(play: Play) -> None:
    """Whenever it begins it is asked for what the group waits for, and its state can be kept."""
    for state, event in delegated(play):
        check_beginning(state, event.at_ms)
        check_cut(state)


@given(PLAYS)
def test_a_parent_that_replays_comes_to_where_its_children_are(play: Play) -> None:
    """Children that live through a whole flow are in step with it at every moment."""
    LongPlay(play.start).follow(play.events)


@pytest.mark.parametrize("seed", range(BATCHES))
def test_the_laws_hold_of_flows_at_random(seed: int) -> None:
    """What is drawn at random is wilder than what Hypothesis, which likes plain things, draws."""
    choose = Random(seed).randrange
    for _ in range(20):
        for play in (any_play(choose, 40), any_late_play(choose, 40)):
            for state, event in delegated(play):
                check_beginning(state, event.at_ms)
                check_law(state, event)
                check_law(state, any_event(choose, state, event.at_ms))
