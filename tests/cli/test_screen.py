"""The screens of a run: which one is chosen, and what they say of a run that goes on."""

from __future__ import annotations

import json
import os
import pty
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from conductor_adapters.cli.live import LiveScreen
from conductor_adapters.cli.screen import JsonScreen, TextScreen, people_screen
from conductor_core import FlowSpec, GroupSpec, StepSpec, events, initial_state, reduce

SPEC = FlowSpec(groups=(GroupSpec(key="g", steps=(StepSpec(key="a"), StepSpec(key="b"))),))


@contextmanager
def standard_output(pair: tuple[int, int]) -> Generator[None]:
    """Let the second of two descriptors be the standard output."""
    before = os.dup(1)
    os.dup2(pair[1], 1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        for descriptor in (before, *pair):
            os.close(descriptor)


@pytest.mark.parametrize(
    ("term", "kind"),
    [("xterm", LiveScreen), ("dumb", TextScreen), ("", TextScreen), (None, TextScreen)],
)
def test_a_terminal_that_can_move_its_cursor_gets_the_live_view(
    monkeypatch: pytest.MonkeyPatch, term: str | None, kind: type
) -> None:
    """What TERM says decides, and nothing else about a terminal."""
    monkeypatch.delenv("TERM", raising=False)
    if term is not None:
        monkeypatch.setenv("TERM", term)
    with standard_output(pty.openpty()):
        assert isinstance(people_screen(), kind)


def test_where_there_is_no_terminal_lines_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe gets lines."""
    monkeypatch.setenv("TERM", "xterm")
    with standard_output(os.pipe()):
        assert isinstance(people_screen(), TextScreen)


@pytest.mark.parametrize("screen", [TextScreen, JsonScreen])
def test_a_run_that_goes_on_says_from_where(
    capfd: pytest.CaptureFixture[str], screen: type[TextScreen | JsonScreen]
) -> None:
    """The status of the flow and how many steps are done; no part of what programs read."""
    state = initial_state(SPEC, "f")
    for event in (
        events.FlowStarted(at_ms=0),
        events.StepFinished(at_ms=1, attempt="a#1", outcome="succeeded"),
    ):
        state = reduce(state, event).state
    screen().resumed(state, 3)
    output, errors = capfd.readouterr()
    told = "flow f goes on: in-progress, 1 of 2 steps finished\n"
    assert (output, errors) == ((told, "") if screen is TextScreen else ("", told))


def test_a_run_that_finds_the_flow_over_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing goes on after the end."""
    state = initial_state(SPEC, "f")
    for event in (
        events.FlowStarted(at_ms=0),
        events.StepFinished(at_ms=1, attempt="a#1", outcome="succeeded"),
        events.StepFinished(at_ms=2, attempt="b#1", outcome="succeeded"),
    ):
        state = reduce(state, event).state
    TextScreen().resumed(state, 3)
    assert capfd.readouterr().out == "flow f has ended: success, 2 of 2 steps finished\n"


def test_entries_are_numbered_as_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    """Those of a run that goes on follow on those before."""
    screen = JsonScreen()
    begun = reduce(initial_state(SPEC, "f"), events.FlowStarted(at_ms=0))
    screen.resumed(begun.state, 1)
    for attempt in ("a#1", "b#1"):
        event = events.StepFinished(at_ms=1, attempt=attempt, outcome="succeeded")
        begun = reduce(begun.state, event)
        screen.happened(event, begun)
    entries = map(json.loads, capfd.readouterr().out.splitlines())
    assert [entry["seq"] for entry in entries] == [2, 3]
