"""`conductor html`: a log as a page that anybody can open, or two logs side by side.

Rule: a log is verified before it is shown, and what is there is not overwritten unless that is
said. Exit code 0, 1 when a log diverges, 2 when a file cannot be read or written.
"""

from __future__ import annotations

from pathlib import Path

import click

from conductor_adapters.cli.console import counted, say, say_json
from conductor_adapters.cli.new_files import check_new, with_replace, write_new
from conductor_adapters.cli.recordings import read_recording
from conductor_adapters.cli.sources import Sources, with_sources
from conductor_adapters.debugger.html import page
from conductor_adapters.debugger.view import view_of


@click.command()
@click.argument("log", metavar="LOG|FLOW_ID", type=click.Path())
@click.argument("log2", metavar="[LOG2|FLOW_ID2]", required=False, type=click.Path())
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="PAGE",
    type=click.Path(path_type=Path),
    help="The file to write, such as run.html.",
)
@with_replace
@with_sources
@click.option("--json", "as_json", is_flag=True, help="Write what was done as JSON.")
def html(
    log: str, log2: str | None, output: Path, replace: bool, sources: Sources, as_json: bool
) -> None:
    """Write a page of LOG, or of LOG and LOG2 side by side; it needs no network."""
    logs = (log,) if log2 is None else (log, log2)
    check_new("-o", output, *map(sources.file, logs), replace=replace)
    recordings = [read_recording(sources, each) for each in logs]
    text = page([view_of(each) for each in recordings])
    write_new("-o", output, text, replace=replace)
    size = len(text.encode())
    if as_json:
        told = [{"file": each.name, "entries": len(each.entries)} for each in recordings]
        say_json({"file": str(output), "bytes": size, "logs": told})
        return
    entries = " and ".join(counted(len(each.entries), "entry", "entries") for each in recordings)
    say(f"{output}: {entries}, {size:,} bytes; open it in a browser")
