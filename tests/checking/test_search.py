"""The search: complete, shortest first, bounded, and as small as it should be."""

from __future__ import annotations

import pytest

from conductor_core import FlowSpec
from conductor_core.checking import Alphabet, always, check, never, sometimes
from conductor_core.checking.reductions import NONE
from conductor_core.state import FlowState
from tests.checking.flows import DEPLOY, components, fleet


@pytest.mark.parametrize(
    ("spec", "states", "transitions"),
    [(DEPLOY, 86, 264), (components(3), 573, 2_128), (components(10), 1_889, 7_168),
     (fleet(2), 414, 1_634), (fleet(4), 1_856, 9_024)],
    ids=["deploy", "3 components", "10 components", "fleet of 2", "fleet of 4"],
)  # fmt: skip
def test_as_many_states_as_ever(spec: FlowSpec, states: int, transitions: int) -> None:
    """The counts are pinned: a change of the rules, the alphabet or the keys shows in them."""
    checked = check(spec)
    assert (checked.states, checked.transitions) == (states, transitions)
    assert checked.complete
    assert checked.is_good


def test_groups_that_follow_one_another_add_up() -> None:
    """Each component adds as many states as the one before it."""
    two, three, four = (check(components(n)).states for n in (2, 3, 4))
    assert four - three == three - two


def test_a_bound_leaves_what_was_not_met_undecided() -> None:
    """A search that left states out says of no claim that it holds."""
    checked = check(
        DEPLOY,
        never("paused", lambda state: state.paused, about=()),
        sometimes("denied", is_denied, about=()),
        sometimes("started", lambda state: state.started, about=()),
        max_states=5,
    )
    assert not checked.complete
    assert not checked.is_good
    assert checked.finding("the gate").verdict == "undecided"
    assert checked.finding("cancel always ends").verdict == "undecided"
    assert checked.finding("denied").verdict == "undecided"
    assert checked.finding("paused").verdict == "violated"
    assert checked.finding("started").verdict == "met"
    assert "some states within these bounds" in str(checked)


def is_denied(state: FlowState) -> bool:
    """Whether the flow ended because its plan was denied."""
    return state.outcome is not None and state.outcome.reason == "denied"


def test_stories_are_shortest() -> None:
    """The first way to a state that the search finds is one with the fewest events."""
    claims = [sometimes("denied", is_denied, about=()), sometimes("over", ended, about=())]
    for reductions in (NONE, check(DEPLOY).reductions):
        checked = check(DEPLOY, *claims, theorems=(), reductions=reductions)
        lengths = [len(f.story.events) for f in checked.findings if f.story is not None]
        assert lengths == [3, 1]


def ended(state: FlowState) -> bool:
    """Whether the flow has ended."""
    return state.outcome is not None


def test_a_long_search_tells_how_far_it_is() -> None:
    """Progress tells the states entered, those still to be looked at, and the transitions."""
    told: list[tuple[int, int, int]] = []
    checked = check(components(6), progress=lambda *numbers: told.append(numbers))
    assert len(told) == checked.states // 1_000
    states, waiting, transitions = told[0]
    assert states - waiting == 1_000
    assert transitions > states


def test_claims_about_transitions_are_asked_of_each() -> None:
    """A claim may speak of what an event did."""
    checked = check(
        DEPLOY,
        always("what is accepted changes something", transition=lambda before, event, after:
               str(after.verdict) != "accepted" or after.state != before),
        never("commands", transition=lambda before, event, after: bool(after.commands)),
        sometimes("rejected", transition=lambda before, event, after:
                  str(after.verdict).startswith("rejected")),
        always("nothing is paused", lambda state: not state.paused),
        alphabet=Alphabet(pauses=False),
        theorems=(),
    )  # fmt: skip
    assert [finding.verdict for finding in checked.findings] == [
        "holds",
        "violated",
        "met",
        "holds",
    ]


def test_what_never_happens_is_told() -> None:
    """A thing that was to happen sometimes and never does is a finding too."""
    checked = check(DEPLOY, sometimes("a lie", lambda _: False, about=()), theorems=())
    assert checked.finding("a lie").verdict == "never met"
    assert not checked.is_good
