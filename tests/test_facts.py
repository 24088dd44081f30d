"""What an accepted event writes down, and what it leaves to be settled."""

from __future__ import annotations

from conductor_core import StepSpec, events
from conductor_core.draft import Draft
from conductor_core.facts import record
from conductor_core.facts.work import UNNOTICED
from conductor_core.testing import given
from conductor_core.testing.brief import START, flow, group, succeeded


def test_work_that_starts_leaves_nothing_to_be_settled() -> None:
    """The attempt is active before and after, which is all that the rules look at (S5.6)."""
    draft = Draft.of(given(flow(group("g", "a")), START).state, 0)
    assert record(draft, events.StepStarted(at_ms=0, attempt="a#1"), 0) is UNNOTICED


def test_a_fresh_history_ends_the_continue_as_new() -> None:
    """The flow runs on under the next number (S13.3)."""
    suggested = events.ContinueAsNewSuggested(at_ms=0, incarnation=0)
    asked = given(flow(group("g", "a", "b")), START, suggested, succeeded("a#1"))
    assert (asked.state.continuing, asked.state.incarnation) == (True, 0)
    state = given(asked.state, events.ContinuedAsNew(at_ms=0, incarnation=0)).state
    assert (state.continuing, state.incarnation) == (False, 1)


def test_a_timer_closes_when_it_fires() -> None:
    """What waited for it does not wait for it a second time."""
    timed = StepSpec(key="timed", timeout_ms=5)
    draft = Draft.of(given(flow(group("g", timed)), START).state, 0)
    record(draft, events.TimerFired(at_ms=5, timer="timeout:timed#1"), 0)
    assert draft.live[0].due_at_ms is None
