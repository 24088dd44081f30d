"""The conformance suite: every scenario of `tests/conformance` is a test of its own.

Rule: the files are taken as they are; a scenario that fails is mended in the core or, where
it contradicts the rules, argued about, never edited to pass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from conductor_adapters.cli.scenario_file import Entry, read_scenarios
from conductor_core.events import Event
from conductor_core.testing import scenario_play
from conductor_core.testing.scenario_world import World
from conductor_core.verdicts import Verdict

FILES: Final = sorted((Path(__file__).parent / "conformance").glob("*.yaml"))
ENTRIES: Final = [
    pytest.param(entry, id=f"{file.name}::{entry.scenario.name}")
    for file in FILES
    for entry in read_scenarios(file).entries()
]


class Restless(World):
    """A world that goes on with a copy of the state after every event."""

    def send(self, event: Event) -> Verdict:
        """Send an event; the state survives being written and read."""
        verdict = super().send(event)
        assert self.copy_state(), f"the copy differs after {event!r}"
        return verdict


def play(entry: Entry) -> None:
    """Play a scenario, which must come out as it says."""
    if told := "\n".join(entry.told(entry.play())):
        pytest.fail(told, pytrace=False)


@pytest.mark.parametrize("entry", ENTRIES)
def test_conformance(entry: Entry) -> None:
    """A scenario of the suite comes out as it says."""
    play(entry)


@pytest.mark.parametrize("entry", ENTRIES)
def test_conformance_across_restarts(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes out the same when the state is written and read after every event."""
    monkeypatch.setattr(scenario_play, "World", Restless)
    play(entry)


def test_the_whole_suite_is_played() -> None:
    """No scenario of the suite goes missing unnoticed."""
    assert len(ENTRIES) == 359
