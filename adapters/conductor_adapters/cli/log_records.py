"""Log records of hosts on the screen of a run, such as the traceback of a handler that raised.

Rule: warnings and worse, but for the entries of flows, which the screen shows as such.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

from conductor_adapters.cli.screen import Lines
from conductor_adapters.observing import LOGGER


@contextmanager
def shown_records(screen: Lines) -> Generator[None]:
    """Show the log records of hosts for as long as a run takes."""
    handler = _Shown(screen)
    logger = logging.getLogger("conductor_adapters")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Shown(logging.Handler):
    """Writes each line of a record as a warning."""

    def __init__(self, screen: Lines) -> None:
        super().__init__(logging.WARNING)
        self._screen = screen
        self.addFilter(lambda record: record.name != LOGGER.name)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        for line in self.format(record).splitlines():
            self._screen.warn(line)
