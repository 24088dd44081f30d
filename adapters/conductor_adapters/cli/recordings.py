"""A log as a whole, for commands that look at every entry of it.

Rule: a log is verified and never changed. What is wrong with it is one ConductorError that names
it, and a log that diverges is a Diverged: it can be read, but what it says is not true.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import chain
from pathlib import Path

from conductor_adapters.cli.console import warn
from conductor_adapters.cli.documents import MAX_BYTES
from conductor_adapters.cli.recorded import Diverged, is_log, spec_of
from conductor_adapters.cli.sources import Sources
from conductor_adapters.debugger.recording import Recording, record
from conductor_core.errors import ConductorError, LogError, ReplayDivergence
from conductor_core.loglines import LONGEST_LINE
from conductor_core.rawlines import Raw
from conductor_core.spec import FlowSpec


def read_recording(sources: Sources, what: str) -> Recording:
    """Verify a log and keep all of it; a last line that was cut off is a warning."""
    with sources.lines(what) as lines:
        return _recording(sources.name(what), lines)


def read_log_or_flow(sources: Sources, what: str) -> Recording | FlowSpec:
    """Verify a log and keep all of it, or read the flow in a flow file."""
    if sources.has_flow(what):
        return read_recording(sources, what)
    try:
        with Path(what).open("rb") as file:
            first = file.readline(LONGEST_LINE + 1)
            if is_log(first):
                lines = iter(partial(file.readline, LONGEST_LINE + 1), b"")
                return _recording(what, chain((first,), lines))
            content = first + file.read(MAX_BYTES + 1)
    except OSError as error:
        raise sources.unread(what, error) from None
    return spec_of(what, content, "a log or a flow file")


def _recording(name: str, lines: Iterable[Raw]) -> Recording:
    try:
        recording = record(name, lines)
    except ReplayDivergence as error:
        before = f"conductor explain --at {error.entry - 1} shows where the flow stood before that"
        raise Diverged(f"{name}: {error}\n{before}") from None
    except LogError as error:
        raise ConductorError(f"{name}: {error}") from None
    if recording.replay.truncated is not None:
        warn(f"{name}: warning: {recording.replay.truncated}")
    return recording
