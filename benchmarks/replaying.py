"""Replays one log in this fresh process, and prints how fast, or how much memory it took.

Rule: `--plain` is the standard library alone. The packages of the extra `fast` then cannot
be imported, as where they are not installed; which of them were imported is told.
"""

from __future__ import annotations

import argparse
import resource
import sys
from importlib import import_module
from pathlib import Path
from time import process_time_ns
from typing import Any, Final

from benchmarks.children import tell
from benchmarks.walk import occupied

FAST: Final = ("msgspec", "orjson")
"""What the extra `fast` may bring."""


def timed(file: Path) -> None:
    """Print what an entry takes."""
    begin = process_time_ns()
    found = _replayed(file)
    took = process_time_ns() - begin
    fast = [name for name in FAST if sys.modules.get(name)]
    tell(per_event_us=took / found.entries / 1_000, entries=found.entries, fast=fast)


def weighed(file: Path, small: Path) -> None:
    """Print how many bytes the process grew by, and how many of them the result keeps.

    A small log comes first, so that all is imported that is imported once.
    """
    _replayed(small)
    before = _high_water()
    found = _replayed(file)
    grown = _high_water() - before
    tell(entries=found.entries, grown=grown, kept=occupied(found))


def _high_water() -> int:
    """The most bytes that this process had in memory so far."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # There `ru_maxrss` also knows how large the process was that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _replayed(file: Path) -> Any:
    log = import_module("conductor_core.log")  # after the choice of its libraries
    with file.open("rb") as lines:
        found = log.replay(lines)
    assert found.state.status == "success", found.state.status
    return found


def main(arguments: list[str] | None = None) -> None:
    """Replay as it was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replaying")
    parser.add_argument("file", type=Path)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--memory", type=Path, metavar="SMALL", help="weigh, after a small log")
    options = parser.parse_args(arguments)
    if options.plain:
        # None stands for a module that cannot be imported, which the type of the dict leaves out.
        sys.modules.update(dict.fromkeys(FAST))  # type: ignore[arg-type]
    import_module("conductor_core.log")
    if options.memory is None:
        timed(options.file)
    else:
        weighed(options.file, options.memory)


if __name__ == "__main__":
    main()
