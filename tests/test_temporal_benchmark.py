"""The benchmark of flows on Temporal measures what it says; no figure is looked at."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks import temporal
from benchmarks.rows import Row
from benchmarks.scale import FULL, QUICK, TINY
from benchmarks.temporal_names import (
    BY_HAND,
    FLOWS,
    KINDS,
    LOG,
    PARALLEL,
    PROCESSOR,
    SEQUENTIAL,
    TASKS,
    TOTAL,
    WALL,
)
from tests.services.fixtures import require
from tests.services.processes import installed
from tests.services.temporal import Temporal

APART = {SEQUENTIAL: "", PARALLEL: ", workflow tasks apart"}
NAMES = [
    *(
        name
        for kind in KINDS
        for name in (
            f"{BY_HAND}, {kind}, 20 steps",
            f"{kind} flow, 20 steps: of {BY_HAND}",
            f"{kind} flow, 20 steps: processor time, of {BY_HAND}",
            f"{kind} flow, 20 steps: more events{APART[kind]}",
        )
    ),
    *(
        f"{flow}: {what}"
        for flow in ("100 steps in 1 groups", "20 steps in 1 groups as children")
        for what in (temporal.REPLAYER, *(what for what, _ in temporal.LARGE.values()))
    ),
    *(
        name
        for kind in KINDS
        for name in (
            f"{kind} flow, 20 steps: verified replay of its log",
            f"{kind} flow, 20 steps: Replayer, of the verified replay",
            f"{BY_HAND}, {kind}, 20 steps: Replayer, of the verified replay",
        )
    ),
]


def without_figure(rows: list[Row]) -> dict[str, str]:
    """Why some rows have no figure."""
    return {row.what: row.note for row in rows if row.figure is None}


def side(**figures: float) -> dict[str, float]:
    """What is found of one of the two."""
    return {WALL: 1.0, PROCESSOR: 1.0, TOTAL: 12.0, TASKS: 6.0, **figures}


def test_everything_is_measured() -> None:
    """Flows, what is written by hand, and both replays have figures from a real run."""
    require(Temporal)
    if not installed("temporalio"):
        pytest.skip("temporalio is not installed: flows on it are not measured")
    rows = list(temporal.measure(TINY))
    assert [row.what for row in rows] == NAMES
    assert without_figure(rows) == {}
    events = {row.what: row.figure for row in rows if "more events" in row.what}
    assert list(events.values()) == [0, 0], "a flow writes nothing that nobody else would"


def test_the_goals_stand_beside_the_figures() -> None:
    """Each kind has those of a step, of its events and of its replay, at every size."""
    found = Counter(
        (row.goal, row.stretch)
        for kind in KINDS
        for row in (
            *temporal.of_kind({kind: {FLOWS: side(), BY_HAND: side()}}, "", kind, 20),
            *temporal.of_replay({kind: {FLOWS: 40.0, BY_HAND: 40.0, LOG: 1.0}}, "", kind, 20),
        )
        if row.goal is not None
    )
    assert found == {(1.2, 1.1): 2, (0.0, None): 2, (20.0, None): 2}
    assert FULL.temporal_steps == (20, 200, 2_000)
    assert (FULL.temporal_groups, FULL.temporal_replayed) == (200, 2_000)
    assert (QUICK.temporal_steps, QUICK.temporal_groups) == ((20,), 4)


def test_the_tasks_of_a_parallel_flow_do_not_count() -> None:
    """Temporal makes more or fewer of them as it happens; those of a sequential flow count."""
    sides = {FLOWS: side(total=15.0, tasks=9.0), BY_HAND: side()}
    more = {
        kind: row.figure
        for kind in KINDS
        for row in temporal.of_kind({kind: sides}, "", kind, 20)
        if "more events" in row.what
    }
    assert more == {SEQUENTIAL: 3, PARALLEL: 0}


@pytest.mark.parametrize(
    ("size", "verdict"), [(262_144, "stretch met"), (262_145, "met"), (2_097_153, "missed")]
)
def test_a_large_flow_is_held_against_what_temporal_bears(size: int, verdict: str) -> None:
    """What it warns of is not what is to be, and what it refuses misses the goal."""
    rows = {row.what: row for row in temporal.of_large({"input": size}, "", 2, 100, run_by=FLOWS)}
    assert rows["200 steps in 2 groups: the largest input of a run"].verdict == verdict


def test_what_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server nothing is measured, and every row says so."""
    monkeypatch.setattr(Temporal, "missing", staticmethod(lambda: "there is none"))
    monkeypatch.setattr(temporal, "installed", lambda _name: True)
    rows = list(temporal.measure(TINY))
    assert without_figure(rows) == dict.fromkeys(NAMES, "there is none")


def test_without_its_library_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of Temporal is imported before that is known."""
    monkeypatch.setattr(temporal, "installed", lambda _name: False)
    reasons = set(without_figure(list(temporal.measure(TINY))).values())
    assert reasons == {"temporalio is not installed"}
