"""Logs to export: those that are recorded, and stories told for a test."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from conductor_adapters.debugger.recording import Recording, record
from tests.recorded.telling import Telling

FOLDER: Final = Path(__file__).parents[1] / "recorded" / "0.1.0"
NAMES: Final = sorted(path.stem for path in FOLDER.glob("*.jsonl"))
SMALL: Final = [name for name in NAMES if name != "checkpoints"]


@cache
def golden(name: str) -> Recording:
    """A recorded log, verified."""
    with (FOLDER / f"{name}.jsonl").open("rb") as file:
        return record(name, file)


def recorded(told: Telling) -> Recording:
    """The log of what was told so far."""
    return record("told", told.text.splitlines(keepends=True))


def beginnings(name: str) -> Iterable[Recording]:
    """A recorded log as it was after each of its lines."""
    lines = (FOLDER / f"{name}.jsonl").read_bytes().splitlines(keepends=True)
    return (record(name, lines[:count]) for count in range(1, len(lines)))
