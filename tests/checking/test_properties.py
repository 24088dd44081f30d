"""Claims that look back: what a history observes is a part of what is told apart."""

from __future__ import annotations

from typing import Final

from conductor_core import events
from conductor_core.checking import (
    Alphabet,
    always,
    check,
    eventually,
    leads_to,
    never,
    sometimes,
)
from conductor_core.checking.alphabet import FAIL, OK
from conductor_core.checking.properties import History
from conductor_core.events import Event
from conductor_core.reducer import Transition
from conductor_core.state import FlowState
from tests.checking.flows import DEPLOY


def paused_before(value: bool, _before: FlowState, event: Event, _after: Transition) -> bool:
    """Whether somebody paused the flow, now or before."""
    return value or isinstance(event, events.PauseRequested)


PAUSED: Final = History(False, paused_before)
ENDS: Final = Alphabet(endings=(OK, FAIL), answers=("approve",), operations=(), cancels=False)


def is_paused(state: FlowState, paused: bool) -> bool:
    """Whether the flow is paused for the first time, or again."""
    assert paused or not state.paused
    return state.paused and paused


def test_an_invariant_may_look_back() -> None:
    """What was observed before an event is told beside it, and beside a state what led to it."""
    checked = check(
        DEPLOY,
        never("paused twice", history=PAUSED, about=(), transition=lambda before, event, after,
              paused: paused and isinstance(event, events.PauseRequested)),
        never("paused", is_paused, history=PAUSED, about=()),
        always("remembered", lambda state, paused: paused or not state.paused, history=PAUSED,
               about=()),
        always("not paused in vain", history=PAUSED, about=(),
               transition=lambda before, event, after, paused: paused or not before.paused),
        alphabet=ENDS,
        theorems=(),
    )  # fmt: skip
    verdicts = {finding.name: finding.verdict for finding in checked.findings}
    assert verdicts == {
        "paused twice": "violated",
        "paused": "violated",
        "remembered": "holds",
        "not paused in vain": "holds",
    }
    story = checked.finding("paused twice").story
    assert story is not None
    kinds = [type(event) for event in story.events]
    assert kinds.count(events.PauseRequested) == 2
    assert len(kinds) == 4


def test_what_is_met_may_depend_on_the_past() -> None:
    """Something is met only where the past is as it should be, of states that are else alike."""
    succeeded = sometimes(
        "success without a pause",
        lambda state, paused: (
            state.outcome is not None and state.outcome.status == "success" and not paused
        ),
        history=PAUSED,
        about=(),
    )
    never_met = sometimes(
        "paused and unnoticed", lambda s, paused: s.paused and not paused, history=PAUSED, about=()
    )
    checked = check(DEPLOY, succeeded, never_met, alphabet=ENDS, theorems=())
    assert [finding.verdict for finding in checked.findings] == ["met", "never met"]


def test_what_is_remembered_is_told_apart() -> None:
    """A history multiplies the states by its values, and two claims may share one."""
    plain = check(DEPLOY, alphabet=ENDS)
    claims = [never(name, lambda _state, _paused: False, history=PAUSED, about=()) for name in "ab"]
    one, two = (check(DEPLOY, *claims[:n], alphabet=ENDS) for n in (1, 2))
    assert plain.states < one.states == two.states < 2 * plain.states
    other = History(0, lambda value, *_: value)
    claims.append(never("c", lambda _state, _value: False, history=other, about=()))
    assert check(DEPLOY, *claims, alphabet=ENDS).states == one.states


def test_what_happens_in_the_end_may_depend_on_the_past() -> None:
    """A goal, and where it is owed, may be told apart by what was observed."""
    calm = History(
        True, lambda value, _b, event, _a: value and not paused_before(False, _b, event, _a)
    )
    checked = check(
        DEPLOY,
        leads_to("once it was paused it stays so", lambda state, calm: not calm,
                 lambda state, calm: not calm, history=calm, about=()),
        leads_to("a pause is undone", lambda state, calm: not calm and state.paused,
                 lambda state, calm: not state.paused, history=calm, about=()),
        eventually("it is over or was paused", lambda state, calm: state.outcome is not None
                   or not calm or state.awaiting > 0, history=calm, about=()),
        alphabet=ENDS,
        theorems=(),
    )  # fmt: skip
    assert [finding.verdict for finding in checked.findings] == ["holds", "violated", "holds"]
