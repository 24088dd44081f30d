"""A long replay under way: a bar for people at a terminal, on the standard error.

Rule: the lines pass by untouched, and are counted rarely enough to cost nothing. Of a short log,
or without a terminal, nothing is drawn; of a long one nothing is left behind.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, Final

from conductor_adapters.cli.check_progress import watched_by_people
from conductor_adapters.cli.console import escaped
from conductor_core.loglines import LONGEST_LINE

LONG: Final = 4 * 1024 * 1024
"""So many bytes of a log are worth a bar."""
EVERY: Final = 500
"""So many lines pass by between two looks."""


@contextmanager
def lines_of(file: BinaryIO, name: str) -> Generator[Iterator[bytes]]:
    """The lines of a log, bounded, with a bar as long as they are read."""
    # Bounded, so that a file without line ends does not fill the memory.
    lines = iter(partial(file.readline, LONGEST_LINE + 1), b"")
    size = os.fstat(file.fileno()).st_size
    if size < LONG or not watched_by_people():
        yield lines
        return
    with _bar(lines, name, size) as counted:
        yield counted


@contextmanager
def _bar(lines: Iterator[bytes], name: str, size: int) -> Generator[Iterator[bytes]]:
    """The same lines, drawn as they are read."""
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import (  # noqa: PLC0415 - slow to import
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[read]:,} lines"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )

    def counted() -> Iterator[bytes]:
        done = 0
        for read, line in enumerate(lines, 1):
            yield line
            done += len(line)
            if read % EVERY == 0:
                progress.update(task, completed=done, read=read)

    with progress:
        task = progress.add_task(escaped(name), total=size, read=0)
        yield counted()
