"""What durability costs: the SQLite host beside its own transactions, and beside DBOS.

Everything is timed by the wall on the same disk, in processes of their own, in turn; medians
are compared. An event is what is recorded: each step has two, its start and its end. The bare
loop writes the same rows, an event in a transaction; the host puts events that come together
into one. What its very transactions take alone is told beside it. DBOS does its steps one by
one, so it is compared with a flow that does.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from typing import Final

from benchmarks.children import figures
from benchmarks.parts import Part, run
from benchmarks.peers.installed import installed_version
from benchmarks.rows import Row
from benchmarks.scale import Scale

OF_THE_LOOP: Final = 0.6
OF_DBOS: Final = 5.0
LIST_S: Final = 0.3
ACTED_MS: Final = 100.0
IDLE_PERCENT: Final = 1.0
IDLE_S: Final = 2
"""So long a worker is watched that has nothing to do, for each round."""
SYNCHRONOUS: Final = ("FULL", "NORMAL")
ONE_BY_ONE: Final = "one by one"
TOGETHER: Final = "100 at a time"
NOT_INSTALLED: Final = "it is not installed"


def measure(scale: Scale) -> Iterator[Row]:
    """For each setting, and flows of both shapes, the ratios that are promised."""
    for synchronous in SYNCHRONOUS:
        for shape in (ONE_BY_ONE, TOGETHER):
            runs = ["host", "loop", "same"]
            if shape == ONE_BY_ONE and installed_version("dbos") is not None:
                runs.append("dbos")
            per_s = _medians(runs, synchronous, shape, scale)
            yield _of_the_loop(per_s, f"{synchronous}, {shape}", scale.durable_steps)
            if shape == ONE_BY_ONE:
                yield _of_dbos(per_s, f"{synchronous}, {shape}", scale.durable_steps)
    yield from _crowd(scale)


def _crowd(scale: Scale) -> Iterator[Row]:
    """What many waiting flows cost."""
    flows = scale.waiting_flows
    told = figures("benchmarks.durable_crowd", flows, scale.rounds * IDLE_S)
    what = f"{flows:,} flows that wait for people"
    worst = f"at most {told['acted_worst_ms']:.0f}"
    for about, figure, unit, goal, note in (
        ("their list", told["list_s"], "s", LIST_S, ""),
        ("from an approval to the work", told["acted_ms"], "ms", ACTED_MS, worst),
        ("a worker that idles", told["idle_percent"], "% CPU", IDLE_PERCENT, ""),
    ):
        yield Row(
            part="durable",
            what=f"{what}: {about}",
            figure=figure,
            unit=unit,
            goal=goal,
            note=note,
        )


def _of_the_loop(per_s: dict[str, float], what: str, steps: int) -> Row:
    told = ", ".join(f"{run} {found:,.0f}" for run, found in per_s.items())
    return Row(
        part="durable",
        what=f"{what}, {steps:,} steps: events, of a bare loop",
        figure=per_s["host"] / per_s["loop"],
        unit="times",
        goal=OF_THE_LOOP,
        more_is_better=True,
        note=f"steps a second: {told}",
    )


def _of_dbos(per_s: dict[str, float], what: str, steps: int) -> Row:
    """Without a figure where DBOS is not installed."""
    peer = per_s.get("dbos")
    return Row(
        part="durable",
        what=f"{what}, {steps:,} steps: steps, of DBOS",
        figure=None if peer is None else per_s["host"] / peer,
        unit="times",
        goal=OF_DBOS,
        more_is_better=True,
        note=NOT_INSTALLED if peer is None else "",
    )


def _medians(runs: list[str], synchronous: str, shape: str, scale: Scale) -> dict[str, float]:
    """How many steps a second each does."""
    found: dict[str, list[float]] = {run: [] for run in runs}
    for _ in range(scale.rounds):
        for name in runs:
            told = figures("benchmarks.durable_runs", name, synchronous, shape, scale.durable_steps)
            found[name].append(told["per_s"])
    return {name: statistics.median(each) for name, each in found.items()}


PART: Final = Part("durable", "what durability costs, by the wall", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
