"""`conductor export`: a log in the words of other systems: spans, CloudEvents, CDEvents.

Rule: a log is verified whole before a word of it is written, and is never changed; a file that
exists is left as it is unless --replace is given. Exit code 0, 1 when a log diverges, 2 when it
cannot be read or the result not be written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from conductor_adapters.cli.console import counted, say, say_json
from conductor_adapters.cli.new_files import check_new, with_replace, write_new
from conductor_adapters.cli.recordings import read_recording
from conductor_adapters.cli.sources import Sources, with_sources
from conductor_adapters.debugger.cdevents import cdevents_of
from conductor_adapters.debugger.cloudevents import SOURCE, cloudevents_of
from conductor_adapters.debugger.otlp import otlp_lines
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.spans import spans_of
from conductor_core.errors import shown

SPANS: Final = "otlp-json"
EVENTS: Final[dict[str, Callable[..., Iterator[dict[str, Any]]]]] = {
    "cloudevents": cloudevents_of,
    "cdevents": cdevents_of,
}
URI: Final = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")


def _uri(_ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Refuse what is no reference to anything."""
    if URI.fullmatch(value) is None:
        raise click.BadParameter(f"{shown(value)} is no URI reference.", param=param)
    return value


@click.command()
@click.argument("log", metavar="LOG|FLOW_ID", type=click.Path())
@click.option(
    "--format",
    "form",
    type=click.Choice((SPANS, *EVENTS)),
    required=True,
    help="Spans for OpenTelemetry, or events.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write to FILE, which must be new, and not to the standard output.",
)
@with_replace
@click.option("--batch", is_flag=True, help="Write events as one JSON array, not as JSON Lines.")
@click.option(
    "--source",
    default=SOURCE,
    show_default=True,
    metavar="URI",
    callback=_uri,
    help="What events name as the system they come from.",
)
@with_sources
@click.option("--json", "as_json", is_flag=True, help="Tell what went to FILE as JSON.")
@click.pass_context
def export(
    ctx: click.Context,
    log: str,
    form: str,
    output: Path | None,
    replace: bool,
    batch: bool,
    source: str,
    sources: Sources,
    as_json: bool,
) -> None:
    """Write the spans or the events of LOG, each the same however often it is exported."""
    _refuse_what_does_not_fit(ctx, form, output)
    check_new("-o", output, sources.file(log), replace=replace)
    recording = read_recording(sources, log)
    lines, count, word = _told(recording, form, source)
    text = _text(lines, batch=batch)
    if output is None:
        click.echo(text, nl=False)
        return
    write_new("-o", output, text, replace=replace)
    if as_json:
        say_json({"file": str(output), "log": recording.name, "format": form, f"{word}s": count})
    else:
        say(f"wrote {counted(count, word)} to {output}")


def _refuse_what_does_not_fit(ctx: click.Context, form: str, output: Path | None) -> None:
    """Tell of options that would have no effect."""
    for option in ("batch", "source"):
        given = ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE
        if given and form == SPANS:
            raise click.UsageError(f"--{option} does not go together with --format {SPANS}.")
    if output is None:
        for option, name in (("replace", "--replace"), ("as_json", "--json")):
            if ctx.params[option]:
                raise click.UsageError(f"{name} needs --output: what is exported is JSON already.")


def _told(recording: Recording, form: str, source: str) -> tuple[Iterable[Any], int, str]:
    """The lines to write, how many things they tell of, and what those are."""
    if form == SPANS:
        spans = tuple(spans_of(recording))
        return otlp_lines(recording.header, spans), len(spans), "span"
    told = tuple(EVENTS[form](recording, source=source))
    return told, len(told), "event"


def _text(values: Iterable[dict[str, Any]], *, batch: bool) -> str:
    """Values as JSON Lines, or as one array; ASCII alone, so that nothing is left to escape."""
    lines = [json.dumps(value, separators=(",", ":")) for value in values]
    if not batch:
        return "".join(f"{line}\n" for line in lines)
    return "[" + ",\n ".join(lines) + "]\n"
