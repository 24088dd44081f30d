"""A log as a whole, for commands that look at every entry of it; and new files, for what they make.

Rule: a log is verified and never changed. What is wrong with it is one ConductorError that names
it, and a log that diverges is a Diverged: it can be read, but what it says is not true.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from conductor_adapters.cli.console import warn
from conductor_adapters.cli.recorded import Diverged
from conductor_adapters.debugger.recording import Recording, record
from conductor_core.errors import ConductorError, LogError, ReplayDivergence
from conductor_core.loglines import LONGEST_LINE


def read_recording(path: Path) -> Recording:
    """Verify a log and keep all of it; a last line that was cut off is a warning."""
    try:
        with path.open("rb") as file:
            recording = record(str(path), iter(partial(file.readline, LONGEST_LINE + 1), b""))
    except OSError as error:
        raise ConductorError(f"{path}: {error.strerror or error}") from None
    except ReplayDivergence as error:
        raise Diverged(f"{path}: {error}") from None
    except LogError as error:
        raise ConductorError(f"{path}: {error}") from None
    if recording.replay.truncated is not None:
        warn(f"{path}: warning: {recording.replay.truncated}")
    return recording


def check_new(option: str, path: Path | None, *, replace: bool) -> None:
    """Refuse to write where there is something already, unless it is to be replaced."""
    if path is None:
        return
    if path.is_dir():
        raise ConductorError(f"{option}: {path} is a folder, expected a file")
    if path.exists() and not path.is_file():
        raise ConductorError(f"{option}: {path} is no regular file, expected one or none")
    if path.exists() and not replace:
        raise ConductorError(f"{option}: {path} exists already; --replace writes over it")
    if not path.parent.is_dir():
        raise ConductorError(f"{option}: {path.parent} is no folder to write to")


def check_apart(option: str, path: Path | None, log: Path) -> None:
    """Refuse to write over the log that is read."""
    if path is not None and path.exists() and log.exists() and path.samefile(log):
        raise ConductorError(f"{option}: {path} is the log that is read, expected another file")
