"""The SQLite host does what every host must, in one process and with work in another host."""

from __future__ import annotations

import asyncio

import pytest

from conductor_core.testing.conformance import Case, Weather, cases, conforms, weathers
from tests.adapters.sqlite_rigs import ProcessRig, SeparateRig, SqliteRig, ThreadRig
from tests.adapters.trial_choice import trials

BY_ANOTHER, IN_THREADS, BY_PROCESSES = ([*trials(turn)] for turn in range(3))
THREADS_WEATHER = (Weather.CALM, Weather.DELAYED, Weather.LOST)


@pytest.mark.parametrize("weather", weathers(), ids=str)
@pytest.mark.parametrize("case", cases(), ids=str)
def test_the_sqlite_host_conforms(case: Case, weather: Weather) -> None:
    """Every case, in every weather, comes to what the pure reducer says."""
    asyncio.run(conforms(SqliteRig, case, weather))


@pytest.mark.parametrize(("case", "weather"), BY_ANOTHER, ids=str)
def test_it_conforms_when_work_is_done_by_another_host(case: Case, weather: Weather) -> None:
    """People at one host and work at another meet in the file."""
    asyncio.run(conforms(SeparateRig, case, weather))


@pytest.mark.parametrize(
    ("case", "weather"), [it for it in IN_THREADS if it[1] in THREADS_WEATHER], ids=str
)
def test_it_conforms_when_work_runs_in_threads(case: Case, weather: Weather) -> None:
    """Threads cannot be interrupted, and do no harm when their host is gone."""
    asyncio.run(conforms(ThreadRig, case, weather))


@pytest.mark.parametrize(("case", "weather"), BY_PROCESSES, ids=str)
def test_it_conforms_when_work_is_done_by_processes(case: Case, weather: Weather) -> None:
    """Those that go down are killed."""
    asyncio.run(conforms(ProcessRig, case, weather))
