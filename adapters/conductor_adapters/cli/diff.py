"""`conductor diff`: how two logs differ, or what two flow files allow to come to pass.

Rule: nothing is run and no input is changed. Exit code 0 when nothing differs, 1 when
something does, or a search could not tell; 2 when a file or an option cannot be used, a log
that diverges included; 130 when Ctrl-C ended a search and nothing differed so far.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click
from attrs import evolve
from click.core import ParameterSource

from conductor_adapters.cli.console import INTERRUPTED, say, say_json
from conductor_adapters.cli.diff_flows import (
    Compared,
    check_witnesses,
    compared,
    write_witnesses,
)
from conductor_adapters.cli.diff_flows_report import flow_diff_as_data, told_flow_diff
from conductor_adapters.cli.diff_logs_report import log_diff_as_data, told_log_diff
from conductor_adapters.cli.recorded import Diverged
from conductor_adapters.cli.recordings import read_log_or_flow
from conductor_adapters.cli.search_options import alphabet_options, bounds_options
from conductor_adapters.cli.sources import Sources, with_sources
from conductor_adapters.debugger.attempt_diff import IGNORABLE
from conductor_adapters.debugger.log_diff import diff_of
from conductor_adapters.debugger.recording import Recording
from conductor_core.errors import ConductorError
from conductor_core.spec import FlowSpec

FILE: Final = click.Path(path_type=Path)
OF_LOGS: Final = ("times", "ignored")
OF_BOTH: Final = ("as_json", "a", "b", "store", "temporal")


@click.command()
@click.argument("a", metavar="A|FLOW_ID", type=click.Path())
@click.argument("b", metavar="B|FLOW_ID", type=click.Path())
@click.option("--times", is_flag=True, help="Of logs: tell also what took another time.")
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    type=click.Choice(IGNORABLE),
    help="Of logs: take this for noise. May be repeated.",
)
@click.option(
    "--witnesses",
    type=FILE,
    metavar="FOLDER",
    help="Of flow files: write each witness as a log to replay.",
)
@click.option("--replace", is_flag=True, help="Write over witnesses that exist.")
@alphabet_options
@bounds_options
@with_sources
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
@click.pass_context
def diff(
    ctx: click.Context,
    /,
    a: str,
    b: str,
    times: bool,
    ignored: tuple[str, ...],
    sources: Sources,
    as_json: bool,
    **asked: Any,
) -> None:
    """Tell how two logs A and B differ, or what differs in what two flow files allow.

    Logs are aligned by attempts, not by numbers and times of entries: told are where they part,
    what became of each attempt, and how both ended. Flows are searched, within the bounds that the
    options set: told is what may come to pass in one only, with the shortest story of it.
    """
    left, right = _read(sources, a), _read(sources, b)
    if isinstance(left, Recording) and isinstance(right, Recording):
        _refuse(ctx, (*OF_LOGS, *OF_BOTH), "flow files, and these are logs", only=True)
        found = diff_of(left, right, frozenset(ignored))
        if as_json:
            say_json(log_diff_as_data(found, times=times))
        else:
            _say_all(told_log_diff(found, times=times))
        ctx.exit(0 if found.are_alike else 1)
    if isinstance(left, Recording) or isinstance(right, Recording):
        log, flow = (a, b) if isinstance(left, Recording) else (b, a)
        raise ConductorError(
            f"{log} is a log and {flow} a flow file: expected two logs or two flow files"
        )
    _refuse(ctx, OF_LOGS, "logs, and these are flow files", only=False)
    result = _compared((a, b), left, right, **asked)
    if as_json:
        say_json(flow_diff_as_data(result))
    else:
        _say_all(told_flow_diff(result))
    ctx.exit(_exit_code(result))


def _read(sources: Sources, what: str) -> Recording | FlowSpec:
    """A log or a flow; exit code 1 is for what differs, so a log that diverges is bad input."""
    try:
        return read_log_or_flow(sources, what)
    except Diverged as error:
        raise ConductorError(error.message) from None


def _refuse(ctx: click.Context, names: tuple[str, ...], what: str, *, only: bool) -> None:
    """Refuse an option that is about the other kind of file: one of these names, or of no other."""
    for parameter in ctx.command.params:
        name = parameter.name or ""
        given = ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
        if given and (name in names) is not only:
            raise ConductorError(f"{parameter.opts[0]}: it is about {what}")


def _compared(
    files: tuple[str, str],
    a: FlowSpec,
    b: FlowSpec,
    *,
    witnesses: Path | None,
    replace: bool,
    **search: Any,
) -> Compared:
    """Compare two flows, and write what is to be written."""
    check_witnesses(witnesses, replace=replace)
    result = compared(files, a, b, **search)
    if witnesses is None:
        return result
    return evolve(result, written=write_witnesses(witnesses, result.diff))


def _say_all(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def _exit_code(result: Compared) -> int:
    diff = result.diff
    if result.cause == "interrupt" and not (diff.declared or diff.gone or diff.new):
        return INTERRUPTED
    return 0 if diff.are_alike else 1
