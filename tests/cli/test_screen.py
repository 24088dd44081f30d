"""The screens of a run: which one is chosen, and what they say of a run that goes on."""

from __future__ import annotations

import os
import pty
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from conductor_adapters.cli.live import LiveScreen
from conductor_adapters.cli.screen import JsonScreen, TextScreen, people_screen, screen_for
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
    """A pipe gets lines, and a program gets JSON."""
    monkeypatch.setenv("TERM", "xterm")
    with standard_output(os.pipe()):
        assert isinstance(screen_for(as_json=False), TextScreen)
        assert isinstance(screen_for(as_json=True), JsonScreen)


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
    screen().resumed(state)
    output, errors = capfd.readouterr()
    told = "flow f goes on: in-progress, 1 of 2 steps finished\n"
    assert (output, errors) == ((told, "") if screen is TextScreen else ("", told))
