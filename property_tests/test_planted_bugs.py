"""One line of the reducer is wrong, and Hypothesis finds it, as the checker does.

The bugs are those that `tests/checking/test_planted_bugs.py` shows to the checker, whose
stories are the shortest. The state machine plays the same flow and shrinks to as few events,
or to one or two more: it removes events, but puts no shorter way in place of another.
"""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test

from conductor_core.checking import THEOREMS, Alphabet, Story
from conductor_core.testing.arbitrary.plays import Play
from conductor_core.testing.flow_laws import FlowLaws
from conductor_core.testing.flow_machine import FlowMachine
from conductor_core.testing.strategies import plays
from tests.checking.planted import BRIEF, BUGS, REVIVED, Bug, planted

SEARCHED: Final = settings(
    max_examples=2_000,
    stateful_step_count=8,
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    phases=[Phase.generate, Phase.shrink],
)


def machine_of(bug: Bug, stories: list[Story]) -> type[FlowMachine]:
    """The state machine of the flow that shows a bug, which leaves its stories behind."""

    class Machine(FlowMachine):
        """A flow in which a bug can be seen."""

        spec = bug.spec
        alphabet = BRIEF

        def teardown(self) -> None:
            """Leave the story behind; the last one is what Hypothesis shrank to."""
            stories.append(self.story)

    return Machine


@pytest.mark.parametrize("bug", [*BUGS, REVIVED], ids=lambda bug: bug.name)
def test_the_machine_finds_every_planted_bug(bug: Bug) -> None:
    """What the machine of the flow shrinks to has two events more than the shortest at most."""
    stories: list[Story] = []
    with planted(bug), pytest.raises(AssertionError):
        run_state_machine_as_test(machine_of(bug, stories), settings=SEARCHED)
    assert bug.events <= len(stories[-1].events) <= bug.events + 2


@given(plays())
def test_laws_and_theorems_hold_of_any_play(play: Play) -> None:
    """Whatever arrives, nothing that is shown of small flows under an alphabet is untrue."""
    laws = FlowLaws(THEOREMS, alphabet=Alphabet())
    laws.begin(play.start)
    for before, event, after in play.steps():
        laws.after(before, event, after)
