"""Which tests count towards the coverage of the core: those of the core, and of the kit for hosts.

Rule: what is played many times over, and what drives hosts and commands, is not measured. To
measure it takes longer than to play it, and every branch of the core has a test of its own.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from fnmatch import fnmatch
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
    "property_tests/*",
    "tests/adapters/*",
    "tests/cli/*",
    "tests/debugger/*",
    "tests/services/*",
    "tests/ui/*",
    # What examples, pages and figures say.
    "tests/test_*_benchmark.py",
    "tests/test_benchmarks.py",
    "tests/test_examples.py",
    "tests/test_pages.py",
    "tests/test_performance_doc.py",
    "tests/test_readme.py",
    "tests/test_references.py",
)
MEASURED: Final = (
    # The kit is a part of the core, and the memory host its first user.
    "tests/adapters/test_memory_conformance.py",
    "property_tests/test_strategies.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have what counts run first: what is remembered from then on is not done again."""
    items.sort(key=lambda item: not counts(item))


@pytest.fixture(autouse=True, scope="module")
def unmeasured_file(request: pytest.FixtureRequest) -> Generator[None]:
    """Whatever measures this process looks away, unless the tests of this file are to count."""
    with nullcontext() if counts(request.node) else unmeasured():
        yield


@pytest.fixture(autouse=True)
def unmeasured_test(request: pytest.FixtureRequest) -> Generator[None]:
    """It looks away from a test that is marked so, too: a search that others make in small."""
    node = request.node
    looks_away = counts(node) and node.get_closest_marker("unmeasured") is not None
    with unmeasured() if looks_away else nullcontext():
        yield


def counts(node: pytest.Item | pytest.Collector) -> bool:
    """Whether the file of a test counts."""
    file = node.path.relative_to(ROOT).as_posix()
    return file in MEASURED or not any(fnmatch(file, pattern) for pattern in UNMEASURED)


@contextmanager
def unmeasured() -> Generator[None]:
    """Have whatever measures this process look away."""
    measuring = None if Coverage is None else Coverage.current()
    if measuring is None:
        yield
        return
    measuring.stop()
    yield
    measuring.start()
    # To start is to have what is started from here measured, too: see the conftest.
    os.environ.pop(PROCESSES, None)
