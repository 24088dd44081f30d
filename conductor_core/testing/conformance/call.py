"""One delivery of work to the worker of the kit.

Rule: a call is answered at most once, and one that is gone never is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from attrs import define, field

from conductor_core.events import Event

A = TypeVar("A", bound=Event)
AskedToGiveUp: TypeAlias = Callable[[], bool]
"""Whether work was asked to give up."""


def never() -> bool:
    """Tell work that nobody asks it to give up."""
    return False


@define(eq=False)
class Call(Generic[A]):
    """One delivery of an attempt's work, or of a generation, to the worker.

    `first`: none was made before for the same. `ready` is its answer, where that waits for
    its turn. `held`: an act of the case answers it. `doomed`: nobody does. `told`: it was
    asked to give up. `gone`: it was lost, or its host went down.
    """

    what: str
    asked: AskedToGiveUp
    first: bool
    answer: asyncio.Future[A] = field(factory=lambda: asyncio.get_running_loop().create_future())
    ready: A | None = None
    doomed: bool = False
    held: bool = False
    told: bool = False
    gone: bool = False

    def give(self, answer: A) -> None:
        """Answer it, unless it was answered or is gone."""
        if not self.answer.done():
            self.answer.set_result(answer)
