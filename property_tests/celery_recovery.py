"""How long work stood still because of those who died, as the witnesses of a trial tell it.

Rule: nothing is taken from a clock but the times that were written down: when somebody died,
when work began again, and when its end stood in the log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TypeAlias

from attrs import frozen

from conductor_adapters.store.kept import log_lines
from conductor_adapters.store.protocol import Store
from conductor_core import events
from conductor_core.log import Entry, read_log
from conductor_core.verdicts import Accepted
from property_tests.worker_crash_checks import Words, words_of
from property_tests.worker_crash_flows import ran

Outage: TypeAlias = tuple[int, int]
"""When a server went down, and when it was there again."""


@frozen
class Recovery:
    """How often work stood still because somebody died, and for how long, in seconds.

    `longest_s` is while all servers ran, and `in_outage_s` where one was down meanwhile.
    """

    times: int
    median_s: float
    longest_s: float
    in_outage_s: float


@frozen
class Standstill:
    """Work that went down with its process, and when it went on or was answered for."""

    since_ms: int
    until_ms: int

    @property
    def seconds(self) -> float:
        """How long it stood still."""
        return (self.until_ms - self.since_ms) / 1000

    def meets(self, outages: Sequence[Outage]) -> bool:
        """Whether a server was down meanwhile."""
        return any(down < self.until_ms and up > self.since_ms for down, up in outages)


@frozen
class Did:
    """That a process began an attempt, or ended it."""

    attempt: str
    pid: int
    at_ms: int
    begins: bool


def recovered(folder: Path, store: Store, outages: Sequence[Outage]) -> Recovery:
    """How long work stood still in all flows of a store."""
    deaths = deaths_in(folder)
    found: list[Standstill] = []
    with store.reading():
        for row in store.flows(limit=1_000_000):
            lines = log_lines(store.entries(row.flow_id))
            log = [line for line in read_log(lines) if isinstance(line, Entry)]
            done = done_in(words_of(folder / ran(row.flow_id)))
            found += standstills(deaths, done, log)
    return Recovery(
        times=len(found),
        median_s=median([it.seconds for it in found] or [0.0]),
        longest_s=max((it.seconds for it in found if not it.meets(outages)), default=0.0),
        in_outage_s=max((it.seconds for it in found if it.meets(outages)), default=0.0),
    )


def deaths_in(folder: Path) -> dict[int, int]:
    """Who died, and when."""
    return {int(pid): int(at_ms) for at_ms, pid, *_ in words_of(folder / "deaths")}


def done_in(words: Words) -> list[Did]:
    """What was done of the attempts of a flow."""
    return [Did(name, int(pid), int(at), word == "begin") for word, name, pid, at in words]


def standstills(
    deaths: Mapping[int, int], done: list[Did], log: list[Entry]
) -> Iterator[Standstill]:
    """When the work of each who died went on, or was answered for."""
    ended = _ends(log)
    by_attempt: dict[str, list[Did]] = defaultdict(list)
    for did in done:
        by_attempt[did.attempt].append(did)
    for attempt, its in by_attempt.items():
        for pid in {did.pid for did in its}:
            died_ms = deaths.get(pid)
            if died_ms is None or ended.get(attempt, died_ms) < died_ms:
                continue
            # What came before it died, and what after: another process, perhaps of the same id.
            if not any(did.pid == pid and did.at_ms <= died_ms for did in its):
                continue
            later = [did.at_ms for did in its if did.begins and did.at_ms > died_ms]
            later += [ended[attempt]] if attempt in ended else []
            if later:  # What was to give up may never be answered for: the flow ends without it.
                yield Standstill(died_ms, min(later))


def _ends(log: list[Entry]) -> dict[str, int]:
    """When it stood in the log how each attempt ended."""
    ends: dict[str, int] = {}
    for entry in log:
        match entry.event:
            case events.StepFinished(attempt=attempt, at_ms=at_ms):
                if entry.verdict == Accepted():
                    ends[attempt] = at_ms
            case events.TimerFired(timer=timer, at_ms=at_ms) if timer.startswith("timeout:"):
                ends.setdefault(timer.partition(":")[2], at_ms)
            case _:
                pass
    return ends
