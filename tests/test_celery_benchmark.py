"""The benchmark of flows on Celery measures what it says; no figure is looked at."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks import celery
from benchmarks.celery_runs import CHAIN, GROUP, ONE_AT_A_TIME, PARALLEL, SEQUENTIAL, STORE_ALONE
from benchmarks.rows import Row
from benchmarks.scale import FULL, TINY
from tests.services.fixtures import require
from tests.services.postgres import Postgres
from tests.services.processes import installed
from tests.services.redis import Redis

OF = {
    SEQUENTIAL: (ONE_AT_A_TIME, CHAIN),
    PARALLEL: (GROUP,),
}
NAMES = [
    *(f"{name}, 20 steps" for name in (CHAIN, GROUP, ONE_AT_A_TIME)),
    *(
        what
        for store in celery.SEQUENTIAL_GOALS
        for what in (
            *(
                f"{kind.format(store)}, 20 steps: of {peer}"
                for kind, peers in OF.items()
                for peer in peers
            ),
            f"{STORE_ALONE.format(store)}, 20 steps",
        )
    ),
]


def without_figure(rows: list[Row]) -> dict[str, str]:
    """Why some rows have no figure."""
    return {row.what: row.note for row in rows if row.figure is None}


def test_everything_is_measured() -> None:
    """Flows on each store, and what they are held against, have figures from a real run."""
    require(Redis, Postgres)
    if not installed("celery"):
        pytest.skip("Celery is not installed: flows on it are not measured")
    rows = list(celery.measure(TINY))
    assert [row.what for row in rows] == NAMES
    assert without_figure(rows) == {}


def test_the_goals_stand_beside_the_figures() -> None:
    """A flow is to be faster than a chain where that is long, and all else at any size."""
    figures = dict.fromkeys((CHAIN, GROUP, ONE_AT_A_TIME), 1.0)
    figures |= {kind.format(store): 1.5 for kind in OF for store in celery.SEQUENTIAL_GOALS}
    found = Counter(
        (steps, row.goal, row.stretch)
        for steps in FULL.celery_steps
        for store in celery.SEQUENTIAL_GOALS
        for row in celery.of_flows(figures, {}, store, steps)
        if row.goal is not None
    )
    goals = {(2.0, 1.5): 1, (4.0, 2.5): 1, (3.0, None): 2}
    assert FULL.celery_steps == (20, 200, 2_000)
    assert found == {
        **{(steps, *goal): count for steps in FULL.celery_steps for goal, count in goals.items()},
        (2_000, 1.0, None): 2,
    }


def test_what_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a Redis nothing is measured, and every row says so."""
    monkeypatch.setattr(Redis, "missing", staticmethod(lambda: "there is none"))
    rows = list(celery.measure(TINY))
    assert without_figure(rows) == dict.fromkeys(NAMES, "there is none")


def test_without_a_database_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of PostgreSQL say why they have no figure."""
    require(Redis)
    if not installed("celery"):
        pytest.skip("Celery is not installed: flows on it are not measured")
    monkeypatch.setattr(Postgres, "missing", staticmethod(lambda: "there is none"))
    rows = list(celery.measure(TINY))
    missing = [name for name in NAMES if celery.POSTGRES in name]
    assert without_figure(rows) == dict.fromkeys(missing, "there is none")
