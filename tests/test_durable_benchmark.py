"""The benchmark of the SQLite host measures what it says; no figure is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import durable
from benchmarks.peers import installed
from benchmarks.scale import TINY
from tests.benchmark_run import tiny_rows


def rows() -> list[dict[str, Any]]:
    """What this part found in the run of all parts."""
    return [row for row in tiny_rows() if row["part"] == durable.PART.name]


def test_each_setting_and_shape_is_measured() -> None:
    """With the bare loop, and one by one with DBOS."""
    told = [row["what"] for row in rows()]
    for synchronous in durable.SYNCHRONOUS:
        for shape in (durable.ONE_BY_ONE, durable.TOGETHER):
            of = [w for w in told if w.startswith(f"{synchronous}, {shape}, 20 steps")]
            assert len(of) == 1 + (shape == durable.ONE_BY_ONE)
    assert [row["unit"] for row in rows()[-3:]] == ["s", "ms", "% CPU"]


def test_what_was_measured_has_a_figure() -> None:
    """All of it, but for a peer that is not installed."""
    without = [row["what"] for row in rows() if row["figure"] is None]
    missing = installed.installed_version("dbos") is None
    assert len(without) == (len(durable.SYNCHRONOUS) if missing else 0)
    assert all("DBOS" in what for what in without)


def test_dbos_is_told_of_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows have no figure and say why, and the loop is measured."""
    monkeypatch.setattr(installed, "DISTRIBUTIONS", {"dbos": "never-published"})
    monkeypatch.setattr(durable, "SYNCHRONOUS", ("NORMAL",))
    loop, dbos, *_ = durable.measure(TINY)
    assert loop.figure is not None
    assert (dbos.verdict, dbos.note) == ("not measured", "it is not installed")
