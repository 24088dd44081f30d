"""One line of the reducer is wrong, and the checker finds the shortest story that shows it.

What is found must replay as a log and play as a scenario on the same wrong reducer, and must
be as short as what a search without reductions finds.
"""

from __future__ import annotations

import pytest

from conductor_core.checking import THEOREMS, TOTAL, Checked, check
from conductor_core.checking.reductions import NONE
from conductor_core.events import ApprovalResponded
from conductor_core.log import replay
from conductor_core.rules import progress
from conductor_core.testing.story_scenario import scenario_of
from conductor_core.verdicts import Accepted
from tests.checking.planted import BRIEF, BUGS, REVIVED, Bug, changed, planted


def found_in(bug: Bug) -> Checked:
    """What the checker says of the flow that shows the bug."""
    return check(bug.spec, alphabet=BRIEF)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_planted_bug_is_found(bug: Bug) -> None:
    """A wrong line is found by the theorem that it breaks, with a story as short as can be."""
    assert found_in(bug).is_good
    with planted(bug):
        finding = found_in(bug).finding(bug.theorem)
        exact = check(bug.spec, alphabet=BRIEF, reductions=NONE).finding(bug.theorem)
        assert finding.found == exact.found == "violated"
        assert finding.story is not None
        assert exact.story is not None
        assert len(finding.story.events) == len(exact.story.events) == bug.events
        assert replay(finding.story.log().splitlines(keepends=True)).state == finding.story.state
        assert scenario_of(finding.story, bug.theorem) is not None
    assert found_in(bug).is_good


def test_a_line_that_a_reduction_relies_on_shows_itself_to_an_exact_search() -> None:
    """What is forgotten because of a rule is not looked at when that very rule is wrong."""
    with planted(REVIVED):
        assert found_in(REVIVED).finding(REVIVED.theorem).found == "holds"
        exact = check(REVIVED.spec, alphabet=BRIEF, reductions=NONE).finding(REVIVED.theorem)
    assert exact.story is not None
    assert len(exact.story.events) == REVIVED.events


def test_the_bugs_break_every_theorem() -> None:
    """No theorem is there for nothing: some line keeps each that asks for more than an answer."""
    broken = {bug.theorem for bug in (*BUGS, REVIVED)}
    assert broken == {theorem.name for theorem in THEOREMS if theorem is not TOTAL}


def test_a_planted_line_runs_wherever_its_function_is_known() -> None:
    """A function that gets wrong code is the one that others have imported."""
    (bug,) = (bug for bug in BUGS if bug.name == "the end is told twice")
    (function,) = changed(bug)
    assert vars(progress)["finish"] is function


def test_the_last_event_of_a_story_counts() -> None:
    """A story ends with the event that broke the theorem, not before and not behind."""
    (bug,) = (bug for bug in BUGS if bug.name == "any subject is accepted")
    with planted(bug):
        story = found_in(bug).finding("the gate").story
        assert story is not None
        *_, (_, last, after) = story.transitions()
    assert isinstance(last, ApprovalResponded)
    assert last.subject == "not what plan#1 planned"
    assert after.verdict == Accepted()
