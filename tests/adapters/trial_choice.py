"""How many trials of the conformance kit a host that takes its time is put to.

By default every case is played, and every weather, but not each case in each weather: they take
turns. Each in each where CONDUCTOR_EACH_TRIAL is 1, as .ci/run has it; on Celery with each
combination of broker and store where CONDUCTOR_ALL_TRIALS is 1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from typing import Final

from conductor_core.testing.conformance import Case, Weather, cases, weathers

ALL: Final = os.environ.get("CONDUCTOR_ALL_TRIALS") == "1"
EACH: Final = ALL or os.environ.get("CONDUCTOR_EACH_TRIAL") == "1"
_TURNS: Final = 3


def trials(turn: int = 0) -> Iterator[tuple[Case, Weather]]:
    """Each case in each weather, or in the third of the weathers whose turn it is."""
    for (place, case), (shift, weather) in product(enumerate(cases()), enumerate(weathers())):
        if EACH or (place + shift) % _TURNS == turn % _TURNS:
            yield case, weather
