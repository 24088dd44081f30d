"""`conductor run`: run a flow file here, to its end or until only a person can go on.

Rule: the log is ahead of everything that is done. Exit code 0 when the flow succeeded, 1 when
it failed, was cancelled or could not go on, 2 when it never began, 3 when it waits for
a person and nobody is there to ask.
"""

from __future__ import annotations

import asyncio
import getpass
import re
import secrets
import signal
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from operator import is_not
from pathlib import Path
from typing import Final, Protocol

import click
from attrs import frozen

from conductor_adapters.cli.console import warn
from conductor_adapters.cli.flow_file import import_workers, read_flow
from conductor_adapters.cli.people import Approvals, Terminal
from conductor_adapters.cli.screen import Screen
from conductor_adapters.clock import WallClock
from conductor_adapters.host import Journal
from conductor_adapters.journal import LogFile, NoJournal
from conductor_adapters.memory import MemoryFlow, MemoryHost
from conductor_adapters.shell import Shell
from conductor_adapters.workers import Workers
from conductor_core import events, explain, initial_state
from conductor_core.errors import ConductorError, LogError
from conductor_core.spec import FlowSpec

SUCCEEDED: Final = 0
STOPPED: Final = 1
WAITS: Final = 3

FOR_PEOPLE: Final = ("approval-awaiting", "failed-pending-retry", "paused")
"""The statuses of a flow that goes on only when somebody asks it to."""

STOP_GRACE_S: Final = 1.0


class Answers(Protocol):
    """Somebody who may answer what a flow asks."""

    async def answer(self, flow: MemoryFlow) -> bool:
        """Answer one thing; False if there is nothing to answer."""
        ...


@frozen(kw_only=True)
class Run:
    """What is to be run, and for whom."""

    spec: FlowSpec
    flow_id: str
    workers: Workers
    log: Path | None
    by: str
    approve_all: bool
    people: tuple[Answers, ...]
    screen: Screen


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--log", type=click.Path(path_type=Path), help="Write the flow's log to this new file."
)
@click.option("--approve", metavar="all|STEP,...", help="Approve these steps when they ask.")
@click.option("--by", metavar="NAME", help="Who asks and answers; you, if it is left out.")
@click.option("--no-input", is_flag=True, help="Never ask on the terminal.")
@click.option("--handlers", metavar="MODULE", help="A module whose `handlers` do the work.")
@click.option("--flow-id", metavar="ID", help="The id of the flow; made up, if it is left out.")
@click.pass_context
def run(
    ctx: click.Context,
    file: Path,
    log: Path | None,
    approve: str | None,
    by: str | None,
    no_input: bool,
    handlers: str | None,
    flow_id: str | None,
) -> None:
    """Run the flow in FILE.

    Interrupt it once to cancel the flow, and once more to stop at once.
    """
    screen = Screen()
    workers = import_workers(handlers, Shell(show=screen.printed))
    spec = read_flow(file, workers)
    by = _user() if by is None else _name(by)
    named = _named_steps(spec, approve)
    people: list[Answers] = [Approvals(named, by)]
    if not no_input and sys.stdin.isatty() and sys.stdout.isatty():
        people.append(Terminal(screen, by))
    order = Run(
        spec=spec,
        flow_id=_made_up_id(spec) if flow_id is None else flow_id,
        workers=workers,
        log=log,
        by=by,
        approve_all=approve == "all",
        people=tuple(people),
        screen=screen,
    )
    ctx.exit(asyncio.run(_run(order)))


def _user() -> str:
    """The name of whoever started the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def _name(by: str) -> str:
    """The name that was given, if it is one."""
    if not by.strip() or re.search("[\ud800-\udfff]", by):
        raise ConductorError(f"--by: expected a name, got {by!r}")
    return by


def _named_steps(spec: FlowSpec, approve: str | None) -> frozenset[str]:
    """The steps that are approved in advance; one that the flow does not have is an error."""
    if approve is None or approve == "all":
        return frozenset()
    named = frozenset(name.strip() for name in approve.split(","))
    known = {step.key for group in spec.groups for step in group.steps}
    for name in sorted(named - known) if spec.groups else ():
        raise ConductorError(f"--approve: the flow has no step {name!r}")
    return named


def _made_up_id(spec: FlowSpec) -> str:
    """An id that no other run has: it goes into every idempotency key."""
    kind = re.sub(r"[^A-Za-z0-9_.-]+", "-", spec.type).strip("-_.")[:64] or "flow"
    return f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


async def _run(order: Run) -> int:
    """Run the flow under its log and return the exit code."""
    with _journal(order) as journal:
        host = MemoryHost(order.workers.handlers, generators=order.workers.generators)
        async with host:
            flow = await host.start(
                order.spec,
                flow_id=order.flow_id,
                journal=journal,
                observe=order.screen.happened,
            )
            try:
                with _interrupts(flow, order):
                    return await _play(flow, order)
            except asyncio.CancelledError:
                await host.close(STOP_GRACE_S)
                warn("stopped at once; what happened until then is in the log")
            except (OSError, LogError) as error:
                warn(f"cannot go on: {error}")
    return STOPPED


@contextmanager
def _journal(order: Run) -> Generator[Journal]:
    """The log that was asked for, which must be a new file."""
    state = initial_state(order.spec, order.flow_id)
    if order.log is None:
        yield NoJournal()
        return
    try:
        order.log.parent.mkdir(parents=True, exist_ok=True)
        log = LogFile.create(order.log, state, at_ms=WallClock().now_ms())
    except FileExistsError:
        raise ConductorError(f"{order.log}: exists; every run has a log of its own") from None
    except OSError as error:
        raise ConductorError(f"{order.log}: {error.strerror or error}") from None
    with log:
        yield log


async def _play(flow: MemoryFlow, order: Run) -> int:
    """Answer what the flow asks until it ends, or until nobody here can."""
    if order.approve_all:
        await flow.set_approval_option("approve-all", by=order.by)
    while flow.state.outcome is None:
        state = flow.state
        if await _answered(flow, order.people):
            continue
        if state.status in FOR_PEOPLE:
            _tell_how_to_go_on(flow, order)
            return WAITS
        await flow.until(partial(is_not, state))
    outcome = flow.state.outcome
    order.screen.write(f"flow {flow.flow_id}: {outcome.status}")
    if outcome.status == "success":
        return SUCCEEDED
    at = f" at {outcome.step}" if outcome.step else ""
    warn(f"{outcome.reason}{at}: {outcome.message}")
    return STOPPED


async def _answered(flow: MemoryFlow, people: tuple[Answers, ...]) -> bool:
    """Have one question answered by the first who can."""
    for somebody in people:
        if await somebody.answer(flow):
            return True
    return False


def _tell_how_to_go_on(flow: MemoryFlow, order: Run) -> None:
    """Say what the flow waits for, and how it gets it."""
    for wait in explain(flow.state).waits:
        warn(f"waits for {wait}")
    steps = ",".join(attempt.step for attempt in flow.state.open_approvals())
    approve = f" with --approve {steps} --by NAME, or" if steps else ""
    warn(f"nobody is here to ask: run it again{approve} on a terminal")


@contextmanager
def _interrupts(flow: MemoryFlow, order: Run) -> Generator[None]:
    """The first interrupt cancels the flow, the second stops at once."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    assert main is not None, "the loop runs a task"
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        if interrupted:
            main.cancel()
            return
        interrupted = True
        order.screen.write("cancelling the flow; interrupt once more to stop at once")
        flow.report(partial(events.CancelRequested, by=order.by, reason="interrupted"))

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
