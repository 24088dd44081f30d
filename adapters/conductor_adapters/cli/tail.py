"""The lines of a file that others still write, as they are appended.

Rule: a line is given when its end is there, and not before: what is half written is read again
once there is more of it, so that a writer may take it back, too. What was given must stay: a
file that is cut below that, replaced or gone is a ConductorError.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from conductor_adapters.cli.console import warn
from conductor_core.errors import ConductorError
from conductor_core.loglines import LONGEST_LINE

LOOK_S: Final = 0.1
"""So often a file is looked at to which nothing is written."""
IDLE_LOOKS: Final = 10
"""So many looks find nothing new before a file is said to be idle."""

Seen: TypeAlias = tuple[int, int]
"""The size of a file, and when it was written last."""


class Tail:
    """The lines of a file, for as long as nobody says by `ended` that no more will come.

    It is asked whenever all lines that are there were taken; `idle` is told once nothing has come
    behind them for a while.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._given = 0
        self.ended: Callable[[], bool] = lambda: False
        self.idle: Callable[[], None] = lambda: None

    def __iter__(self) -> Iterator[bytes]:
        with self._opened() as file:
            yield from self._lines(file)

    def _opened(self) -> BinaryIO:
        """The file, as soon as it is there; raises for what is no file, or cannot be read."""
        waited = False
        while True:
            try:
                if not stat.S_ISREG(self._path.stat().st_mode):
                    raise self._error("it is no regular file, so it cannot be followed")
                return self._path.open("rb")
            except FileNotFoundError as error:
                if not self._path.parent.is_dir():
                    raise self._error(error.strerror) from None
            except OSError as error:
                raise self._error(error.strerror) from None
            if not waited:
                warn(f"{self._path}: it is not there yet; waiting for it")
            waited = True
            time.sleep(LOOK_S)

    def _lines(self, file: BinaryIO) -> Iterator[bytes]:
        seen: Seen | None = None
        looks = 0
        while True:
            now = self._look(file)
            if now == seen:
                looks += 1
                if looks == IDLE_LOOKS:
                    self.idle()
                time.sleep(LOOK_S)
                continue
            seen, looks = now, 0
            yield from self._whole_lines(file)
            if self.ended():
                return

    def _whole_lines(self, file: BinaryIO) -> Iterator[bytes]:
        """Every line that is there to its end, and one that is too long to be one of a log."""
        file.seek(self._given)
        while line := file.readline(LONGEST_LINE + 1):
            if not line.endswith(b"\n") and len(line) <= LONGEST_LINE:
                return
            self._given += len(line)
            yield line

    def _look(self, file: BinaryIO) -> Seen:
        """See whether there is more; raises for a file that is no longer what it was."""
        try:
            named = self._path.stat()
        except FileNotFoundError:
            raise self._error("it was removed while it was followed") from None
        except OSError as error:
            raise self._error(error.strerror) from None
        there = os.fstat(file.fileno())
        if not os.path.samestat(named, there):
            raise self._error("it was replaced by another file while it was followed")
        if there.st_size < self._given:
            cut = f"cut to {there.st_size:,} bytes, of which {self._given:,} had been read"
            raise self._error(f"it was {cut}")
        return there.st_size, there.st_mtime_ns

    def _error(self, problem: str | None) -> ConductorError:
        return ConductorError(f"{self._path}: {problem}")
