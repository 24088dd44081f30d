"""How long, for people: two units at most, and never less than there is."""

from __future__ import annotations

import pytest

from conductor_adapters.cli.durations import told_duration


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
