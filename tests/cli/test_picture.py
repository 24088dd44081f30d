"""The picture of a terminal in the README is what a run looks like."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.picture import PICTURE, drawn, lines_of, looks_of, seen
from tests.cli.tmux import needs_tmux

SHOWN = PICTURE.read_text(encoding="utf-8")


@needs_tmux
def test_the_picture_shows_what_is_seen(tmp_path: Path) -> None:
    """A run of today looks like the picture, times aside: its text, and all of its colours."""
    now = drawn(seen(tmp_path))
    assert lines_of(SHOWN) == lines_of(now)
    assert looks_of(SHOWN) == looks_of(now)


def test_the_picture_loads_nothing() -> None:
    """It names no font, script or picture that would have to be fetched."""
    assert re.findall(r"@font-face|url\((?!#)|<script|<image|href", SHOWN) == []


def test_the_picture_shows_a_whole_story() -> None:
    """A question, its answer, work that fails and is tried again, and what is still to come."""
    story = "\n".join(lines_of(SHOWN))
    parts = ("retry? approve as agreed", "✓ network", "● api#1", "✗ web#1", "↻ web#2", "· check")
    assert [part for part in parts if part not in story] == []
