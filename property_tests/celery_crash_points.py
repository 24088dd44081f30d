"""Where a process of a trial on Celery kills itself, and what it counts.

Rule: nothing here is known to what is tried. Its methods are wrapped in the processes of the
trial, and do what they always do, unless the process dies before.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from typing import Any, Final, TypeAlias

from conductor_adapters.celery.books import Books
from conductor_adapters.celery.post import Post
from conductor_adapters.celery.sender import Sender
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.sqlite_connection import SqliteConnection
from property_tests.celery_crash_plan import Plan
from property_tests.worker_crash_work import note, now_ms

IN_A_STEP: Final = "in the middle of a step"
Method: TypeAlias = Callable[..., Any]

BETWEEN_STATEMENTS: Final = "between two statements"
"""There are more of these than of all others together."""
MORE_STATEMENTS: Final = 6


def wrap(owner: type, name: str, around: Callable[[Method], Method]) -> None:
    """Put something around a method of a class."""
    method: Method = vars(owner)[name]
    setattr(owner, name, wraps(method)(around(method)))


class Deaths:
    """Kills this process at random."""

    def __init__(self, plan: Plan, chance: random.Random) -> None:
        self._plan = plan
        self._chance = chance

    def may_come(self, point: str, chance: float | None = None) -> None:
        """Die here, perhaps, unless there is peace."""
        if self._chance.random() >= (self._plan.dies if chance is None else chance):
            return
        if not (self._plan.place / "stop").exists():
            note(self._plan.place / "deaths", now_ms(), os.getpid(), point)
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, owner: type, name: str, point: str, *, more: int = 1) -> None:
        """Perhaps die before a method is carried out."""
        chance = self._plan.dies / more

        def around(method: Method) -> Method:
            def deadly(*arguments: Any, **named: Any) -> Any:
                self.may_come(point, chance)
                return method(*arguments, **named)

            return deadly

        wrap(owner, name, around)

    def after(self, owner: type, name: str, point: str) -> None:
        """Perhaps die after a method was carried out."""

        def around(method: Method) -> Method:
            def deadly(*arguments: Any, **named: Any) -> Any:
                result = method(*arguments, **named)
                self.may_come(point)
                return result

            return deadly

        wrap(owner, name, around)

    def lurk(self) -> None:
        """Be ready everywhere."""
        self.before(Post, "take", "before an order is taken")
        self.after(Post, "take", "between the take and the begin of work")
        self.before(Post, "answer", "between the end of work and the append")
        self.after(Post, "answer", "after everything was said of an order")
        self.before(Books, "_follow", "between the append and the send")
        self.after(Sender, "_send", "between two that are sent")
        for name in ("_do", "_add"):
            self.before(SqliteConnection, name, BETWEEN_STATEMENTS, more=MORE_STATEMENTS)
        if find_spec("psycopg"):
            from conductor_adapters.store.postgres_connection import (  # noqa: PLC0415 - an extra
                PostgresConnection,
            )

            for name in ("_do", "_add", "_commit"):
                self.before(PostgresConnection, name, BETWEEN_STATEMENTS, more=MORE_STATEMENTS)


class Counts:
    """Counts what this process does, in a file that outlives it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._own = threading.local()

    def keep(self) -> None:
        """Count how often another was faster, and what became of messages."""
        wrap(Ledger, "_catch_up", self._counted("caught up"))
        wrap(Sender, "_send", self._counted("sent"))
        wrap(Post, "take", self._received)
        wrap(Books, "_follow", self._conflicts)

    def add(self, word: str, count: int = 1) -> None:
        """Count something of this thread."""
        if getattr(self._own, "pid", None) != os.getpid():
            self._own.pid, self._own.counted = os.getpid(), Counter[str]()
        counted: Counter[str] = self._own.counted
        counted[word] += count
        file = self._plan.place / f"counts.{os.getpid()}.{threading.get_ident()}"
        lines = "".join(f"{counted[name]} {name}\n" for name in counted)
        # At its name stands the whole of it, whenever this process ends.
        new = file.with_name(f"new-{file.name}")
        new.write_text(lines)
        new.replace(file)

    def _counted(self, word: str) -> Callable[[Method], Method]:
        def around(method: Method) -> Method:
            def counted(*arguments: Any, **named: Any) -> Any:
                result = method(*arguments, **named)
                self.add(word)
                return result

            return counted

        return around

    def _received(self, take: Method) -> Method:
        def received(*arguments: Any) -> Any:
            taken = None
            try:
                taken = take(*arguments)
            finally:
                self.add("passed over" if taken is None else "executed")
            return taken

        return received

    def _conflicts(self, follow: Method) -> Method:
        def following(books: Books, news: Any) -> Any:
            seen, books_conflicts = getattr(self._own, "seen", 0), books.ledger.conflicts
            if books_conflicts != seen:
                self.add("conflicts", books_conflicts - seen)
                self._own.seen = books_conflicts
            self.add("transactions")
            return follow(books, news)

        return following


def counted(plan: Plan) -> Counter[str]:
    """What all processes counted."""
    total: Counter[str] = Counter()
    for file in plan.place.glob("counts.*"):
        for line in file.read_text().splitlines():
            count, _, word = line.partition(" ")
            total[word] += int(count)
    return total
