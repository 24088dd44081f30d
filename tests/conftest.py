"""Servers for tests that ask for them (see `tests.services`), and Ctrl-C for all tests.

Ctrl-C works also where the tests run in the background of a shell: one without job control lets
what it starts with `&` ignore SIGINT, and so would whatever the tests start and interrupt.

Tests run in several processes, each of which is measured by what `coverage` leaves in the
environment. What a test starts is not: it would be slower, and nothing looks at it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from typing import Any

import pytest

pytest_plugins = ["tests.measuring", "tests.services.fixtures"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The one that hands out the tests goes on to start processes that are to be measured.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Send reports between processes also where a test is about what no encoding can say."""
    return speakable((yield))


def speakable(value: Any) -> Any:
    """A report as decoded JSON, with lone surrogates written out."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case list() | tuple():
            return type(value)(speakable(item) for item in value)
        case dict():
            return {speakable(key): speakable(item) for key, item in value.items()}
        case _:
            return value
