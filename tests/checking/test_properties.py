"""Claims: what they look back on is told apart, and what does not answer is an error."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

import pytest

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
from conductor_core.checking.check import PredicateError
from conductor_core.checking.properties import History, Property
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
    verdicts = {finding.name: finding.found for finding in checked.findings}
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
    assert [finding.found for finding in checked.findings] == ["met", "never met"]


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
    assert [finding.found for finding in checked.findings] == ["holds", "violated", "holds"]


# --- what does not answer ---


def error_of(claim: Property) -> PredicateError:
    """What a search for a claim that does not answer ends with."""
    with pytest.raises(PredicateError) as caught:
        check(DEPLOY, claim, alphabet=ENDS, theorems=())
    assert caught.value.claim == claim.name
    return caught.value


def forgot(state: FlowState, *_: object) -> Any:
    """Forget to answer as soon as the flow has started."""
    return None if state.started else False


@pytest.mark.parametrize("make", [always, never, sometimes, eventually])
def test_what_forgets_to_answer_is_told(make: Any) -> None:
    """What answers neither True nor False would agree to everything, and is an error."""
    error = error_of(make("forgot the return", lambda state: None, about=()))
    assert str(error) == "'forgot the return' returned None, expected True or False"
    assert isinstance(error.__cause__, TypeError)
    assert error.story.events == ()


def test_what_forgets_to_answer_anywhere_is_told() -> None:
    """Predicates of transitions and both ends of a way are asked for a bool, too."""
    assert "returned None" in str(error_of(never("of events", transition=forgot, about=())))
    assert "returned None" in str(error_of(leads_to("a way", forgot, forgot, about=())))
    with pytest.raises(ValueError, match="'x': expected a predicate of states or of transitions"):
        never("x")


def asks_of_nothing(state: FlowState) -> bool:
    """Fall over once the plan asks to be approved."""
    return 1 // (1 - state.awaiting) < 0


def test_a_predicate_that_raises_is_told_with_the_way_that_leads_there() -> None:
    """The error names the claim, and carries what was raised and the story up to there."""
    error = error_of(sometimes("fragile", asks_of_nothing, about=()))
    assert str(error) == "'fragile' raised ZeroDivisionError: integer division or modulo by zero"
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert error.__cause__.__traceback__ is not None
    assert error.story.state.awaiting == 1
    (note,) = error.__notes__
    assert note.startswith("what led there:\n  1. flow started -> dispatch plan#1\n  2. plan#1 suc")


def test_a_predicate_of_events_that_raises_is_told_with_the_event() -> None:
    """The story ends with the event about which the predicate was asked."""

    def fall_over(_before: FlowState, event: Event, _after: Transition) -> bool:
        return isinstance(event, events.ResumeRequested) and not 1 // 0

    error = error_of(never("fragile", transition=fall_over, about=()))
    kinds = [type(event) for event in error.story.events]
    assert kinds[-2:] == [events.PauseRequested, events.ResumeRequested]


def test_a_history_that_raises_is_told() -> None:
    """What a history observes belongs to a claim, too."""
    history = History(0, lambda _value, before, _event, _after: 1 // (1 - before.awaiting))
    error = error_of(never("looks back", lambda _state, _value: False, history=history, about=()))
    assert "'looks back' raised ZeroDivisionError" in str(error)
    assert len(error.story.events) == 3


def test_what_does_not_raise_again_is_told_up_to_the_state_before() -> None:
    """Of a predicate that raises now and then, it is told where it was asked."""
    asked = count()
    error = error_of(never("moody", lambda _: 1 // (next(asked) - 9) > 1, about=()))
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert len(error.story.events) >= 1


def test_a_claim_is_about_a_list_of_steps() -> None:
    """A text is no list of steps, but any row of steps will do."""
    assert never("x", lambda _: False, about=iter(["plan"])).about == ("plan",)
    with pytest.raises(ValueError, match="about: expected a list of steps, got 'plan'"):
        never("x", lambda _: False, about="plan")
