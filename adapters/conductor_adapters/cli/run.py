"""`conductor run`: run a flow file here, or go on with the run that a log tells of.

Rule: everything that could keep a run from its end is told before it begins. Exit code 0
when the flow succeeded, 1 when it failed, was cancelled or could not go on, 2 when it never
began, 3 when it waits for a person and nobody is there to ask.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click
from attrs import evolve

from conductor_adapters.cli.flow_file import import_workers, read_flow
from conductor_adapters.cli.parameters import with_inputs
from conductor_adapters.cli.people import Approvals, Terminal
from conductor_adapters.cli.running import Answers, Run, run_flow
from conductor_adapters.cli.screen import JsonScreen, Screen, people_screen
from conductor_adapters.journal import LogFile
from conductor_adapters.shell import Shell
from conductor_adapters.workers import Workers
from conductor_core import initial_state
from conductor_core.codec import encode_spec
from conductor_core.differences import differences
from conductor_core.errors import ConductorError, LogError
from conductor_core.payload import freeze
from conductor_core.spec import FlowSpec, StepSpec
from conductor_core.state import FlowState

ALL: Final = "all"
GRACE_S: Final = 10.0
TOLD: Final = 5
"""So many differences between a flow file and a log are told."""


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--log", type=click.Path(path_type=Path), help="Write the flow's log to this new file."
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="LOG",
    help="Go on where this log ends; FILE, if it is given, must be its flow.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Fill one of the flow's inputs (metadata.inputs); may be repeated.",
)
@click.option("--approve", metavar="all|STEP,...", help="Approve these steps when they ask.")
@click.option(
    "--by",
    multiple=True,
    metavar="NAME,...",
    help="Who asks and answers; you, if it is left out. Each name approves for itself.",
)
@click.option("--no-input", is_flag=True, help="Never ask on the terminal.")
@click.option(
    "--on-approval", metavar="CMD", help="Run this command when an approval is asked for."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Write an object per event; never ask either."
)
@click.option("--handlers", metavar="MODULE", help="A module whose `handlers` do the work.")
@click.option("--flow-id", metavar="ID", help="The id of the flow; made up, if it is left out.")
@click.option(
    "--on-interrupt",
    type=click.Choice(["stop", "cancel"]),
    default="stop",
    show_default=True,
    help="What the first SIGINT, SIGTERM or SIGHUP does: stop this run, or cancel the flow.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=GRACE_S,
    show_default=True,
    metavar="SECONDS",
    help="How long running work may take to end when the run is to stop.",
)
@click.option("--fsync", is_flag=True, help="Let every entry reach the disk, not just the system.")
@click.pass_context
def run(
    ctx: click.Context,
    file: Path | None,
    log: Path | None,
    resume: Path | None,
    settings: tuple[str, ...],
    approve: str | None,
    by: tuple[str, ...],
    no_input: bool,
    on_approval: str | None,
    as_json: bool,
    handlers: str | None,
    flow_id: str | None,
    on_interrupt: str,
    grace: float,
    fsync: bool,
) -> None:
    """Run the flow in FILE, or go on with the run that a log tells of.

    Interrupt it once to stop it when the work that runs has ended, and once more to stop it
    at once. With a log it can be gone on with.
    """
    text = None if as_json else people_screen()
    screen: Screen = JsonScreen() if text is None else text
    workers = import_workers(handlers, Shell(show=screen.printed))
    names = _names(by)
    if resume is None:
        resumed, state = None, _new_state(file, workers, settings, flow_id)
    else:
        _refuse_with_resume({"--log": log, "--set": settings, "--flow-id": flow_id})
        resumed, state, truncated = _resumed(resume, file, workers, fsync=fsync)
        if truncated is not None:
            screen.warn(f"{resume}: warning: {truncated}")
    named = _named_steps(state.spec, approve)
    for step in _never_asking(state.spec, named):
        screen.warn(f"warning: --approve: the step {step!r} asks for no approval")
    people: list[Answers] = [Approvals(named, names)]
    if text is not None and not no_input and os.isatty(0) and os.isatty(1):
        people.append(Terminal(text, names[0]))
    order = Run(
        state=state,
        workers=workers,
        log=log if resume is None else resume,
        resumed=resumed,
        fsync=fsync,
        by=names[0],
        approve_all=approve == ALL,
        people=tuple(people),
        on_approval=on_approval,
        cancels=on_interrupt == "cancel",
        grace_s=grace,
        again=() if handlers is None else ("--handlers", handlers),
        screen=screen,
    )
    ctx.exit(asyncio.run(run_flow(order)))


# --- a new run, or one to go on with ---


def _new_state(
    file: Path | None, workers: Workers, settings: tuple[str, ...], flow_id: str | None
) -> FlowState:
    """The state of a flow to which nothing has happened."""
    if file is None:
        raise click.UsageError("Missing argument 'FILE' (or --resume LOG).")
    spec = with_inputs(read_flow(file, workers), settings)
    return initial_state(spec, _made_up_id(spec) if flow_id is None else flow_id)


def _refuse_with_resume(options: dict[str, object]) -> None:
    """Refuse what only a new run can be given."""
    for name, value in options.items():
        if value:
            raise click.UsageError(f"{name} does not go together with --resume.")


def _resumed(
    path: Path, file: Path | None, workers: Workers, *, fsync: bool
) -> tuple[LogFile, FlowState, LogError | None]:
    """The log to go on with, where its flow is, and what is wrong with its last line."""
    try:
        log, replayed = LogFile.resume(path, fsync=fsync)
    except OSError as error:
        raise ConductorError(f"{path}: {error.strerror or error}") from None
    except LogError as error:
        raise ConductorError(f"{path}: {error}") from None
    state = replayed.state
    if file is not None:
        _check_same(file, read_flow(file, workers), path, state.spec)
    missing = [f"{place}: {problem}" for place, problem in workers.missing(state.spec)]
    if missing:
        raise ConductorError("\n".join(f"{path}: {problem}" for problem in missing))
    return log, state, replayed.truncated


def _check_same(file: Path, spec: FlowSpec, log: Path, logged: FlowSpec) -> None:
    """Refuse a log of another flow than the one in the file; inputs may have been set."""
    found = list(differences(_without_inputs(logged), _without_inputs(spec)))
    if found:
        more = [f"and {len(found) - TOLD} more"] if len(found) > TOLD else []
        lines = "".join(f"\n  {line}" for line in (*found[:TOLD], *more))
        raise ConductorError(f"{log}: the log of another flow than that in {file}:{lines}")


def _without_inputs(spec: FlowSpec) -> dict[str, Any]:
    """The wire form of a flow, but for its inputs."""
    metadata: dict[str, Any] = dict(spec.metadata.value)
    metadata.pop("inputs", None)
    return encode_spec(evolve(spec, metadata=freeze(metadata)))


# --- what the options say ---


def _names(by: tuple[str, ...]) -> tuple[str, ...]:
    """The names that were given, or that of whoever started the command."""
    names = [name.strip() for part in by for name in part.split(",")]
    for name in names:
        if not name or re.search("[\ud800-\udfff]", name):
            raise ConductorError(f"--by: expected names, got {','.join(by)!r}")
    return tuple(dict.fromkeys(names)) or (_user(),)


def _user() -> str:
    """The name of whoever started the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def _named_steps(spec: FlowSpec, approve: str | None) -> frozenset[str]:
    """The steps that are approved in advance; one that the flow does not have is an error."""
    if approve is None or approve == ALL:
        return frozenset()
    named = frozenset(name.strip() for name in approve.split(","))
    if "" in named:
        raise ConductorError(f"--approve: expected {ALL!r} or step keys, got {approve!r}")
    steps = {step.key: step for step in _steps(spec)}
    asking = ", ".join(step.key for step in steps.values() if step.approval) or "no step"
    for name in sorted(named - steps.keys()) if steps else ():
        raise ConductorError(
            f"--approve: the flow has no step {name!r} (approval is asked for by {asking})"
        )
    return named


def _never_asking(spec: FlowSpec, named: frozenset[str]) -> list[str]:
    """The named steps that ask for approval only if their work wants it."""
    return [step.key for step in _steps(spec) if step.key in named and step.approval is None]


def _steps(spec: FlowSpec) -> Iterable[StepSpec]:
    return (step for group in spec.groups for step in group.steps)


def _made_up_id(spec: FlowSpec) -> str:
    """An id that no other run has: it goes into every idempotency key."""
    kind = re.sub(r"[^A-Za-z0-9_.-]+", "-", spec.type).strip("-_.")[:64] or "flow"
    return f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
