"""The benchmark of the SQLite host measures what it says; no figure is looked at."""

from __future__ import annotations

from benchmarks import durable
from benchmarks.scale import TINY


def test_each_setting_and_shape_is_measured() -> None:
    """With the bare loop, and with DBOS where that is installed."""
    rows = list(durable.measure(TINY))
    assert {row.part for row in rows} == {"durable"}
    assert all(row.figure is not None and row.figure >= 0 for row in rows)
    told = [row.what for row in rows]
    for synchronous in durable.SYNCHRONOUS:
        for shape in (durable.ONE_BY_ONE, durable.TOGETHER):
            assert any(what.startswith(f"{synchronous}, {shape}, 20 steps") for what in told)
    assert [row.unit for row in rows[-3:]] == ["s", "ms", "% CPU"]
