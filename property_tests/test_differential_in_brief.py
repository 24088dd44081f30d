"""The reducer and the independent model agree on some plays that are always the same.

Rule: what differs is not shrunk here, so that a broken reducer is found at once (`mutation`).
"""

from __future__ import annotations

import random
from typing import Final

import pytest

from property_tests.differential import play
from property_tests.tally import Tally

COMPARED: Final = 2000


@pytest.mark.parametrize("part", range(6))
def test_both_say_the_same_of_the_same_plays(part: int) -> None:
    """Verdicts, commands and visible state are the same in every play of a fixed seed."""
    tally, number = Tally(), 0
    while tally.total < COMPARED:
        difference = play(random.Random(f"brief/{part}/{number}").randrange, tally)
        assert difference is None, str(difference)
        number += 1
