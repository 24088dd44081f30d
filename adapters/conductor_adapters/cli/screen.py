"""What `conductor run` writes while a flow runs: a line per event, and the work's own lines.

Rule: writing never holds up or breaks a flow; once nobody reads any more, nothing is written.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from conductor_adapters.cli.console import say
from conductor_adapters.cli.lines import line_of
from conductor_core.events import Event, StepFinished
from conductor_core.reducer import Transition

LINES_SHOWN: Final = 100
"""So many lines of an attempt are shown; all of it is the business of its log."""
WIDTH: Final = 400


class Screen:
    """Writes what happens, as long as somebody reads it."""

    def __init__(self) -> None:
        self._begun_ms: int | None = None
        self._printed: dict[str, _Printed] = {}
        self._read = True

    def write(self, line: str) -> None:
        """Write a line."""
        if not self._read:
            return
        try:
            say(line)
        except OSError:
            self._read = False
            # What is still in the buffer must not fail once more when Python exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def happened(self, event: Event, transition: Transition) -> None:
        """Write an entry of the flow's history."""
        if isinstance(event, StepFinished) and event.attempt in self._printed:
            self._write_all(event.attempt, self._printed.pop(event.attempt).rest())
        self._begun_ms = event.at_ms if self._begun_ms is None else self._begun_ms
        elapsed_s = (event.at_ms - self._begun_ms) / 1000
        self.write(f"{elapsed_s:8.2f}s  {line_of(event, transition)}")

    def printed(self, attempt: str, text: str) -> None:
        """Write what the work of an attempt prints."""
        self._write_all(attempt, self._printed.setdefault(attempt, _Printed()).lines(text))

    def _write_all(self, attempt: str, lines: list[str]) -> None:
        for line in lines:
            self.write(f"           {attempt} | {line}")


class _Printed:
    """Cuts what an attempt prints into lines, and says so when it shows no more of them."""

    def __init__(self) -> None:
        self._unfinished = ""
        self._shown = 0

    def lines(self, text: str) -> list[str]:
        """The lines that are complete now."""
        if self._shown > LINES_SHOWN:
            return []
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        if len(self._unfinished) > WIDTH:
            lines.append(self._unfinished)
            self._unfinished = ""
        return self._show(lines)

    def rest(self) -> list[str]:
        """The line that was never completed."""
        lines = [self._unfinished] if self._unfinished else []
        return [] if self._shown > LINES_SHOWN else self._show(lines)

    def _show(self, lines: list[str]) -> list[str]:
        left = LINES_SHOWN - self._shown
        self._shown += len(lines)
        shown = [_cut(line.rstrip("\r")) for line in lines[:left]]
        return [*shown, "(prints on, not shown)"] if len(lines) > left else shown


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[:WIDTH]}..."
