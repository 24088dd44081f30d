"""`conductor replay`: recompute every entry of logs and hold it against what was recorded.

Rule: logs are streamed, each gets its turn, and none is changed. Exit code 0 when all
entries verify, 1 when one diverges, or differs from what it is held against, 2 when a log
cannot be read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from conductor_adapters.cli.console import say, say_json, warn
from conductor_adapters.cli.recorded import Declared, read_source
from conductor_adapters.cli.replay_follow import follow
from conductor_adapters.cli.replay_logs import Chosen, Stored, logs_of, verify_all
from conductor_adapters.cli.replay_progress import lines_of, watched
from conductor_adapters.cli.replay_report import (
    as_data,
    moment_as_data,
    summary,
    tell,
    told_others,
    told_summary,
    warn_of,
)
from conductor_adapters.cli.sources import Sources, with_sources
from conductor_adapters.cli.standing import told_standing
from conductor_adapters.debugger.against import Against, reducer_of
from conductor_adapters.debugger.verifying import Moment, Verified, verified_until
from conductor_core.errors import ConductorError, LogError, ReplayDivergence
from conductor_core.spec import FlowSpec

ONE_LOG = frozenset({"until", "state", "follow"})
"""The options that look at one log."""
APART = (
    ("follow", ("until", "state", "against", "semantics", "processes")),
    ("until", ("against", "semantics", "processes")),
    ("state", ("against", "semantics", "processes")),
)
"""The options that do not go together."""


@click.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG|FLOW_ID...", type=click.Path())
@click.option(
    "--until",
    type=click.IntRange(min=0),
    metavar="SEQ",
    help="Verify to entry SEQ and no further; 0 is before the first.",
)
@click.option("--state", is_flag=True, help="Tell where the flow stood after that.")
@click.option("--follow", is_flag=True, help="Tell each entry as it is appended, to the end.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="FLOWFILE",
    help="Say whether the flow in FLOWFILE would have behaved the same.",
)
@click.option(
    "--semantics",
    type=int,
    metavar="N",
    help="Say whether the rules of semantics N would have behaved the same.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many logs are verified at once; of many, one for each core.",
)
@with_sources
@click.option("--json", "as_json", is_flag=True, help="Write the results as JSON.")
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    logs: tuple[str, ...],
    sources: Sources,
    as_json: bool,
    **options: Any,
) -> None:
    """Verify every entry of each LOG by running its events again.

    A LOG that is a folder stands for the logs in it: its files, and those of the folders in it,
    that are named *.jsonl and begin as logs do.
    """
    given = {name for name, value in options.items() if value not in (None, False)}
    _refuse(logs, sources, given)
    if options["follow"]:
        ctx.exit(follow(Path(logs[0]), as_json=as_json))
    if options["until"] is not None or options["state"]:
        look = _verified_until(logs[0], sources, options["until"])
        ctx.exit(_look(*look, options["until"], state=options["state"], as_json=as_json))
    chosen = logs_of(logs, sources)
    against = _against(options["against"], options["semantics"])
    results = _verify(chosen, against, options["processes"], as_json=as_json)
    ctx.exit(max(result.exit_code for result in results))


# --- what is asked for ---


def _is_folder(log: str, sources: Sources) -> bool:
    return not sources.has_flow(log) and Path(log).is_dir()


def _refuse(logs: tuple[str, ...], sources: Sources, given: set[str]) -> None:
    """Refuse options that do not go together, or not with these logs."""
    for option, others in APART:
        for other in others:
            if {option, other} <= given:
                raise click.UsageError(f"--{option} does not go together with --{other}.")
    for option in sorted(ONE_LOG & given):
        if len(logs) != 1 or _is_folder(logs[0], sources):
            what = f"{len(logs)} of them" if len(logs) != 1 else f"the folder {logs[0]}"
            raise click.UsageError(f"--{option} takes one LOG, not {what}.")
    if "follow" in given and sources.has_flow(logs[0]):
        raise click.UsageError(
            "--follow takes a file; conductor log writes that of a flow of a store, "
            "and conductor watch follows one."
        )


def _against(file: Path | None, number: int | None) -> Against | None:
    """What logs are held against, known to be there before the first is read."""
    if file is None and number is None:
        return None
    if number is not None:
        try:
            reducer_of(number)
        except ConductorError as error:
            raise ConductorError(f"--semantics: {error}") from None
    return Against(spec=None if file is None else _spec(file), semantics=number)


def _spec(file: Path) -> FlowSpec:
    source = read_source(file, expected="a flow file")
    if not isinstance(source, Declared):
        raise ConductorError(f"--against: {file} is a log, expected a flow file")
    return source.spec


# --- logs as a whole ---


def _verify(
    chosen: Chosen, against: Against | None, processes: int | None, *, as_json: bool
) -> list[Verified]:
    """Verify logs, and tell what became of each when it is its turn."""
    named = len(chosen.logs) != 1 or chosen.folders
    began_s = time.monotonic()
    verified = watched(verify_all(chosen.logs, against, processes), len(chosen.logs))
    results = list(_told(verified, named=named, as_json=as_json))
    if as_json:
        say_json(_all_as_data(results, chosen))
    elif chosen.folders:
        if chosen.others:
            say(told_others(chosen.others))
        say(told_summary(results, round((time.monotonic() - began_s) * 1000)))
    return results


def _told(results: Iterator[Verified], *, named: bool, as_json: bool) -> Iterator[Verified]:
    for result in results:
        warn_of(result)
        if not as_json:
            tell(result, named=named)
        yield result


def _all_as_data(results: list[Verified], chosen: Chosen) -> dict[str, Any]:
    return {
        "logs": [as_data(result) for result in results],
        "no_logs": [str(path) for path in chosen.others],
        "summary": summary(results),
    }


# --- a log up to an entry ---


def _look(
    result: Verified, moment: Moment | None, until: int | None, *, state: bool, as_json: bool
) -> int:
    """Tell what became of a log to an entry, or to its end, and where the flow stood."""
    warn_of(result)
    if isinstance(result.error, ReplayDivergence):
        warn(f"--until {result.error.entry - 1} --state shows where the flow stood before that")
    if as_json:
        data = as_data(result)
        if until is not None:
            data["until"] = until
        if state and moment is not None:
            data["state"] = moment_as_data(moment)
        say_json({"logs": [data], "no_logs": [], "summary": summary([result])})
        return result.exit_code
    tell(result, named=False, until=until)
    if state and moment is not None:
        for line in told_standing(moment.state, moment.at_ms):
            say(line)
    return result.exit_code


def _verified_until(
    log: str, sources: Sources, until: int | None
) -> tuple[Verified, Moment | None]:
    """Verify a log to an entry, or to its end."""
    if sources.has_flow(log):
        try:
            lines = Stored(log, sources).lines()
        except LogError as error:
            return Verified(file=sources.place(log), error=error), None
        return verified_until(sources.name(log), lines, until)
    try:
        with Path(log).open("rb") as file, lines_of(file, log) as read:
            return verified_until(log, read, until)
    except OSError as error:
        return Verified(file=log, error=LogError(sources.problem(log, error))), None
