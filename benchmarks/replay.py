"""How fast a log on disk is read, reduced and verified, and what memory that takes.

The log is that of the sequential shape: every entry is decoded, reduced, written again in its
canonical form, compared to the byte and chained by digests. Each replay is a process of its
own: with the standard library alone, with what the extra `fast` brings, and eventsourcing's
stored replay of as many events, which decodes and applies but verifies nothing. Memory is
the high-water mark of the process, less what it had before and what the result keeps:
whatever the allocator wastes counts as well.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Final

from benchmarks.children import figures
from benchmarks.parts import Part, run
from benchmarks.peers.installed import installed_version
from benchmarks.rounds import Candidate, medians
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.workloads import SEQUENTIAL, Recording
from conductor_core import events, initial_state, reduce
from conductor_core.log import LogWriter

GOALS: Final = {"plain": (30_000.0, 60_000.0), "fast": (60_000.0, 150_000.0)}
NAMES: Final = {"plain": "standard library alone", "fast": "with the extra fast"}
PEER_SHARE: Final = 0.5
ABOVE_MB: Final = 50.0
GROWS_MB: Final = 10.0
"""By how much the memory above the result may differ between the two lengths: it is flat."""


def measure(scale: Scale) -> Iterator[Row]:
    """Entries a second at each length, the peer beside them, and the memory."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        small = log_of(folder, 20)
        fast = figures("benchmarks.replaying", small)["fast"]
        first, *longer = scale.entries
        yield from _speeds(log_of(folder, first), first, scale.rounds, fast, with_peer=True)
        for length in longer:
            yield from _speeds(log_of(folder, length), length, 1, fast, with_peer=False)
        remembered = {length: log_of(folder, length) for length in scale.remembered}
        yield from _memories(remembered, small)


# --- speed ---


def _speeds(
    file: Path, length: int, rounds: int, fast: list[str], *, with_peer: bool
) -> Iterator[Row]:
    candidates = [_child("plain", "benchmarks.replaying", file, "--plain")]
    if fast:
        candidates.append(_child("fast", "benchmarks.replaying", file))
    with_peer = with_peer and installed_version("eventsourcing") is not None
    if with_peer:
        candidates.append(_stored(file, length))
    costs = medians(candidates, rounds)
    for key, (goal, stretch) in GOALS.items():
        yield Row(
            part="replay",
            what=f"{NAMES[key]}, {length:,} entries",
            figure=_rate(costs[key]) if key in costs else None,
            unit="a second",
            goal=goal,
            stretch=stretch,
            more_is_better=True,
            note=", ".join(fast) or "nothing of it was imported" if key == "fast" else "",
        )
    if with_peer:
        yield from _peer_rows(costs, length)


def _peer_rows(costs: dict[str, float], length: int) -> Iterator[Row]:
    name = "eventsourcing, stored replay"
    rate = _rate(costs["eventsourcing"])
    yield Row(part="replay", what=f"{name}, {length:,} events", figure=rate, unit="a second")
    for key, what in NAMES.items():
        yield Row(
            part="replay",
            what=f"{name}, against ours {what}",
            figure=rate / _rate(costs[key]) if key in costs else None,
            unit="times",
            goal=PEER_SHARE if key == "fast" else None,
        )


def _child(name: str, module: str, *arguments: object) -> Candidate:
    child = partial(figures, module, *arguments)
    return Candidate(name, lambda: float(child()["per_event_us"]))


def _stored(log: Path, length: int) -> Candidate:
    stored = import_module("benchmarks.peers.stored_eventsourcing")
    file = log.with_suffix(".sqlite")
    flow_id = stored.store(file, _steps(length))
    return _child("eventsourcing", stored.__name__, file, flow_id)


def _rate(per_event_us: float) -> float:
    return 1_000_000 / per_event_us


# --- memory ---


def _memories(logs: dict[int, Path], small: Path) -> Iterator[Row]:
    above: list[float] = []
    for length, file in logs.items():
        found = figures("benchmarks.replaying", file, "--memory", small)
        above.append((found["grown"] - found["kept"]) / 1_000_000)
        yield Row(
            part="replay",
            what=f"memory above the final state, {length:,} entries",
            figure=above[-1],
            unit="MB",
            goal=ABOVE_MB,
            note=f"the result keeps {found['kept'] / 1_000_000:,.0f} MB",
        )
    sizes = " against ".join(f"{length:,}" for length in reversed(logs))
    yield Row(
        part="replay",
        what=f"memory above the final state, {sizes} entries",
        figure=above[-1] - above[0],
        unit="MB more",
        goal=GROWS_MB,
    )


# --- what is replayed ---


def _steps(length: int) -> int:
    """How many steps have about so many entries: an approval every tenth."""
    return max(10, length * 10 // 11)


def log_of(folder: Path, length: int) -> Path:
    """The log of about so many entries, written unless it is there."""
    file = folder / f"{length}.jsonl"
    if not file.exists():
        _write(file, SEQUENTIAL.recorded(_steps(length)))
    return file


def _write(file: Path, recording: Recording) -> None:
    state = initial_state(recording.started.spec, recording.started.flow_id)
    writer = LogWriter(state, at_ms=0)
    with file.open("w", encoding="utf-8", newline="") as lines:
        lines.write(writer.header())
        for event in (events.FlowStarted(at_ms=0), *recording.events):
            transition = reduce(state, event)
            state = transition.state
            lines.write(writer.entry(event, transition))
        lines.write(writer.close(state))


PART: Final = Part("replay", "how fast a log is read and verified, in how much memory", measure)

if __name__ == "__main__":
    sys.exit(run(PART))
