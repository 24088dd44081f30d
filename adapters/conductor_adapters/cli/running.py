"""A run of `conductor run`, from its log to its exit code.

Rule: the log is ahead of everything that is done, and no work outlives the run. What a former
run left behind is ended before anything begins. A run that is told to stop records what its
work still achieves and leaves the flow as it is: the next run goes on from there.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from operator import is_not
from pathlib import Path
from typing import Final, Protocol

from attrs import evolve, frozen

from conductor_adapters.attempt_files import AttemptFiles
from conductor_adapters.cli.good_order import GoodOrder
from conductor_adapters.cli.interrupts import Interrupts
from conductor_adapters.cli.log_records import shown_records
from conductor_adapters.cli.notices import Notices
from conductor_adapters.cli.screen import Screen
from conductor_adapters.cli.waits import told_waits, way_on
from conductor_adapters.clock import WallClock
from conductor_adapters.host import Journal
from conductor_adapters.journal import LogFile, NoJournal
from conductor_adapters.leftovers import end_leftovers
from conductor_adapters.memory import MemoryFlow, MemoryHost
from conductor_adapters.shell import Shell
from conductor_adapters.work import HostFailure
from conductor_adapters.workers import Workers
from conductor_core import events
from conductor_core.errors import ConductorError, LogError
from conductor_core.explain import waits_for_people
from conductor_core.flowfile import SHELL
from conductor_core.state import FlowState

SUCCEEDED: Final = 0
STOPPED: Final = 1
WAITS: Final = 3

STOP_GRACE_S: Final = 1.0
TOLD: Final = 5
"""So many attempts that run are named when a run is to stop."""


class Answers(Protocol):
    """Somebody who may answer what a flow asks."""

    async def answer(self, flow: MemoryFlow) -> bool:
        """Answer one thing; False if there is nothing to answer."""
        ...


@frozen(kw_only=True)
class Order:
    """What is to be run, from which state, and for whom.

    `resumed` is the log to go on with, `log` the file of that or of a new one. `grace_s` is
    how long work may go on once the run is told to stop, unless that is to cancel the flow.
    `entries` counts those of the log so far. The next run needs the options `again` as well,
    and `answers`, unless it is told better ones.
    """

    state: FlowState
    entries: int
    workers: Workers
    log: Path | None
    resumed: LogFile | None
    fsync: bool
    by: str
    approve_all: bool
    people: tuple[Answers, ...]
    on_approval: str | None
    cancels: bool
    grace_s: float
    again: tuple[str, ...]
    answers: tuple[str, ...]
    screen: Screen


async def run_flow(order: Order) -> int:
    """Run the flow under its log, say how that ended and return the exit code."""
    interrupts = Interrupts()
    notices = Notices(order.on_approval, order.screen, order.log)
    state, code = order.state, STOPPED
    async with _shown(order.screen, interrupts):
        try:
            with shown_records(order.screen), _journal(order) as journal:
                workers = await _workers(order, journal)
                state, code = await _host(order, journal, workers, notices, interrupts)
        except OSError as error:
            order.screen.warn(_cannot(error))
            code = STOPPED
        _tell_end(state, order, code)
        interrupts.then(insist=notices.give_up)
        await notices.close()
    return code


def files_of(log: Path) -> Path:
    """The folder beside a log for what its attempts print."""
    return log.with_name(f"{log.name}.d")


@asynccontextmanager
async def _shown(screen: Screen, interrupts: Interrupts) -> AsyncGenerator[None]:
    """Show what is written and printed, and wait for who reads it, less long after a signal."""
    screen.begin()
    try:
        yield
    finally:
        interrupts.then(screen.hurry, screen.hurry)
        await screen.finish()


@contextmanager
def _journal(order: Order) -> Generator[LogFile | NoJournal]:
    """The log to go on with, or a new one; none if none was asked for."""
    if order.log is None:
        yield NoJournal()
        return
    with order.resumed or _new_log(order.log, order) as log:
        yield log


def _new_log(path: Path, order: Order) -> LogFile:
    now_ms = WallClock().now_ms()
    try:
        if path.exists() and not path.is_file():
            raise ConductorError(f"{path}: no regular file, which a log has to be")
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
    except OSError as error:
        raise ConductorError(f"{path}: {path.parent}: {error.strerror or error}") from None
    try:
        return LogFile.create(path, order.state, at_ms=now_ms, fsync=order.fsync)
    except FileExistsError:
        raise ConductorError(
            f"{path}: exists; go on with it (--resume) or give the new run a log of its own"
        ) from None
    except OSError as error:
        raise ConductorError(f"{path}: {error.strerror or error}") from None
    except LogError as error:
        raise ConductorError(f"{path}: {error}") from None


async def _workers(order: Order, journal: LogFile | NoJournal) -> Workers:
    """The workers, with a shell that keeps what commands print beside the log."""
    if order.log is None or isinstance(journal, NoJournal):
        return order.workers
    files = AttemptFiles(files_of(order.log), journal.descriptor)
    for attempt in await end_leftovers(files):
        order.screen.note(f"{attempt} still ran and was ended")
    if order.resumed is None:
        files.remove_outputs()
    handlers = dict(order.workers.handlers)
    if isinstance(handlers.get(SHELL), Shell):
        handlers[SHELL] = Shell(show=order.screen.printed, files=files)
    return evolve(order.workers, handlers=handlers)


async def _host(
    order: Order, journal: Journal, workers: Workers, notices: Notices, interrupts: Interrupts
) -> tuple[FlowState, int]:
    """Run the flow and return where that left it, with the exit code."""
    async with MemoryHost(workers.handlers, generators=workers.generators, ask=notices.ask) as host:
        flow = await _begun(host, order, journal)
        try:
            code = await _Play(flow, host, order).to_its_end(interrupts)
        except (OSError, LogError, HostFailure) as error:
            order.screen.warn(_cannot(error))
            if order.log is not None:
                order.screen.warn(f"go on with: {_again(order.log, order)}")
            code = STOPPED
        finally:
            await host.close(STOP_GRACE_S)
    # A question may have expired while the host closed.
    return flow.state, _code_of(flow.state) if flow.state.outcome and code == WAITS else code


async def _begun(host: MemoryHost, order: Order, journal: Journal) -> MemoryFlow:
    """Start the flow, or take it up where its log ends."""
    state, happened = order.state, order.screen.happened
    if order.resumed is None:
        spec, flow_id = state.spec, state.flow_id
        return await host.start(spec, flow_id=flow_id, journal=journal, observe=happened)
    order.screen.resumed(state, order.entries)
    return await host.recover(state, journal=journal, observe=happened)


def _cannot(error: OSError | LogError | HostFailure) -> str:
    """Say why a flow cannot go on here: its log takes no more, or its work finds no room."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot write {error.filename}: {error.strerror}"
    return f"cannot go on: {error}"


class _Play:
    """Plays a flow to its end, until nobody here can answer it, or until it is told to stop."""

    def __init__(self, flow: MemoryFlow, host: MemoryHost, order: Order) -> None:
        self._flow = flow
        self._host = host
        self._order = order
        self._playing = asyncio.ensure_future(self._play())
        self._good_order = GoodOrder(self._playing)

    async def to_its_end(self, interrupts: Interrupts) -> int:
        """Play and return the exit code."""
        interrupts.then(self._asked, self._good_order.insist)
        try:
            return await self._playing
        except asyncio.CancelledError:
            return await self._stop()
        finally:
            interrupts.then()

    async def _play(self) -> int:
        flow, order = self._flow, self._order
        if order.approve_all and flow.state.outcome is None:
            await flow.set_approval_option("approve-all", by=order.by)
        while flow.state.outcome is None:
            state = flow.state
            if await self._answered():
                continue
            if waits_for_people(state):
                return WAITS
            await flow.until(partial(is_not, state))
        return _code_of(flow.state)

    async def _answered(self) -> bool:
        """Have one question answered by the first who can."""
        for somebody in self._order.people:
            if await somebody.answer(self._flow):
                return True
        return False

    def _asked(self) -> None:
        """At the first signal: cancel the flow, or stop the run."""
        if self._playing.done():
            return
        if self._order.cancels:
            self._order.screen.note("cancelling the flow; interrupt once more to stop at once")
            cancel = partial(events.CancelRequested, by=self._order.by, reason="interrupted")
            self._flow.report(cancel)
        else:
            self._playing.cancel()

    async def _stop(self) -> int:
        """Let work end that ends in time, unless somebody insists."""
        await self._good_order.kept(self._drain)
        if self._flow.state.outcome is not None:
            return _code_of(self._flow.state)
        how = " at once" if self._good_order.insisted else ""
        self._order.screen.warn(f"stopped{how}{_kept(self._order)}")
        return STOPPED

    async def _drain(self) -> None:
        order = self._order
        active = [attempt.id for attempt in self._flow.state.current_attempts() if attempt.active]
        if active:
            more = f" and {len(active) - TOLD} more" if len(active) > TOLD else ""
            order.screen.note(
                f"stopping: nothing new starts, and {' '.join(active[:TOLD])}{more} may end within"
                f" {order.grace_s:g} s; interrupt once more to stop at once"
            )
        await self._host.drain(order.grace_s)


def _code_of(state: FlowState) -> int:
    succeeded = state.outcome is not None and state.outcome.status == "success"
    return SUCCEEDED if succeeded else STOPPED


def _kept(order: Order) -> str:
    """Where to find what happened, and how to go on."""
    if order.log is None:
        return "; without --log nothing is kept of it"
    again = _again(order.log, order)
    return f"; what happened until then is in {order.log}; go on with: {again}"


def _again(log: Path, order: Order) -> str:
    """The command that goes on with the flow as this one did."""
    return shlex.join(["conductor", "run", "--resume", str(log), *order.again, *order.answers])


def _tell_end(state: FlowState, order: Order, code: int) -> None:
    """Say how the run ended and why, and how a flow that waits goes on."""
    screen = order.screen
    screen.ended(state, code)
    if code == WAITS:
        now_ms = WallClock().now_ms()
        for line in (*told_waits(state, now_ms), way_on(state, order.log, order.again)):
            screen.warn(line)
    elif state.outcome is not None and state.outcome.status != "success":
        at = f" at {state.outcome.step}" if state.outcome.step else ""
        screen.warn(f"{state.outcome.reason}{at}: {state.outcome.message}")
