"""The cases of the conformance kit, played by the reducer alone."""

from __future__ import annotations

from collections import Counter

import pytest

from conductor_core import codec
from conductor_core.events import REQUESTS, FlowStarted, is_request
from conductor_core.testing.conformance import Case, Weather, cases, weathers
from conductor_core.testing.conformance.case import SOON_MS, addressed, events_of
from conductor_core.testing.conformance.foreseen import Foreseen
from conductor_core.testing.conformance.likeness import likeness


class Backwards(Foreseen):
    """A world in which work that runs at the same time ends in the opposite order."""

    def play(self) -> None:
        """Answer what was commanded last first."""
        while self.answers or self.ready:
            self.send(self.answers.popleft() if self.answers else self.ready.pop())


def played(case: Case, weather: Weather, kind: type[Foreseen] = Foreseen) -> Foreseen:
    """The world of a case at its end."""
    world = kind(case, weather, "f")
    for act in (FlowStarted(at_ms=0), *case.acts):
        for event in events_of(act):
            world.send(addressed(event, world.state, f"act-{world.events}"))
        world.settle()
    return world


@pytest.mark.parametrize("weather", weathers(), ids=str)
@pytest.mark.parametrize("case", cases(), ids=str)
def test_a_case_ends_as_it_says(case: Case, weather: Weather) -> None:
    """A case ends, with the status that it states, and no timer is left that could fire."""
    world = played(case, weather)
    assert world.state.status == case.ends
    assert not [due for due in world.timers.values() if due - world.now_ms <= SOON_MS]


@pytest.mark.parametrize("case", cases(), ids=str)
def test_a_case_does_not_depend_on_the_order_of_answers(case: Case) -> None:
    """Whichever of two attempts ends first, the state is the same in the end."""
    forwards, backwards = (played(case, Weather.CALM, kind) for kind in (Foreseen, Backwards))
    assert likeness(forwards.state) == likeness(backwards.state)


def test_cases_have_names_of_their_own() -> None:
    """A name tells one case."""
    assert [name for name, n in Counter(map(str, cases())).items() if n > 1] == []


def test_the_cases_ask_everything_of_a_host() -> None:
    """Together they send every kind of request, and lead to every kind of command."""
    acts = [event for case in cases() for act in case.acts for event in events_of(act)]
    sent = {type(event) for event in acts if is_request(event)}
    assert sent == set(REQUESTS)
    worlds = [played(case, Weather.CALM) for case in cases()]
    emitted = {type(command) for world in worlds for command in world.emitted}
    assert emitted == set(codec.COMMANDS.values())


def test_a_host_may_do_without_generators() -> None:
    """The cases for hosts that cannot generate all have their groups from the start."""
    fewer = cases(generates=False)
    assert set(cases()) - set(fewer) == {case for case in cases() if not case.flow.groups}
    assert fewer
