"""The search: complete, shortest first, bounded, and as small as it should be."""

from __future__ import annotations

from itertools import pairwise

import pytest

from conductor_core import FlowSpec, events
from conductor_core import rules as rules_module
from conductor_core.checking import (
    Alphabet,
    always,
    check,
    full_alphabet,
    never,
    sometimes,
)
from conductor_core.checking.properties import TOTAL
from conductor_core.checking.question import Progress
from conductor_core.checking.reductions import NONE
from conductor_core.draft import Answered, Draft
from conductor_core.state import FlowState
from tests.checking.flows import DEPLOY, components, fleet


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("spec", "states", "transitions"),
    [(DEPLOY, 215, 821), (components(3), 1_589, 7_174), (components(10), 5_285, 24_226),
     (fleet(2), 1_148, 5_735), (fleet(4), 5_098, 31_776)],
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
    assert checked.finding("the gate").found == "undecided"
    assert checked.finding("cancel always ends").found == "undecided"
    assert checked.finding("denied").found == "undecided"
    assert checked.finding("paused").found == "violated"
    assert checked.finding("started").found == "met"
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
    """Progress tells the states entered, those still to be looked at, transitions and depth."""
    told: list[Progress] = []
    checked = check(components(6), progress=told.append)
    assert told[0].transitions > told[0].states
    assert 0 < told[0].depth < told[-1].depth
    looked_at = [0, *(far.states - far.frontier for far in told), checked.states]
    transitions = [0, *(far.transitions for far in told), checked.transitions]
    steps = list(zip(pairs(looked_at), pairs(transitions), strict=True))
    assert all(states <= 200 and sent < 2_100 for states, sent in steps)
    assert all(states == 200 or sent >= 2_000 for states, sent in steps[:-1])


def test_a_search_of_states_with_much_to_do_tells_more_often() -> None:
    """Where many events may come next, it is transitions that are counted between two words."""
    told: list[Progress] = []
    check(fleet(5), alphabet=full_alphabet(fleet(5)), progress=told.append, max_states=2_000)
    looked_at = pairs([0, *(far.states - far.frontier for far in told)])
    assert min(looked_at) < 200
    assert all(sent >= 2_000 for sent in pairs([0, *(far.transitions for far in told)]))


def pairs(numbers: list[int]) -> list[int]:
    """How far each number is from the one before."""
    return [after - before for before, after in pairwise(numbers)]


def test_whoever_has_enough_may_stop_a_search() -> None:
    """A search that was given up says so, and leaves undecided what it has not met."""
    checked = check(components(6), enough=lambda: True)
    assert checked.stopped_by == "enough"
    assert not checked.complete
    assert checked.finding("the gate").found == "undecided"
    assert check(components(6), enough=lambda: False).stopped_by is None


def break_the_reducer(patch: pytest.MonkeyPatch) -> None:
    """Let the reducer raise for an answer to an approval."""

    def fall_over(_draft: Draft, _answered: Answered) -> None:
        raise LookupError("nothing to answer")

    patch.setattr(rules_module, "settle_answer", fall_over)


def test_a_reducer_that_raises_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 1 is broken by what the reducer does not survive, and the search goes on elsewhere."""
    whole = check(DEPLOY, theorems=(TOTAL,))
    assert whole.finding("total").found == "holds"
    break_the_reducer(monkeypatch)
    failed = sometimes("failed", lambda state: state.stop is not None, about=())
    checked = check(DEPLOY, TOTAL, failed, theorems=())
    finding = checked.finding("total")
    assert finding.found == "violated"
    assert finding.error == "LookupError: nothing to answer"
    assert isinstance(finding.fatal, events.ApprovalResponded)
    assert finding.story is not None
    assert finding.story.state.awaiting == 1
    assert len(finding.story.events) == 2
    assert checked.finding("failed").found == "met"
    assert 2 < checked.states < whole.states


def test_a_way_avoids_what_the_reducer_does_not_survive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A story that is told past a place where the reducer raises leaves that event out."""
    break_the_reducer(monkeypatch)
    alphabet = Alphabet(answers=("approve",), cancels=False)
    paused = sometimes("asked in a pause", lambda s: s.paused and s.awaiting > 0, about=())
    again = sometimes("resumed", transition=lambda before, event, after: before.awaiting > 0
                      and isinstance(event, events.ResumeRequested), about=())  # fmt: skip
    checked = check(DEPLOY, TOTAL, paused, again, alphabet=alphabet, theorems=())
    assert [finding.found for finding in checked.findings] == ["violated", "met", "met"]


def test_without_a_claim_to_be_total_a_search_ends_with_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What nobody claims is no finding, and what the reducer raises is not hidden."""
    break_the_reducer(monkeypatch)
    with pytest.raises(LookupError, match="nothing to answer"):
        check(DEPLOY, theorems=())


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
    assert [finding.found for finding in checked.findings] == [
        "holds",
        "violated",
        "met",
        "holds",
    ]


def test_what_never_happens_is_told() -> None:
    """A thing that was to happen sometimes and never does is a finding too."""
    checked = check(DEPLOY, sometimes("a lie", lambda _: False, about=()), theorems=())
    assert checked.finding("a lie").found == "never met"
    assert not checked.is_good
