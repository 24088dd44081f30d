"""A log or a flow file, told apart by what stands in it.

Rule: a file is opened once and never changed, so that a pipe will do; a log is verified. What
is wrong with a file is one ConductorError that names it, and a log that diverges is a
Diverged: it can be read, but what it says is not true.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

import click
from attrs import evolve, frozen

from conductor_adapters.cli.console import warn
from conductor_adapters.cli.documents import MAX_BYTES, parse_document
from conductor_adapters.cli.sources import Sources
from conductor_adapters.clock import WallClock
from conductor_core.codec import decode_flow
from conductor_core.errors import (
    ConductorError,
    FormatError,
    LogError,
    ReplayDivergence,
    SpecError,
)
from conductor_core.json_text import loads
from conductor_core.log import Player, Replay
from conductor_core.loglines import LONGEST_LINE
from conductor_core.spec import FlowSpec

KINDS: Final = ("log", "seq", "checkpoint", "closed")
"""The keys that tell a line of a log; it ought to begin with the first."""
CUT_OFF: Final = re.compile(rb'\s*\{\s*"log"\s*:')


@frozen(kw_only=True)
class Declared:
    """A flow file, and the flow in it."""

    file: str
    spec: FlowSpec


@frozen(kw_only=True)
class Recorded:
    """A log that was verified, to its end or to the entry `at`.

    `now_ms` is the time from which to look: now, or that of the entry.
    """

    file: str
    replay: Replay
    now_ms: int
    at: int | None = None


Source: TypeAlias = Declared | Recorded


class Diverged(click.ClickException):
    """A log in which the same events led elsewhere: exit code 1, a line for each difference."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Write where it diverges, line by line."""
        for line in self.message.splitlines():
            warn(line)


def read_source(
    path: Path,
    at: int | None = None,
    *,
    expected: str = "a log or a flow file",
    sources: Sources | None = None,
) -> Source:
    """Read a log up to the entry `at` or to its end, or a flow file."""
    try:
        with path.open("rb") as file:
            first = file.readline(LONGEST_LINE + 1)
            if is_log(first):
                lines = iter(partial(file.readline, LONGEST_LINE + 1), b"")
                return read_log(str(path), chain((first,), lines), at)
            content = first + file.read(MAX_BYTES + 1)
    except OSError as error:
        if sources is not None:
            raise sources.unread(str(path), error) from None
        raise ConductorError(f"{path}: {error.strerror or error}") from None
    if at is not None:
        raise ConductorError(f"--at: {path} is no log, so it has no entry {at}")
    return Declared(file=str(path), spec=spec_of(str(path), content, expected))


def look_at(sources: Sources, what: str, at: int | None) -> Source:
    """Read a file, or the log of a flow in a store; warns of a last line that was cut off."""
    if sources.has_flow(what):
        recorded = read_log(sources.name(what), sources.flow_lines(what), at)
        return evolve(recorded, file=sources.place(what))
    source = read_source(Path(what), at, sources=sources)
    if isinstance(source, Recorded) and source.replay.truncated is not None:
        warn(f"{source.file}: warning: {source.replay.truncated}")
    return source


def is_log(first: bytes) -> bool:
    """Whether a first line is one of a log, be it a wrong one or cut off."""
    # What is wrong with a mark before a log is said when it is read as one.
    first = first.removeprefix(BOM_UTF8)
    try:
        data = loads(first)
    except FormatError:
        return CUT_OFF.match(first) is not None
    return isinstance(data, dict) and any(key in data for key in KINDS)


# --- logs ---


def read_log(
    file: str, lines: Iterator[bytes], at: int | None = None, *, option: str = "--at"
) -> Recorded:
    """Verify the lines of a log up to the entry `at` or to its end.

    `file` names it in errors, `option` is what the entry was chosen by.
    """
    try:
        replayed, at_ms = _played(lines, at)
    except ReplayDivergence as error:
        before = f"{option} {error.entry - 1} shows where the flow stood before that"
        raise Diverged(f"{file}: {error}\n{before}") from None
    except LogError as error:
        raise ConductorError(f"{file}: {error}") from None
    if at is None:
        return Recorded(file=file, replay=replayed, now_ms=WallClock().now_ms())
    if replayed.entries < at:
        has = f"{file} has {replayed.entries:,} entries, and no entry {at:,}"
        raise ConductorError(f"{option}: {has}")
    return Recorded(file=file, replay=replayed, now_ms=at_ms, at=at)


def _played(lines: Iterator[bytes], at: int | None) -> tuple[Replay, int]:
    """The replay of a log to its end or to an entry, and the time that it was then."""
    player = Player(lines)
    at_ms = player.header.at_ms
    for played in player if at != 0 else ():
        at_ms = played.event.at_ms
        if played.seq == at:
            break
    return player.result(), at_ms


# --- flow files ---


def spec_of(file: str, content: bytes, expected: str) -> FlowSpec:
    """The flow in the content of a flow file, which `file` names in errors."""
    if not content.strip():
        raise ConductorError(f"{file}: it is empty, expected {expected}")
    document = parse_document(content, file)
    if isinstance(document.data, dict) and "scenarios" in document.data:
        raise document.error("scenarios", f"a scenario file, expected {expected}")
    try:
        return decode_flow(document.data)
    except (FormatError, SpecError) as error:
        raise document.refused(error.problems) from None
