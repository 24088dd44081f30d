"""Which tests count towards the coverage of the core: those of the core, and of the kit for hosts.

Rule: what is played many times over, and what drives hosts and commands, is not measured. To
measure it takes longer than to play it, and every branch of the core has a test of its own.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Final

import pytest

from tests.documents import ROOT

try:
    from coverage import Coverage
except ModuleNotFoundError:
    Coverage = None  # type: ignore[assignment,misc] # nothing measures where it is not installed

PROCESSES: Final = "COVERAGE_PROCESS_CONFIG"
"""What `coverage` leaves in the environment for processes that are to be measured."""
UNMEASURED: Final = (
    "property_tests/",
    "tests/adapters/",
    "tests/cli/",
    "tests/debugger/",
    "tests/ui/",
)
MEASURED: Final = (
    # The kit is a part of the core, and the memory host its first user.
    "tests/adapters/test_memory_conformance.py",
)


@pytest.fixture(autouse=True, scope="module")
def unmeasured(request: pytest.FixtureRequest) -> Generator[None]:
    """Whatever measures this process looks away, unless the tests of this file are to count."""
    file = request.path.relative_to(ROOT).as_posix()
    counts = file in MEASURED or not file.startswith(UNMEASURED)
    measuring = None if counts or Coverage is None else Coverage.current()
    if measuring is None:
        yield
        return
    measuring.stop()
    yield
    measuring.start()
    # To start is to have what is started from here measured, too: see the conftest.
    os.environ.pop(PROCESSES, None)
