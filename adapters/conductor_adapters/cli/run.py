"""`conductor run`: run a flow file here, or go on with the run that a log tells of.

Rule: everything that could keep a run from its end is told before it begins. Exit code 0
when the flow succeeded, 1 when it failed, was cancelled or could not go on, 2 when it never
began, 3 when it waits for a person and nobody is there to ask.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from conductor_adapters.cli.documents import SURROGATE
from conductor_adapters.cli.flow_file import import_workers, read_flow
from conductor_adapters.cli.flow_ids import made_up_id
from conductor_adapters.cli.options import with_grace, with_settings
from conductor_adapters.cli.parameters import with_inputs
from conductor_adapters.cli.people import Approvals, Terminal
from conductor_adapters.cli.process import ran
from conductor_adapters.cli.resumed import resumed_log
from conductor_adapters.cli.running import Answers, Order, run_flow
from conductor_adapters.cli.screen import JsonScreen, Screen, people_screen
from conductor_adapters.cli.user import user_name
from conductor_adapters.shell import Shell
from conductor_adapters.workers import Workers
from conductor_core import initial_state
from conductor_core.errors import ConductorError
from conductor_core.state import FlowState

ALL: Final = "all"


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
@with_settings
@click.option(
    "--approve", multiple=True, metavar="all|STEP,...", help="Approve these steps when they ask."
)
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
@with_grace
@click.option("--fsync", is_flag=True, help="Let every entry reach the disk, not just the system.")
@click.pass_context
def run(
    ctx: click.Context,
    file: Path | None,
    log: Path | None,
    resume: Path | None,
    settings: tuple[str, ...],
    approve: tuple[str, ...],
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
        resumed, state, entries = None, _new_state(file, workers, settings, flow_id), 0
    else:
        _refuse_with_resume({"--log": log, "--set": settings, "--flow-id": flow_id})
        resumed, replayed = resumed_log(resume, file, workers, fsync=fsync)
        state, entries = replayed.state, replayed.entries
        if replayed.truncated is not None:
            screen.warn(f"{resume}: warning: {replayed.truncated}")
    named = _named_steps(state, approve)
    for step in _never_asking(state, named):
        screen.warn(f"warning: --approve: the step {step!r} asks for no approval")
    people: list[Answers] = [Approvals(named, names)]
    if text is not None and not no_input and os.isatty(0) and os.isatty(1):
        people.append(Terminal(text, names[0]))
    order = Order(
        state=state,
        entries=entries,
        workers=workers,
        log=log if resume is None else resume,
        resumed=resumed,
        fsync=fsync,
        by=names[0],
        approve_all=ALL in approve,
        people=tuple(people),
        on_approval=on_approval,
        cancels=on_interrupt == "cancel",
        grace_s=grace,
        again=_again(ctx),
        answers=_given(ctx, "--approve", "--by"),
        screen=screen,
    )
    ctx.exit(ran(run_flow(order)))


# --- a new run, or one to go on with ---


def _new_state(
    file: Path | None, workers: Workers, settings: tuple[str, ...], flow_id: str | None
) -> FlowState:
    """The state of a flow to which nothing has happened."""
    if file is None:
        raise click.UsageError("Missing argument 'FILE' (or --resume LOG).")
    spec = with_inputs(read_flow(file, workers), settings)
    return initial_state(spec, made_up_id(spec) if flow_id is None else flow_id)


def _refuse_with_resume(options: dict[str, object]) -> None:
    """Refuse what only a new run can be given."""
    for name, value in options.items():
        if value:
            raise click.UsageError(f"{name} does not go together with --resume.")


# --- what the options say ---


def _again(ctx: click.Context) -> tuple[str, ...]:
    """The options of this run that the next one needs as well."""
    return _given(
        ctx,
        *("--handlers", "--no-input", "--on-approval", "--json"),
        *("--on-interrupt", "--grace", "--fsync"),
    )


def _given(ctx: click.Context, *names: str) -> tuple[str, ...]:
    """Those of some options that were given, as they may be given again."""
    given: list[str] = []
    options = {option.opts[0]: option for option in ctx.command.params}
    for name in names:
        option = options[name]
        assert option.name is not None, "every option has one"
        if ctx.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
            value = ctx.params[option.name]
            for each in value if isinstance(value, tuple) else (value,):
                given += [name] if each is True else [name, str(each)]
    return tuple(given)


def _names(by: tuple[str, ...]) -> tuple[str, ...]:
    """The names that were given, or that of whoever started the command."""
    given = by or (user_name(),)
    names = [name.strip() for part in given for name in part.split(",")]
    for name in names:
        if not name or SURROGATE.search(name):
            raise ConductorError(f"--by: expected names, got {','.join(given)!r}")
    return tuple(dict.fromkeys(names))


def _named_steps(state: FlowState, approve: tuple[str, ...]) -> frozenset[str]:
    """The steps that are approved in advance; one that the flow does not have is an error."""
    named = frozenset(name.strip() for part in approve for name in part.split(",")) - {ALL}
    if "" in named:
        raise ConductorError(f"--approve: expected {ALL!r} or step keys, got {','.join(approve)!r}")
    steps = {step.key: step for step in state.catalog.steps}
    asking = ", ".join(step.key for step in steps.values() if step.approval) or "no step"
    for name in sorted(named - steps.keys()) if steps else ():
        raise ConductorError(
            f"--approve: the flow has no step {name!r} (approval is asked for by {asking})"
        )
    return named


def _never_asking(state: FlowState, named: frozenset[str]) -> list[str]:
    """The named steps that ask for approval only if their work wants it."""
    steps = state.catalog.steps
    return [step.key for step in steps if step.key in named and step.approval is None]
