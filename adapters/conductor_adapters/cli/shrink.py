"""`conductor shrink`: the least that still shows a behaviour of a log.

Rule: nothing is carried out, and the log stays as it is. Exit code 0 when it was shrunk, 1 when
the log does not show the behaviour, or diverges, or what is left cannot be told as a scenario
that was asked for; 2 when the log, a predicate or a file cannot be used; 130 when Ctrl-C ended
it, with the smallest that was found until then.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import click

from conductor_adapters.cli.console import INTERRUPTED, counted, cut, say, say_json, warn
from conductor_adapters.cli.keep_python import keeps_by_python, named
from conductor_adapters.cli.new_files import check_new, with_replace, write_new
from conductor_adapters.cli.recordings import read_recording
from conductor_adapters.cli.sources import Sources, with_sources
from conductor_adapters.debugger.predicates import VOCABULARY, predicate_of
from conductor_adapters.debugger.pytest_text import pytest_of
from conductor_adapters.debugger.recording import Recording
from conductor_adapters.debugger.shrink import Keeps, NotShown, Shrunk, keeps_of, shrunk
from conductor_adapters.debugger.smaller import Case
from conductor_core.codec import encode_event
from conductor_core.errors import ConductorError
from conductor_core.lines import line_of
from conductor_core.testing.scenario_text import yaml_of

SHOWN: Final = 40
"""So many events are told, the others counted."""
CLEAR: Final = "\x1b[K"
FILE: Final = click.Path(path_type=Path)


@click.command(
    epilog="\b\nA PREDICATE is one of these, or several joined by 'and':\n"
    + "\n".join(f"  {form:<24} {meaning}" for form, meaning in VOCABULARY)
)
@click.argument("log", metavar="LOG|FLOW_ID", type=click.Path())
@click.option(
    "--keep",
    "texts",
    multiple=True,
    metavar="PREDICATE",
    help="What the log is to show; may be repeated.",
)
@click.option(
    "--keep-python",
    metavar="FILE:FUNCTION",
    help="Run this function of this file on (states, entries); it says whether to keep them.",
)
@click.option("--keep-flow", is_flag=True, help="Leave the flow as it is: only events go.")
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Write what is left as a log.")
@click.option("--scenario", type=FILE, metavar="FILE", help="Write it as a scenario.")
@click.option("--pytest", "test", type=FILE, metavar="FILE", help="Write it as a test for pytest.")
@with_replace
@with_sources
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
@click.pass_context
def shrink(
    ctx: click.Context,
    log: str,
    texts: tuple[str, ...],
    keep_python: str | None,
    keep_flow: bool,
    output: Path | None,
    scenario: Path | None,
    test: Path | None,
    replace: bool,
    sources: Sources,
    as_json: bool,
) -> None:
    """Make LOG as small as it gets while it still shows a behaviour.

    Steps, attempts and events go that the behaviour does not need, then payloads; the rest is
    told, and written as a log, a scenario or a test that shows the same.
    """
    files = {"-o": output, "--scenario": scenario, "--pytest": test}
    python = None if keep_python is None else named(keep_python)[0]
    _check_files(files, sources.file(log), python, replace=replace)
    behaviour, keeps = _behaviour(texts, keep_python)
    recording = read_recording(sources, log)
    try:
        result = shrunk(recording, keeps, keep_flow=keep_flow, progress=tell_progress)
    except NotShown:
        warn(f"{recording.name}: it does not show {behaviour}: {_shown_instead(recording)}")
        ctx.exit(1)
    clear_progress()
    told = _write(result, behaviour, files, replace=replace)
    _tell(result, behaviour, as_json)
    if result.interrupted:
        warn("stopped by Ctrl-C: it may get smaller")
        ctx.exit(INTERRUPTED)
    ctx.exit(0 if told else 1)


def _behaviour(texts: tuple[str, ...], keep_python: str | None) -> tuple[str, Keeps]:
    """What is to be kept, in words and as what tells it."""
    if not texts and keep_python is None:
        raise click.UsageError("--keep or --keep-python says what the log is to show.")
    predicate = predicate_of(texts)
    if keep_python is None:
        return str(predicate), keeps_of(predicate)
    by_python = keeps_by_python(keep_python)
    if not texts:
        return keep_python, by_python
    in_words = keeps_of(predicate)
    return f"{predicate} and {keep_python}", lambda run: in_words(run) and by_python(run)


def _shown_instead(recording: Recording) -> str:
    state = recording.replay.state
    reason = None if state.outcome is None else state.outcome.reason
    return f"the flow is {state.status}" + (f", {reason}" if reason else "")


# --- files ---


def _check_files(files: dict[str, Path | None], *read: Path | None, replace: bool) -> None:
    """Refuse what cannot be written before anything is done."""
    given = [path.resolve() for path in files.values() if path is not None]
    if len(set(given)) < len(given):
        raise ConductorError("-o, --scenario and --pytest: expected different files")
    for option, path in files.items():
        check_new(option, path, *read, replace=replace)


def _write(result: Shrunk, behaviour: str, files: dict[str, Path | None], *, replace: bool) -> bool:
    """Write what was asked for; tell whether all of it could be told."""
    log, scenario, test = files["-o"], files["--scenario"], files["--pytest"]
    if log is not None:
        write_new("-o", log, result.log(), replace=replace)
    if test is not None:
        write_new("--pytest", test, pytest_of(result.run, behaviour), replace=replace)
    if scenario is None:
        return True
    data = result.scenario(f"{result.recording.header.flow_id} shows {behaviour}")
    if data is None:
        warn(f"--scenario: {scenario} is not written: no scenario tells this story")
        return False
    is_json = scenario.suffix == ".json"
    text = f"{json.dumps(data, indent=2)}\n" if is_json else yaml_of(data)
    write_new("--scenario", scenario, text, replace=replace)
    return True


# --- what is told ---


def _tell(result: Shrunk, behaviour: str, as_json: bool) -> None:
    if as_json:
        say_json(_as_data(result, behaviour))
        return
    before, after = _sizes(result)
    say(f"{result.recording.name}: {_told_size(before)} -> {_told_size(after)}")
    tried = counted(result.candidates, "candidate")
    say(f"  {tried}, {counted(result.reductions, 'event')} reduced; it still shows {behaviour}")
    entries = result.run.entries
    for entry in entries[:SHOWN]:
        say(f"{entry.seq:>3}  {cut(line_of(entry.event, entry.transition))}")
    if len(entries) > SHOWN:
        say(f"     and {counted(len(entries) - SHOWN, 'event')} more")


def _sizes(result: Shrunk) -> tuple[dict[str, int], dict[str, int]]:
    recording = result.recording
    whole = Case(recording.header.spec, tuple(entry.event for entry in recording.entries))
    return _size(whole), _size(result.run.case)


def _size(case: Case) -> dict[str, int]:
    return {"events": len(case.events), "steps": len(case.steps)}


def _told_size(size: dict[str, int]) -> str:
    return f"{counted(size['events'], 'event')}, {counted(size['steps'], 'step')}"


def _as_data(result: Shrunk, behaviour: str) -> dict[str, Any]:
    before, after = _sizes(result)
    return {
        "file": result.recording.name,
        "flow_id": result.recording.header.flow_id,
        "kept": behaviour,
        "before": before,
        "after": after,
        "candidates": result.candidates,
        "reductions": result.reductions,
        "interrupted": result.interrupted,
        "status": result.run.states[-1].status,
        "events": [encode_event(event) for event in result.run.case.events],
    }


# --- meanwhile ---


def tell_progress(case: Case) -> None:
    """Tell how small it is, on one line, where somebody sits who may want to know."""
    if sys.stderr.isatty():
        click.echo(f"\r{CLEAR}{_told_size(_size(case))}", nl=False, err=True)


def clear_progress() -> None:
    """Clear that line."""
    if sys.stderr.isatty():
        click.echo(f"\r{CLEAR}", nl=False, err=True)
