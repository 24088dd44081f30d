"""Where a process of a trial kills itself.

Rule: nothing here is known to what is tried. Its methods are wrapped in the processes of the
trial, and do what they always do, unless the process dies before.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeAlias

from property_tests.worker_crash_work import note, now_ms

IN_A_STEP: Final = "in the middle of a step"
Method: TypeAlias = Callable[..., Any]


def wrap(owner: type, name: str, around: Callable[[Method], Method]) -> None:
    """Put something around a method of a class."""
    method: Method = vars(owner)[name]
    setattr(owner, name, wraps(method)(around(method)))


class Deaths:
    """Kills this process at random, so likely at each point, until there is peace in a folder."""

    def __init__(self, folder: Path, dies: float, chance: random.Random) -> None:
        self._folder = folder
        self._dies = dies
        self._chance = chance

    def may_come(self, point: str, *, more: int = 1) -> None:
        """Die here, perhaps, where there are so many more points than elsewhere."""
        if self._chance.random() >= self._dies / more:
            return
        if not (self._folder / "stop").exists():
            note(self._folder / "deaths", now_ms(), os.getpid(), point)
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, owner: type, name: str, point: str, *, more: int = 1) -> None:
        """Perhaps die before a method is carried out."""

        def around(method: Method) -> Method:
            def deadly(*arguments: Any, **named: Any) -> Any:
                self.may_come(point, more=more)
                return method(*arguments, **named)

            return deadly

        wrap(owner, name, around)

    def after(self, owner: type, name: str, point: str, *, more: int = 1) -> None:
        """Perhaps die after a method was carried out."""

        def around(method: Method) -> Method:
            def deadly(*arguments: Any, **named: Any) -> Any:
                result = method(*arguments, **named)
                self.may_come(point, more=more)
                return result

            return deadly

        wrap(owner, name, around)
