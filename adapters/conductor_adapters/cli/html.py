"""`conductor html`: a log as a page that anybody can open, or two logs side by side.

Rule: a log is verified before it is shown, and what is there is not overwritten unless that is
said. Exit code 0, 1 when a log diverges, 2 when a file cannot be read or written.
"""

from __future__ import annotations

from pathlib import Path

import click

from conductor_adapters.cli.console import counted, say, say_json, warn
from conductor_adapters.cli.recorded import Diverged
from conductor_adapters.cli.replay_progress import lines_of
from conductor_adapters.debugger.html import page
from conductor_adapters.debugger.recording import Recording, record
from conductor_adapters.debugger.view import view_of
from conductor_core.errors import ConductorError, LogError, ReplayDivergence


@click.command()
@click.argument("log", type=click.Path(path_type=Path))
@click.argument("log2", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="PAGE",
    type=click.Path(path_type=Path),
    help="The file to write, such as run.html.",
)
@click.option("--overwrite", is_flag=True, help="Write it even if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Write what was done as JSON.")
def html(log: Path, log2: Path | None, output: Path, overwrite: bool, as_json: bool) -> None:
    """Write a page of LOG, or of LOG and LOG2 side by side; it needs no network."""
    _refuse_input(output, [log] if log2 is None else [log, log2])
    if output.exists() and not overwrite:
        raise ConductorError(f"{output}: exists, and is left as it is; --overwrite replaces it")
    recordings = [_recording(log)] if log2 is None else [_recording(log), _recording(log2)]
    size = _write(output, page([view_of(each) for each in recordings]), overwrite=overwrite)
    if as_json:
        logs = [{"file": each.name, "entries": len(each.entries)} for each in recordings]
        say_json({"file": str(output), "bytes": size, "logs": logs})
        return
    entries = " and ".join(counted(len(each.entries), "entry", "entries") for each in recordings)
    say(f"{output}: {entries}, {size:,} bytes; open it in a browser")


def _refuse_input(output: Path, logs: list[Path]) -> None:
    """A log is never written over, whatever its name is spelt like."""
    for log in logs:
        if output.exists() and log.exists() and output.samefile(log):
            raise ConductorError(f"{output}: is a log to read, and is left as it is")


def _recording(log: Path) -> Recording:
    """Read and verify a log; tell of a last line that was cut off."""
    try:
        with log.open("rb") as file, lines_of(file, str(log)) as lines:
            recording = record(str(log), lines)
    except OSError as error:
        raise ConductorError(f"{log}: {error.strerror or error}") from None
    except ReplayDivergence as error:
        before = f"conductor explain --at {error.entry - 1} shows where the flow stood before that"
        raise Diverged(f"{log}: {error}\n{before}") from None
    except LogError as error:
        raise ConductorError(f"{log}: {error}") from None
    if recording.replay.truncated is not None:
        warn(f"{log}: warning: {recording.replay.truncated}")
    return recording


def _write(output: Path, text: str, *, overwrite: bool) -> int:
    """Write the page; a file that came to be there in the meantime is left as it is, too."""
    try:
        with output.open("w" if overwrite else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            return len(text.encode())
    except FileExistsError:
        raise ConductorError(f"{output}: exists, and is left as it is") from None
    except OSError as error:
        raise ConductorError(f"{output}: {error.strerror or error}") from None
