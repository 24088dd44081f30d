"""The same run on every Python that is at hand, byte for byte (S1.6, law 1).

Rule: a Python is at hand when it is on the path or stands beside the one that runs the tests,
and is one that the package supports. The packages are those of this environment, which are
pure Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OLDEST = (3, 11)
ASK = "import sys; print(sys.implementation.name, *sys.version_info[:2], sep='.')"


def _candidates() -> Iterator[str]:
    """Where a Python might be."""
    yield sys.executable
    for minor in range(OLDEST[1], OLDEST[1] + 9):
        found = shutil.which(f"python3.{minor}")
        if found is not None:
            yield found
    for path in sorted(Path(sys.base_prefix).parent.glob("*/bin/python3")):
        yield str(path)


def _pythons() -> dict[str, str]:
    """The Pythons at hand by name, each once."""
    pythons: dict[str, str] = {}
    for path in _candidates():
        asked = subprocess.run([path, "-c", ASK], check=False, capture_output=True, text=True)
        name = asked.stdout.strip()
        if asked.returncode == 0 and tuple(map(int, name.split(".")[1:])) >= OLDEST:
            pythons.setdefault(name, path)
    return pythons


PYTHONS = _pythons()


def log_written_by(python: str, *, seed: int) -> bytes:
    """The log of one play, written by an interpreter under a PYTHONHASHSEED."""
    places = (str(ROOT), sysconfig.get_path("purelib"))
    return subprocess.run(
        [python, "-B", "-m", "property_tests.played_log", "every python", "1500"],
        env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(places)},
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout


@cache
def log_written_here() -> bytes:
    """What the others are compared with."""
    return log_written_by(sys.executable, seed=0)


@pytest.mark.parametrize("name", PYTHONS)
@pytest.mark.parametrize("seed", [0, 20_261_124])
def test_every_python_writes_the_same_bytes(name: str, seed: int) -> None:
    """The same events give the same log on every Python and under every hash seed."""
    assert log_written_here().count(b"\n") > 1500
    assert log_written_by(PYTHONS[name], seed=seed) == log_written_here()
