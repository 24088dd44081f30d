"""How long a host is waited for.

Rule: patience begins anew whenever something is seen to happen, though not for ever, and
runs out only while the kit itself runs: on a machine that is busy elsewhere nobody hangs.
"""

from __future__ import annotations

import asyncio
from typing import Final

SHORTEST_S: Final = 0.001
LONGEST_S: Final = 0.05
"""Looks at a host are at least and at most so far apart: the longer nothing happens, the more."""
MOST_S: Final = 4 * LONGEST_S
"""A single look costs at most so much patience."""
AT_MOST: Final = 20
"""So many times the patience is waited in all, whatever happens."""


class Patience:
    """What is left of the time that a host may take for something."""

    def __init__(self, limit_s: float, *, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        self._limit_s = self._left_s = limit_s
        self._in_all_s = AT_MOST * limit_s
        self._pause_s = SHORTEST_S
        self._seen: object = None

    def lasts(self, seen: object) -> bool:
        """Whether it is worth looking again, after what was seen now."""
        if seen != self._seen:
            self._seen, self._left_s, self._pause_s = seen, self._limit_s, SHORTEST_S
        return min(self._left_s, self._in_all_s) > 0

    async def pause(self) -> None:
        """Give the host some time."""
        loop = asyncio.get_running_loop()
        before_s = loop.time()
        await asyncio.sleep(self._pause_s)
        waited_s = min(loop.time() - before_s, MOST_S)
        self._left_s -= waited_s
        self._in_all_s -= waited_s
        self._pause_s = min(1.5 * self._pause_s, self._longest_s)
