"""A log as a whole, for commands that look at every entry of it.

Rule: a log is verified and never changed. What is wrong with it is one ConductorError that names
it, and a log that diverges is a Diverged: it can be read, but what it says is not true.
"""

from __future__ import annotations

from conductor_adapters.cli.console import warn
from conductor_adapters.cli.recorded import Diverged
from conductor_adapters.cli.sources import Sources
from conductor_adapters.debugger.recording import Recording, record
from conductor_core.errors import ConductorError, LogError, ReplayDivergence


def read_recording(sources: Sources, what: str) -> Recording:
    """Verify a log and keep all of it; a last line that was cut off is a warning."""
    name = sources.name(what)
    try:
        with sources.lines(what) as lines:
            recording = record(name, lines)
    except ReplayDivergence as error:
        before = f"conductor explain --at {error.entry - 1} shows where the flow stood before that"
        raise Diverged(f"{name}: {error}\n{before}") from None
    except LogError as error:
        raise ConductorError(f"{name}: {error}") from None
    if recording.replay.truncated is not None:
        warn(f"{name}: warning: {recording.replay.truncated}")
    return recording
