"""The reducer and the independent model agree on whatever happens to a flow."""

from __future__ import annotations

import random
from typing import Final

from hypothesis import given

from conductor_core import FlowSpec, GroupSpec, StepSpec, events
from conductor_core.events import Event
from conductor_core.testing.arbitrary.plays import Play
from conductor_core.testing.strategies import plays
from property_tests.differential import Pair, play, shrunk
from property_tests.profiles import PROFILE, by_profile
from property_tests.tally import Tally

COMPARED: Final = by_profile(dev=40_000, ci=400_000, thorough=10_000_000)
"""So many events of seeded plays are compared, besides those that Hypothesis finds."""


def assert_agreement(spec: FlowSpec, *sent: Event) -> None:
    """Deliver the events to both and show where they differ first."""
    pair = Pair(spec)
    for event in sent:
        difference = pair.send(event)
        assert difference is None, str(difference)


@given(plays())
def test_both_say_the_same_of_whatever_hypothesis_finds(played: Play) -> None:
    """Verdicts, commands and visible state of reducer and model are the same after any events."""
    assert_agreement(played.start.spec, *played.events)


def test_both_say_the_same_of_seeded_plays_that_meet_every_verdict() -> None:
    """On long seeded plays the two agree, and every verdict that the rules know is met."""
    tally = Tally()
    number = 0
    while tally.total < COMPARED:
        difference = play(random.Random(f"{PROFILE}/{number}").randrange, tally)
        assert difference is None, str(shrunk(difference))
        number += 1
    assert not tally.never()
    assert not tally.unexpected()


def test_both_forget_the_same_request_ids() -> None:
    """Of many accepted requests both remember the last 256 (S4.5)."""
    spec = FlowSpec(groups=(GroupSpec(key="g", steps=(StepSpec(key="a"),)),))
    requests = [
        request(at_ms=0, by="ana", request_id=f"{request.__name__}-{number}")
        for number in range(130)
        for request in (events.PauseRequested, events.ResumeRequested)
    ]
    assert_agreement(spec, events.FlowStarted(at_ms=0), *requests, *requests[:6], *requests[-6:])
