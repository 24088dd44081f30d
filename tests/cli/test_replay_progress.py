"""A long replay shows a bar to people at a terminal, and to nobody else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conductor_adapters.cli.replay_progress import LONG
from conductor_core import events, initial_state, reduce
from conductor_core.log import LogWriter
from conductor_core.testing.brief import START, flow, group, succeeded
from tests.cli.pseudo_terminal import Screened, screened

NOTE = "x" * 4000


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that is long enough, with a name that a terminal must not believe."""
    state = initial_state(flow(group("g", "a")), flow_id="long")
    writer = LogWriter(state, at_ms=0)
    lines = [writer.header()]
    sent: list[events.Event] = [START]
    sent += [
        events.ApprovalResponded(at_ms=0, step="a", response="deny", by="ann", note=NOTE)
        for _ in range(LONG // len(NOTE))
    ]
    for event in (*sent, succeeded("a#1")):
        transition = reduce(state, event)
        lines.append(writer.entry(event, transition))
        state = transition.state
    path = tmp_path_factory.mktemp("logs") / "long\x1b[31m.jsonl"
    path.write_text("".join([*lines, writer.close(state)]))
    return path


def replayed(log: Path, term: str = "xterm") -> Screened:
    """What replaying a log shows at a terminal; it verifies."""
    shown = screened("replay", str(log), term=term, COLUMNS="100")
    assert shown.code == 0
    return shown


def test_a_long_replay_shows_how_far_it_is(log: Path) -> None:
    """The name as it may be shown, a bar, and the lines read; in the end the line is empty."""
    shown = replayed(log)
    assert re.search(r"[━╸╺].*\d+%.* lines", shown.written)
    assert "\x1b[31m.jsonl" not in shown.written
    assert shown.written.rstrip("\r\n").endswith(("\x1b[2K", "\x1b[?25h"))
    assert (
        shown.answer == f"replay: {LONG // len(NOTE) + 2} entries verified; the flow is success\n"
    )


def test_a_terminal_that_cannot_rewrite_a_line_shows_nothing(log: Path) -> None:
    """A bar would fill it."""
    shown = replayed(log, term="dumb")
    assert shown.written == ""
    assert shown.answer.startswith("replay: ")


def test_a_short_replay_is_over_before_one_could_look(tmp_path: Path) -> None:
    """It draws nothing, at whatever terminal."""
    state = initial_state(flow(group("g", "a")), flow_id="short")
    (tmp_path / "short.jsonl").write_text(LogWriter(state, at_ms=0).header())
    shown = replayed(tmp_path / "short.jsonl")
    assert shown.written == ""
    assert shown.answer == "replay: 0 entries verified; not closed, the flow is pending\n"
