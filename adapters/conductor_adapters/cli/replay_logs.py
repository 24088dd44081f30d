"""Many logs: which there are in a folder or a store, and verifying them in several processes.

Rule: what comes out, and in which order, does not depend on the number of processes. Of a
folder every regular file below it counts whose name ends in `.jsonl`, in the order of names;
nothing else in it is opened, so that no pipe is waited for.

Whether such a file is a log is told by its first line, and by its second too, so that a damaged
header hides no log; one that is named `.conductor.jsonl` says itself that it is one.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import Final, TypeAlias

from attrs import field, frozen

from conductor_adapters.cli.cores import cores
from conductor_adapters.cli.recorded import is_log
from conductor_adapters.cli.replay_progress import LONG, MANY, lines_of, plain_lines
from conductor_adapters.cli.sources import Sources
from conductor_adapters.debugger.against import Against
from conductor_adapters.debugger.verifying import Verified, unreadable, verified
from conductor_core.errors import ConductorError, LogError
from conductor_core.loglines import LONGEST_LINE
from conductor_core.rawlines import Raw

SUFFIX: Final = ".jsonl"
LOG_SUFFIX: Final = ".conductor.jsonl"
BEGINS: Final = re.compile(rb'\s*\{\s*"(log|seq)"\s*:')
"""How the first lines of a log begin, unless others have written them anew."""
PARTS: Final = 8
"""Into so many parts for each process many logs are cut at least, so that none is idle long."""
LARGEST_PART: Final = 32


@frozen
class Given:
    """A log to be verified, or what the system says of what cannot be one."""

    path: Path
    error: OSError | None = None
    sources: Sources = field(factory=Sources)


@frozen
class Stored:
    """A flow of a store, whose log is to be verified."""

    flow_id: str
    sources: Sources

    def lines(self) -> Iterable[Raw]:
        """The lines of its log; raises LogError where the store has no such flow."""
        from conductor_adapters.store.errors import UnknownFlow  # noqa: PLC0415 - slow to import

        try:
            return self.sources.flow_lines(self.flow_id)
        except UnknownFlow as error:
            raise LogError(str(UnknownFlow(error.flow_id))) from None


Log: TypeAlias = Given | Stored


@frozen
class Chosen:
    """The logs that are meant, and the files that are none where `folders` are meant, too."""

    logs: list[Log] = field(factory=list)
    others: list[Path] = field(factory=list)
    folders: bool = False


# --- which logs there are ---


def logs_of(given: Iterable[str], sources: Sources) -> Chosen:
    """The logs that are meant, in the order given; raises ConductorError for an empty folder."""
    found = [_found(what, sources) for what in given]
    return Chosen(
        logs=[log for each in found for log in each.logs],
        others=[path for each in found for path in each.others],
        folders=any(each.folders for each in found),
    )


def _found(what: str, sources: Sources) -> Chosen:
    """What a flow of a store, a folder or a file stands for."""
    if sources.has_flow(what):
        return Chosen([Stored(what, sources)])
    path = Path(what)
    return _inside(path) if path.is_dir() else Chosen([Given(path, sources=sources)])


def _inside(folder: Path) -> Chosen:
    """The logs in a folder and in those inside it, in the order of their names."""
    logs: list[Given] = []
    others: list[Path] = []

    def note(error: OSError) -> None:
        logs.append(Given(Path(error.filename), error))

    for inside, _, names in os.walk(folder, onerror=note):
        for path in (Path(inside, name) for name in names if name.endswith(SUFFIX)):
            if path.is_file() and not _seems_a_log(path):
                others.append(path)
            elif path.is_file() or not path.exists():
                logs.append(Given(path))
    if not logs:
        what = f"none of {len(others):,} *{SUFFIX} is a log" if others else f"no *{SUFFIX}"
        raise ConductorError(f"{folder}: {what} in this folder, nor below it")
    in_order = sorted(logs, key=lambda log: log.path.parts)
    return Chosen([*in_order], sorted(others, key=_parts), folders=True)


def _parts(path: Path) -> tuple[str, ...]:
    return path.parts


def _seems_a_log(path: Path) -> bool:
    """Whether a file is a log, be it a damaged one; one that cannot be opened may be."""
    if path.name.endswith(LOG_SUFFIX):
        return True
    try:
        with path.open("rb") as file:
            return any(_is_line_of_log(file.readline(LONGEST_LINE + 1)) for _ in range(2))
    except OSError:
        return True


def _is_line_of_log(line: bytes) -> bool:
    return BEGINS.match(line) is not None or is_log(line)


# --- verifying them ---


def verify_all(
    logs: Sequence[Log], against: Against | None, processes: int | None
) -> Iterator[Verified]:
    """Verify logs, each when it is its turn; several processes where that is worth it."""
    count = min(_worthwhile(logs) if processes is None else processes, len(logs))
    if count > 1:
        return _in_processes(logs, against, count)
    # A bar for all of them is drawn by somebody else.
    draws = len(logs) < MANY
    return (verify(log, against, draws=draws) for log in logs)


def verify(log: Log, against: Against | None = None, *, draws: bool = False) -> Verified:
    """Verify a log line by line, perhaps with a bar where it is a long one."""
    if isinstance(log, Stored):
        return _verify_stored(log, against)
    name = str(log.path)
    if log.error is not None:
        return unreadable(name, log.error)
    try:
        with log.path.open("rb") as file:
            if not draws:
                return verified(name, plain_lines(file), against)
            with lines_of(file, name) as lines:
                return verified(name, lines, against)
    except OSError as error:
        return Verified(file=name, error=LogError(log.sources.problem(name, error)))


def _verify_stored(log: Stored, against: Against | None) -> Verified:
    try:
        lines = log.lines()
    except LogError as error:
        return Verified(file=log.sources.place(log.flow_id), error=error)
    return verified(log.sources.name(log.flow_id), lines, against)


def _worthwhile(logs: Iterable[Log]) -> int:
    """So many processes are worth it: one for little, else one for each core.

    Of flows in a store nobody knows how much there is; they count for nothing.
    """
    left = LONG
    for log in logs:
        try:
            left -= 0 if isinstance(log, Stored) else log.path.stat().st_size
        except OSError:
            continue
        if left < 0:
            return cores()
    return 1


def _in_processes(logs: Sequence[Log], against: Against | None, count: int) -> Iterator[Verified]:
    """The same, by so many processes, in the order of the logs."""
    # Forking is soonest; no thread of ours runs when it happens.
    method = "fork" if "fork" in get_all_start_methods() else "spawn"
    pool = ProcessPoolExecutor(count, get_context(method), initializer=_begin)
    part = max(1, min(LARGEST_PART, len(logs) // (count * PARTS)))
    try:
        yield from pool.map(partial(verify, against=against), logs, chunksize=part)
    except BrokenProcessPool:
        problem = "a process that verified logs ended before its time (out of memory?)"
        raise ConductorError(f"{problem}; --processes 1 does without") from None
    finally:
        # Of what was not begun nothing is wanted any more; what was ends soon.
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Begin a process: Ctrl-C at the terminal ends it, and it says nothing of that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
