"""`conductor import`: take the log of a flow into a store, where workers go on with it.

Rule: every line is verified before anything is written. A log that a run still writes is
refused, and what is left of a run that was killed is ended first, so that nothing runs twice.
Exit code 0 when the flow is in the store, 2 when it is not.
"""

from __future__ import annotations

import asyncio
import stat
import sys
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from os import fstat
from pathlib import Path
from typing import Any, BinaryIO

import click

from conductor_adapters.attempt_files import AttemptFiles
from conductor_adapters.cli.console import counted, say, say_json, warn
from conductor_adapters.cli.operate.needs import living_works, nobody_does
from conductor_adapters.cli.operate.stores import file_of, opener, with_store
from conductor_adapters.cli.replay_progress import lines_of
from conductor_adapters.cli.running import files_of
from conductor_adapters.clock import WallClock
from conductor_adapters.leftovers import end_leftovers
from conductor_adapters.store.errors import FlowExists
from conductor_adapters.store.housekeeping import imported
from conductor_adapters.store.ledger import Ledger
from conductor_core.errors import ConductorError, LogError
from conductor_core.log import replay

if sys.platform != "win32":
    import fcntl

STANDARD_INPUT = Path("-")


@click.command("import")
@click.argument("log", metavar="LOG", type=click.Path(path_type=Path, allow_dash=True))
@with_store
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
def import_(log: Path, store: str, as_json: bool) -> None:
    """Take the log of a flow into a store; `-` reads it from the standard input.

    The flow goes on as after a crash. Do not go on with LOG itself: both would do the work.
    """
    file_of(store)
    try:
        with _opened(log) as file, lines_of(file, str(log)) as lines:
            found, warnings = _taken(store, lines)
    except OSError as error:
        raise ConductorError(f"{log}: {error.strerror or error}") from None
    except (LogError, FlowExists) as error:
        raise ConductorError(f"{log}: {error}") from None
    for line in warnings:
        warn(line)
    if as_json:
        say_json(found)
    else:
        entries = counted(found["entries"], "entry", "entries")
        say(f"{found['flow_id']}: {found['status']}, {entries}")


@contextmanager
def _opened(log: Path) -> Generator[BinaryIO]:
    """Open a log; one in a file is held, and nothing works on its flow any more."""
    if log == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    with log.open("rb") as file:
        if stat.S_ISREG(fstat(file.fileno()).st_mode):
            _hold(log, file)
        yield file


def _hold(log: Path, file: BinaryIO) -> None:
    """Lock a log, and end what its last run left behind; raises ConductorError."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConductorError(f"{log}: a run still writes this log; stop that first") from None
    for attempt in asyncio.run(end_leftovers(AttemptFiles(files_of(log)))):
        warn(f"{attempt} still ran and was ended")


def _taken(named: str, lines: Iterable[bytes]) -> tuple[dict[str, Any], list[str]]:
    """Take a log in; returns where its flow is then, and what is to be warned of."""
    clock, raws, path = WallClock(), list(lines), file_of(named)
    # A log that is refused makes no file, and no tables.
    if (path is None or not path.exists()) and (cut_off := replay(raws).truncated) is not None:
        raise cut_off
    with closing(opener(named, create=True)()) as store:
        ledger = Ledger(store, now_ms=clock.now_ms)
        flow_id = imported(ledger, raws)
        with ledger.transaction():
            state, entries = ledger.look(flow_id), store.entries(flow_id)[-1][0]
            works = living_works(store)
    found = {"flow_id": flow_id, "status": state.status, "entries": entries}
    return found, [*nobody_does(state, works)]
