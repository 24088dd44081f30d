"""Where a process of a trial on Celery kills itself, and what it counts.

Rule: nothing here is known to what is tried. Its methods are wrapped in the processes of the
trial, and do what they always do, unless the process dies before.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

from conductor_adapters.celery.books import Books
from conductor_adapters.celery.post import Post
from conductor_adapters.celery.sender import Sender
from conductor_adapters.store.ledger import Ledger
from conductor_adapters.store.sqlite_connection import SqliteConnection
from property_tests.celery_crash_plan import Plan
from property_tests.deaths import Deaths, Method, wrap

BETWEEN_STATEMENTS: Final = "between two statements"
"""There are more of these than of all others together."""
MORE_STATEMENTS: Final = 6


def lurk(deaths: Deaths) -> None:
    """Have a process die everywhere."""
    deaths.before(Post, "take", "before an order is taken")
    deaths.after(Post, "take", "between the take and the begin of work")
    deaths.before(Post, "answer", "between the end of work and the append")
    deaths.after(Post, "answer", "after everything was said of an order")
    deaths.before(Books, "_follow", "between the append and the send")
    deaths.after(Sender, "_send", "between two that are sent")
    for name in ("_do", "_add"):
        deaths.before(SqliteConnection, name, BETWEEN_STATEMENTS, more=MORE_STATEMENTS)
    if find_spec("psycopg"):
        from conductor_adapters.store.postgres_connection import (  # noqa: PLC0415 - an extra
            PostgresConnection,
        )

        for name in ("_do", "_add", "_commit"):
            deaths.before(PostgresConnection, name, BETWEEN_STATEMENTS, more=MORE_STATEMENTS)


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
