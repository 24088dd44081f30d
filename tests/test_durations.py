"""How long, for people: two units at most, and never less than there is."""

from __future__ import annotations

import pytest

from conductor_core.durations import told_countdown, told_duration, told_elapsed


@pytest.mark.parametrize(
    ("ms", "told"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (274, "0.274 s"),
        (1_500, "1.5 s"),
        (10_001, "11 s"),
        (60_000, "1 min"),
        (90_000, "1 min 30 s"),
        (3_600_000, "1 h"),
        (3_601_000, "1 h"),
        (3_660_000, "1 h 1 min"),
        (86_399_020, "24 h"),
        (86_400_000, "24 h"),
        (172_800_000, "2 d"),
        (187_200_000, "2 d 4 h"),
    ],
)
def test_a_duration_is_told_in_at_most_two_units(ms: int, told: str) -> None:
    """What is due in 23 h 59 min 59.02 s is due in 24 h."""
    assert told_duration(ms) == told


@pytest.mark.parametrize(
    ("ms", "told"),
    [(-5, "0.0 s"), (274, "0.2 s"), (9_999, "9.9 s"), (10_999, "10 s"), (90_999, "1 min 30 s")],
)
def test_what_has_passed_is_never_more_than_there_was(ms: int, told: str) -> None:
    """A tenth of a second is worth telling at first."""
    assert told_elapsed(ms) == told


@pytest.mark.parametrize(
    ("ms", "told"),
    [(-5, "0 s"), (1, "1 s"), (2_500, "3 s"), (59_001, "1 min"), (60_001, "1 min 1 s")],
)
def test_a_countdown_goes_by_the_second(ms: int, told: str) -> None:
    """It says 1 s until the last moment."""
    assert told_countdown(ms) == told
