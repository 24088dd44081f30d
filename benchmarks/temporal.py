"""What a flow costs on Temporal, beside a workflow that is written by hand with the same activity.

Both run on one server that keeps everything in memory, with a worker of their own each. The flow
also keeps a log, which is made again from its histories; how long it takes to verify that is held
against Temporal's own Replayer.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final, TypeAlias

from attrs import define, field

from benchmarks.children import ROOT, figures
from benchmarks.parts import Part, run
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.temporal_names import (
    BY_HAND,
    CHILDREN,
    FLOWS,
    GROUP_SIZE,
    KINDS,
    LOG,
    PROCESSOR,
    SEQUENTIAL,
    TASKS,
    TOTAL,
    WALL,
)
from tests.services.processes import Household, Process, installed
from tests.services.temporal import Temporal

OF_BY_HAND: Final = (1.2, 1.1)
"""What a step may take, and should rather: so many times what it takes the hand-written one."""
MORE_EVENTS: Final = 0.0
OF_THE_LOG: Final = 20.0
"""So many times what the verified replay takes is what the Replayer takes."""
WARNS_AT: Final = {"events": 10_240, "size": 10 * 2**20, "input": 256 * 2**10}
REFUSES_AT: Final = {"events": 51_200, "size": 50 * 2**20, "input": 2 * 2**20}
"""Where Temporal warns of a history or of a payload, and where it takes no more."""
REPLAYER: Final = "Replayer, of the verified replay"
LARGE: Final = {
    "runs": ("runs", ""),
    "events": ("the longest history", "events"),
    "size": ("the largest history", "bytes"),
    "input": ("the largest input of a run", "bytes"),
    "seconds": ("time", "s"),
}
"""What is found of a large flow, and in which unit."""

Sides: TypeAlias = Mapping[str, Mapping[str, float]]
"""Figures by their names, of both sides."""


@define
class Stand:
    """What is there to be measured: a server and a worker for each side, or why not."""

    server: str = ""
    workers: list[Process] = field(factory=list)
    missing: str = ""

    def figures(self, module: str, *arguments: object) -> dict[str, Any]:
        """What a module finds; nothing where there is nothing to be measured."""
        if self.missing:
            return {}
        try:
            return figures(f"benchmarks.{module}", self.server, *arguments)
        except subprocess.CalledProcessError:
            print(*(worker.wrote() for worker in self.workers), sep="\n", file=sys.stderr)
            raise


@contextmanager
def stand() -> Generator[Stand]:
    """Start a server and the workers, if they are here."""
    absent = None if installed("temporalio") else "temporalio is not installed"
    missing = absent or Temporal.missing()
    if missing is not None:
        yield Stand(missing=missing)
        return
    with ExitStack() as stack:
        server = stack.enter_context(Temporal())
        household = Household("temporal-workers")
        stack.callback(household.close)
        command = (sys.executable, "-m", "benchmarks.temporal_apps", server.url)
        environment = {"PYTHONPATH": str(ROOT)}
        workers = [household.run(*command, side, env=environment) for side in (BY_HAND, FLOWS)]
        yield Stand(server.url, workers)


def measure(scale: Scale) -> Iterator[Row]:
    """What steps take, and leave behind, at each size; a large flow; both replays."""
    with stand() as there:
        pids = [worker.pid for worker in there.workers]
        for steps in scale.temporal_steps:
            found = there.figures("temporal_runs", steps, scale.rounds, *pids)
            for kind in KINDS:
                yield from of_kind(found, there.missing, kind, steps)
        for sizes, run_by in (
            ((scale.temporal_groups, GROUP_SIZE), FLOWS),
            (scale.temporal_handed, CHILDREN),
        ):
            found = there.figures("temporal_large", *sizes, run_by)
            yield from of_large(found, there.missing, *sizes, run_by=run_by)
        steps = scale.temporal_replayed
        found = there.figures("temporal_replays", steps, scale.rounds)
        for kind in KINDS:
            yield from of_replay(found, there.missing, kind, steps)


# --- steps ---


def of_kind(found: Mapping[str, Sides], missing: str, kind: str, steps: int) -> Iterator[Row]:
    """What a step takes, and which events it leaves."""
    sides = found.get(kind, {})
    ours, theirs = sides.get(FLOWS, {}), sides.get(BY_HAND, {})
    yield Row(
        part="temporal",
        what=f"{BY_HAND}, {kind}, {steps:,} steps",
        figure=theirs.get(WALL),
        unit="µs a step",
        note=missing,
    )
    what = f"{kind} flow, {steps:,} steps"
    goal, stretch = OF_BY_HAND
    yield Row(
        part="temporal",
        what=f"{what}: of {BY_HAND}",
        figure=_ratio(ours, theirs, WALL),
        unit="times",
        goal=goal,
        stretch=stretch,
        note=missing or f"{ours[WALL]:,.0f} µs a step",
    )
    yield Row(
        part="temporal",
        what=f"{what}: processor time, of {BY_HAND}",
        figure=_ratio(ours, theirs, PROCESSOR),
        unit="times",
        note=missing or f"{ours[PROCESSOR]:,.0f} µs a step, against {theirs[PROCESSOR]:,.0f}",
    )
    yield _events(ours, theirs, missing, what, kind)


def _ratio(ours: Mapping[str, float], theirs: Mapping[str, float], name: str) -> float | None:
    return ours[name] / theirs[name] if ours else None


def _events(
    ours: Mapping[str, float], theirs: Mapping[str, float], missing: str, what: str, kind: str
) -> Row:
    """What a flow writes that a hand-written workflow does not.

    How many tasks Temporal makes of what ends at about the same time is not the same twice, so
    that those of a parallel flow do not count.
    """
    apart = kind != SEQUENTIAL
    counts = [
        side[TOTAL] - (side[TASKS] if apart else 0) for side in (ours, theirs) if side
    ]  # fmt: skip
    note = "" if not counts else f"{_counted(ours)}, against {_counted(theirs)}"
    return Row(
        part="temporal",
        what=f"{what}: more events" + (", workflow tasks apart" if apart else ""),
        figure=counts[0] - counts[1] if counts else None,
        unit="",
        goal=MORE_EVENTS,
        note=missing or note,
    )


def _counted(side: Mapping[str, float]) -> str:
    return f"{side[TOTAL]:,.0f} with {side[TASKS]:,.0f} of tasks"


# --- a large flow ---


def of_large(
    found: Mapping[str, float], missing: str, groups: int, size: int, *, run_by: str
) -> Iterator[Row]:
    """How large a flow of many groups becomes, beside what Temporal bears; both replays of it."""
    name = f"{groups * size:,} steps in {groups:,} groups"
    flow = f"{name} as children" if run_by == CHILDREN else name
    yield Row(
        part="temporal",
        what=f"{flow}: {REPLAYER}",
        figure=found.get("replays"),
        unit="times",
        goal=None if run_by == CHILDREN else OF_THE_LOG,
        more_is_better=True,
        note=missing,
    )
    for name, (what, unit) in LARGE.items():
        yield Row(
            part="temporal",
            what=f"{flow}: {what}",
            figure=found.get(name),
            unit=unit,
            goal=REFUSES_AT.get(name),
            stretch=WARNS_AT.get(name),
            note=missing,
        )


# --- replays ---


def of_replay(found: Sides, missing: str, kind: str, steps: int) -> Iterator[Row]:
    """What both replays take for the same flow."""
    per_step = found.get(kind, {})
    yield Row(
        part="temporal",
        what=f"{kind} flow, {steps:,} steps: verified replay of its log",
        figure=per_step.get(LOG),
        unit="µs a step",
        note=missing,
    )
    for side, whose, goal in (
        (FLOWS, f"{kind} flow", OF_THE_LOG),
        (BY_HAND, f"{BY_HAND}, {kind}", None),
    ):
        yield Row(
            part="temporal",
            what=f"{whose}, {steps:,} steps: {REPLAYER}",
            figure=per_step[side] / per_step[LOG] if per_step else None,
            unit="times",
            goal=goal,
            more_is_better=True,
            note=missing or f"{per_step[side]:,.0f} µs a step",
        )


PART: Final = Part("temporal", "what a flow costs on Temporal, beside hand-written", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
