"""A long replay under way, or that of many logs: a bar for people, on the standard error.

Rule: the lines pass by untouched, and are counted rarely enough to cost nothing. Of a short log,
or without a terminal, nothing is drawn; of a long one nothing is left behind.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from conductor_adapters.cli.check_progress import REDRAW_S, watched_by_people
from conductor_adapters.cli.console import escaped
from conductor_core.loglines import LONGEST_LINE

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")

LONG: Final = 4 * 1024 * 1024
"""So many bytes of a log are worth a bar."""
MANY: Final = 10
"""So many logs are worth one, too."""
EVERY: Final = 500
"""So many lines pass by between two looks."""


def plain_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a log, bounded, so that a file without line ends does not fill the memory."""
    return iter(partial(file.readline, LONGEST_LINE + 1), b"")


@contextmanager
def lines_of(file: BinaryIO, name: str) -> Generator[Iterator[bytes]]:
    """The lines of a log, with a bar as long as they are read."""
    lines = plain_lines(file)
    size = os.fstat(file.fileno()).st_size
    if size < LONG or not watched_by_people():
        yield lines
        return
    with _bar(lines, name, size) as counted:
        yield counted


def watched(results: Iterator[T], total: int) -> Iterator[T]:
    """Results as they come; of many, where people watch, all of them when a bar is full."""
    if total < MANY or not watched_by_people():
        return results
    return iter(_all_with_bar(results, total))


def _all_with_bar(results: Iterator[T], total: int) -> list[T]:
    """All results; the bar is drawn by this thread alone, since processes may be forked."""
    found: list[T] = []
    with _progress("logs", auto_refresh=False) as progress:
        task = progress.add_task("replay", total=total, read=0)
        drawn_s = 0.0
        for result in results:
            found.append(result)
            now_s = time.monotonic()
            if now_s - drawn_s >= REDRAW_S or len(found) == total:
                progress.update(task, completed=len(found), read=len(found), refresh=True)
                drawn_s = now_s
    return found


@contextmanager
def _bar(lines: Iterator[bytes], name: str, size: int) -> Generator[Iterator[bytes]]:
    """The same lines, drawn as they are read."""

    def counted() -> Iterator[bytes]:
        done = 0
        for read, line in enumerate(lines, 1):
            yield line
            done += len(line)
            if read % EVERY == 0:
                progress.update(task, completed=done, read=read)

    with _progress("lines") as progress:
        task = progress.add_task(escaped(name), total=size, read=0)
        yield counted()


def _progress(what: str, *, auto_refresh: bool = True) -> Progress:
    """A bar that counts something and leaves nothing behind."""
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import (  # noqa: PLC0415 - slow to import
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn(f"{{task.fields[read]:,}} {what}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=auto_refresh,
    )
