"""However often a flow on Temporal continues as new, nothing that is asked of it is lost.

With CONDUCTOR_ALL_TRIALS=1 as much is asked as `python -m property_tests.temporal_requests` does.
"""

from __future__ import annotations

import os

from property_tests.temporal_requests import FULL, Size, trial
from tests.services.fixtures import require
from tests.services.temporal import Temporal

ALL = os.environ.get("CONDUCTOR_ALL_TRIALS") == "1"
SIZE = FULL if ALL else Size(requests=60, groups=10)


def test_each_request_is_answered_once_whichever_run_it_meets() -> None:
    """Updates are answered as the log says, and signals count, each once."""
    require(Temporal)
    told = trial(SIZE)
    assert told.requests == SIZE.requests
    assert told.runs > SIZE.groups
    assert told.signals > 0
    assert told.doubled > 0
    assert SIZE.groups < told.met
