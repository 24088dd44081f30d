"""How many instructions of the processor an event takes on the hot paths.

On a machine that is busy with other things the clock is a poor witness; instructions are
counted by valgrind and hardly differ from run to run, so that two checkouts can be
compared: write `--json FILE` in one, and read `--against FILE` in the other. Each path is run
with few events and with more; start-up drops out of the difference.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from attrs import evolve

from benchmarks.children import ROOT
from benchmarks.counted import FEW, MOST, PATHS
from benchmarks.parts import Part, add_outputs, report
from benchmarks.rows import Row
from benchmarks.scale import Scale

VALGRIND: Final = (
    "valgrind",
    "--tool=cachegrind",
    "--cache-sim=no",
    "--cachegrind-out-file=/dev/null",
)
_REFERENCES: Final = re.compile(r"I\s+refs:\s+([\d,]+)")


def measure(_: Scale) -> Iterator[Row]:
    """For each path the instructions of an event."""
    for name in PATHS:
        found = (counted(name, MOST) - counted(name, FEW)) / (MOST - FEW)
        yield Row(part="instructions", what=name, figure=found, unit="an event")


def counted(path: str, events: int) -> int:
    """The instructions of a whole process that plays so many events."""
    command = [*VALGRIND, sys.executable, "-m", "benchmarks.counted", path, str(events)]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    found = _REFERENCES.search(done.stderr)
    assert found is not None, done.stderr
    return int(found[1].replace(",", ""))


def beside(rows: Iterable[Row], file: Path) -> Iterator[Row]:
    """The rows, each with its ratio to that of the same name in a file."""
    before = {row["what"]: row["figure"] for row in json.loads(file.read_text(encoding="utf-8"))}
    for row in rows:
        known = before.get(row.what)
        note = f"{row.figure / known:.3f} times {known:,.0f}" if row.figure and known else "new"
        yield evolve(row, note=note)


def main(arguments: list[str] | None = None) -> int:
    """Count; 2 where there is no valgrind."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions")
    add_outputs(parser)
    parser.add_argument("--against", type=Path, metavar="FILE", help="rows of another checkout")
    parser.set_defaults(scale="full", rounds=None)
    options = parser.parse_args(arguments)
    if shutil.which(VALGRIND[0]) is None:
        print("valgrind is not installed: instructions cannot be counted", file=sys.stderr)
        return 2
    against = options.against

    def told(scale: Scale) -> Iterator[Row]:
        return measure(scale) if against is None else beside(measure(scale), against)

    return report([Part("instructions", "how many instructions an event takes", told)], options)


if __name__ == "__main__":
    sys.exit(main())
