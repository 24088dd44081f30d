"""How fast `conductor replay` verifies a folder of logs, and how much sooner by two processes.

Both are whole commands, from their start to their summary, and are timed by the wall: what is
compared is how long somebody waits. They take turns, and of each the quickest counts, since
whatever else runs on the machine slows the two unevenly. The logs are those of the sequential
shape, all alike.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.parts import Part, run
from benchmarks.replay import log_of
from benchmarks.rows import Row
from benchmarks.scale import Scale

ENTRIES: Final = 110
"""So many entries has a log, of a hundred steps."""
TIMES: Final = 1.6
COMMAND: Final = "from conductor_adapters.cli.main import main; main()"


def measure(scale: Scale) -> Iterator[Row]:
    """Entries a second by one process, and how much faster it is by two."""
    logs = scale.folder_logs
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = folder_of(Path(name), logs)
        rounds = [(seconds(folder, 1), seconds(folder, 2)) for _ in range(scale.rounds)]
    one, two = map(min, zip(*rounds, strict=True))
    what = f"{logs:,} logs of {ENTRIES} entries"
    yield Row(
        part="folders",
        what=f"{what}, one process",
        figure=logs * ENTRIES / one,
        unit="a second",
        note=f"{one:.2f} s",
    )
    several = (os.cpu_count() or 1) > 1
    yield Row(
        part="folders",
        what=f"{what}, two processes",
        figure=one / two if several else None,
        unit="times as fast",
        goal=TIMES,
        more_is_better=True,
        note=f"{two:.2f} s" if several else "there is one core",
    )


def folder_of(parent: Path, logs: int) -> Path:
    """A folder with so many logs."""
    first = log_of(parent, ENTRIES)
    folder = parent / "logs"
    folder.mkdir()
    for number in range(logs):
        shutil.copyfile(first, folder / f"{number:05}.jsonl")
    return folder


def seconds(folder: Path, processes: int) -> float:
    """How long it takes to verify a folder."""
    command = [sys.executable, "-c", COMMAND, "replay", str(folder), "--processes", str(processes)]
    begin_s = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    took_s = time.perf_counter() - begin_s
    told = done.stdout.splitlines()[-1]
    assert f" {len(list(folder.iterdir())):,} verified, 0 diverged" in told, told
    return took_s


PART: Final = Part("folders", "how fast a folder of logs is verified, by one and two", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
