"""Logs to debug: of events that are given, and those of the examples."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from conductor_adapters.debugger.recording import Recording, record
from conductor_core import reduce
from conductor_core.events import Event
from conductor_core.log import LogWriter
from conductor_core.spec import FlowSpec
from conductor_core.state import initial_state
from tests.documents import ROOT

RELEASE: Final = ROOT / "examples" / "debugging" / "release.jsonl"


def log_of(spec: FlowSpec, events: Iterable[Event], flow_id: str = "flow-1") -> str:
    """The log of a flow to which these events happened."""
    state = initial_state(spec, flow_id)
    writer = LogWriter(state, at_ms=0)
    lines = [writer.header()]
    for event in events:
        transition = reduce(state, event)
        lines.append(writer.entry(event, transition))
        state = transition.state
    return "".join(lines)


def recorded(spec: FlowSpec, *events: Event, flow_id: str = "flow-1") -> Recording:
    """The same, as a recording."""
    return record("log.jsonl", log_of(spec, events, flow_id).splitlines(keepends=True))


def read(path: Path) -> Recording:
    """A log of the project."""
    with path.open("rb") as file:
        return record(path.name, file)


@cache
def release() -> Recording:
    """The log of a release."""
    return read(RELEASE)


@cache
def large_lines() -> tuple[bytes, ...]:
    """The lines of the large sample."""
    command = [sys.executable, "-m", "examples.debugging.large"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return tuple(done.stdout.splitlines(keepends=True))


@cache
def large_text() -> bytes:
    """The log of the large sample, of 10,251 entries."""
    command = [sys.executable, "-m", "examples.debugging.large"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout


@cache
def large() -> Recording:
    """The large sample."""
    return record("large.jsonl", large_text().splitlines(keepends=True))


def put_samples(folder: Path) -> None:
    """Write both samples into a folder, `release.jsonl` and `large.jsonl`."""
    shutil.copy(RELEASE, folder)
    (folder / "large.jsonl").write_bytes(large_text())
