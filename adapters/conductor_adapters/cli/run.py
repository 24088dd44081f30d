"""`conductor run`: run a flow file here, to its end or until only a person can go on.

Rule: the log is ahead of everything that is done, and no work outlives the run. Exit code 0
when the flow succeeded, 1 when it failed, was cancelled or could not go on, 2 when it never
began, 3 when it waits for a person and nobody is there to ask.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import secrets
import signal
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from functools import partial
from operator import is_not
from pathlib import Path
from typing import Final, Protocol

import click
from attrs import frozen

from conductor_adapters.cli.flow_file import import_workers, read_flow
from conductor_adapters.cli.people import Approvals, Terminal
from conductor_adapters.cli.screen import JsonScreen, Screen, TextScreen
from conductor_adapters.cli.waits import told_waits, way_on
from conductor_adapters.clock import WallClock
from conductor_adapters.host import Journal
from conductor_adapters.journal import LogFile, NoJournal
from conductor_adapters.memory import MemoryFlow, MemoryHost
from conductor_adapters.shell import Shell
from conductor_adapters.workers import Workers
from conductor_core import events, initial_state
from conductor_core.errors import ConductorError, LogError
from conductor_core.spec import FlowSpec, StepSpec
from conductor_core.state import FlowState

SUCCEEDED: Final = 0
STOPPED: Final = 1
WAITS: Final = 3

ALL: Final = "all"

FOR_PEOPLE: Final = ("approval-awaiting", "failed-pending-retry", "paused")
"""The statuses of a flow that goes on only when somebody asks it to."""

STOP_GRACE_S: Final = 1.0
HANGUP_ECHO_S: Final = 1.0
"""A terminal that closes may hang up twice: by its shell, then by the kernel."""


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
@click.option(
    "--by",
    multiple=True,
    metavar="NAME,...",
    help="Who asks and answers; you, if it is left out. Each name approves for itself.",
)
@click.option("--no-input", is_flag=True, help="Never ask on the terminal.")
@click.option(
    "--json", "as_json", is_flag=True, help="Write an object per event; never ask either."
)
@click.option("--handlers", metavar="MODULE", help="A module whose `handlers` do the work.")
@click.option("--flow-id", metavar="ID", help="The id of the flow; made up, if it is left out.")
@click.pass_context
def run(
    ctx: click.Context,
    file: Path,
    log: Path | None,
    approve: str | None,
    by: tuple[str, ...],
    no_input: bool,
    as_json: bool,
    handlers: str | None,
    flow_id: str | None,
) -> None:
    """Run the flow in FILE.

    Interrupt it once to cancel the flow, and once more to stop at once.
    """
    text = TextScreen()
    screen: Screen = JsonScreen() if as_json else text
    workers = import_workers(handlers, Shell(show=screen.printed))
    spec = read_flow(file, workers)
    names = _names(by)
    named = _named_steps(spec, approve)
    for step in _never_asking(spec, named):
        screen.warn(f"warning: --approve: the step {step!r} asks for no approval")
    people: list[Answers] = [Approvals(named, names)]
    if not (no_input or as_json) and os.isatty(0) and os.isatty(1):
        people.append(Terminal(text, names[0]))
    order = Run(
        spec=spec,
        flow_id=_made_up_id(spec) if flow_id is None else flow_id,
        workers=workers,
        log=log,
        by=names[0],
        approve_all=approve == ALL,
        people=tuple(people),
        screen=screen,
    )
    ctx.exit(asyncio.run(_run(order)))


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


async def _run(order: Run) -> int:
    """Run the flow under its log, say how that ended and return the exit code."""
    state, code = initial_state(order.spec, order.flow_id), STOPPED
    try:
        with _journal(order, state) as journal:
            state, code = await _host(order, journal)
    except OSError as error:
        order.screen.warn(_cannot(error))
        code = STOPPED
    _tell_end(state, order, code)
    return code


async def _host(order: Run, journal: Journal) -> tuple[FlowState, int]:
    """Run the flow and return where that left it, with the exit code."""
    async with MemoryHost(order.workers.handlers, generators=order.workers.generators) as host:
        flow = await host.start(
            order.spec, flow_id=order.flow_id, journal=journal, observe=order.screen.happened
        )
        code = STOPPED
        playing = asyncio.ensure_future(_play(flow, order))
        _heed_signals(flow, order, playing)
        try:
            code = await playing
        except asyncio.CancelledError:
            kept = "" if order.log is None else f"; what happened until then is in {order.log}"
            order.screen.warn(f"stopped at once{kept}")
        except (OSError, LogError) as error:
            order.screen.warn(_cannot(error))
        finally:
            await host.close(STOP_GRACE_S)
    return flow.state, code


def _cannot(error: OSError | LogError) -> str:
    """Say why a flow cannot go on: its log takes no more."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot write {error.filename}: {error.strerror}"
    return f"cannot go on: {error}"


@contextmanager
def _journal(order: Run, state: FlowState) -> Generator[Journal]:
    """The log that was asked for, which must be a new file."""
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
            return WAITS
        await flow.until(partial(is_not, state))
    return SUCCEEDED if flow.state.outcome.status == "success" else STOPPED


async def _answered(flow: MemoryFlow, people: tuple[Answers, ...]) -> bool:
    """Have one question answered by the first who can."""
    for somebody in people:
        if await somebody.answer(flow):
            return True
    return False


def _tell_end(state: FlowState, order: Run, code: int) -> None:
    """Say how the run ended and why, and how a flow that waits goes on."""
    screen = order.screen
    screen.ended(state, code)
    if code == WAITS:
        for line in (*told_waits(state, WallClock().now_ms()), way_on(state)):
            screen.warn(line)
    elif state.outcome is not None and state.outcome.status != "success":
        at = f" at {state.outcome.step}" if state.outcome.step else ""
        screen.warn(f"{state.outcome.reason}{at}: {state.outcome.message}")


def _heed_signals(flow: MemoryFlow, order: Run, playing: asyncio.Future[int]) -> None:
    """The first signal cancels the flow, the second stops at once; more change nothing.

    They are heeded until the loop closes: nothing may keep it from ending the work.
    """
    loop = asyncio.get_running_loop()
    asked_s: float | None = None

    def heed(number: int) -> None:
        nonlocal asked_s
        if playing.done():
            return
        if asked_s is None:
            asked_s = loop.time()
            order.screen.note("cancelling the flow; interrupt once more to stop at once")
            flow.report(partial(events.CancelRequested, by=order.by, reason="interrupted"))
        elif number != signal.SIGHUP or loop.time() - asked_s > HANGUP_ECHO_S:
            playing.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, heed, number)
    # Under nohup a hangup is nothing to heed.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, heed, signal.SIGHUP)
