"""How much of a flow is with Temporal at a time.

Rule: what is let in keeps its order. Temporal bears 2,000 pending activities of a workflow, and
4 MiB of commands in one task; more of either ends the workflow or stops it for good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from conductor_adapters.temporal.packing import LARGEST

MOST_BYTES: Final = LARGEST
"""So many bytes are handed over in one task."""


class Gate:
    """Lets work begin while there is room for it.

    `later` asks to be called again in a task of its own, for what this one has no room for.
    """

    def __init__(self, most: int, *, later: Callable[[], None]) -> None:
        self._most = most
        self._later = later
        self._waiting: dict[str, tuple[int, Callable[[], None]]] = {}
        self._inside: set[str] = set()
        self._room = MOST_BYTES
        self._turn = -1
        self._asked = False

    def let_in(self, name: str, size: int, begin: Callable[[], None], *, turn: int) -> None:
        """Begin something once there is room for it."""
        self._waiting[name] = (size, begin)
        self.look(turn)

    def look(self, turn: int) -> None:
        """Begin what there is room for in this task."""
        if turn != self._turn:
            self._turn, self._room, self._asked = turn, MOST_BYTES, False
        while self._waiting and len(self._inside) < self._most:
            name, (size, begin) = next(iter(self._waiting.items()))
            if size > self._room:
                self._ask_for_another()
                return
            self._room -= size
            del self._waiting[name]
            self._inside.add(name)
            begin()

    def _ask_for_another(self) -> None:
        if not self._asked:
            self._asked = True
            self._later()

    def left(self, name: str, *, turn: int) -> None:
        """Take note that something has ended."""
        self._inside.discard(name)
        self.look(turn)

    def has(self, name: str) -> bool:
        """Whether something waits here."""
        return name in self._waiting

    def withdraw(self, name: str) -> bool:
        """Forget what has not begun; tells whether it was so."""
        return self._waiting.pop(name, None) is not None

    def close(self) -> None:
        """Forget all that has not begun."""
        self._waiting.clear()
