"""A log that grows as a test wants it, and pages of it, without any store."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from conductor_adapters.ui.serving import serving
from tests.debugger.recordings import large_text
from tests.ui.stage import Loop


class Told:
    """A client that has the lines of one log, bit by bit, or something else to say."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.shown = len(lines)
        self.error: Exception | None = None
        self.looks = 0

    async def log(self, _flow_id: str, *, after: int = -1) -> Sequence[str]:
        """The lines behind an entry."""
        self.looks += 1
        if self.error is not None:
            raise self.error
        return [line for seq, line in self._rows() if seq > after]

    def _rows(self) -> Iterator[tuple[int, str]]:
        """Lines with the number of the entry that they stand in a row with."""
        seq = 0
        for line in self.lines[: self.shown]:
            seq = json.loads(line).get("seq", seq)
            yield seq, line


@cache
def lines_of_large() -> tuple[str, ...]:
    """The large sample, of 10,251 entries."""
    return tuple(large_text().decode().splitlines(keepends=True))


@contextmanager
def served(told: Told) -> Generator[str]:
    """Serve the pages of a log to anybody; gives the address of the page of its flow."""
    client: Any = told
    loop, whole = Loop(), serving(client, store="flows.db")
    url = loop.do(whole.__aenter__())
    try:
        yield f"{url}flows/{json.loads(told.lines[0])['flow_id']}"
    finally:
        loop.do(whole.__aexit__(None, None, None))
        loop.end()
