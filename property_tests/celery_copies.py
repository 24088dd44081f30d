"""Sends each message several times, late and in no order, from the processes of a trial.

Rule: every copy is sent in the end, unless its process ends before; and the store is told that
the message was sent when its copies still wait.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

from conductor_adapters.celery.sender import Sender
from conductor_adapters.store.office import Taken
from property_tests.celery_crash_plan import Plan
from property_tests.celery_crash_points import Counts
from property_tests.deaths import wrap


class Copies:
    """What a process has still to send, and the thread that does so."""

    def __init__(self, plan: Plan, chance: random.Random, counts: Counts) -> None:
        self._plan = plan
        self._counts = counts
        self._chance = chance
        self._send: Callable[..., Any] = vars(Sender)["_send"]
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Have nothing to send, as a process that has just begun."""
        self._waiting: list[tuple[float, int, Sender, Taken, str]] = []
        self._numbers = count()
        self._coming = threading.Condition()
        self._sending = False
        self._thread: threading.Thread | None = None

    def multiply(self) -> None:
        """Have every message sent several times from now on."""

        def around(_send: Callable[..., Any]) -> Callable[..., Any]:
            def send(sender: Sender, taken: Taken, _producer: Any, again: str) -> None:
                self.put(sender, taken, again)

            return send

        wrap(Sender, "_send", around)

    def put(self, sender: Sender, taken: Taken, again: str) -> None:
        """Send two copies or more, each after a while of its own."""
        now_s = time.monotonic()
        with self._coming:
            copies = self._chance.randint(2, self._plan.copies)
            self._counts.add("to be sent", copies)
            for _ in range(copies):
                # Most come soon, and some very late.
                due_s = now_s + self._plan.late_s * self._chance.random() ** 3
                heappush(self._waiting, (due_s, next(self._numbers), sender, taken, again))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self._coming.notify()

    def _run(self) -> None:
        while True:
            with self._coming:
                while not self._waiting or self._waiting[0][0] > time.monotonic():
                    self._coming.wait(self._patience_s())
                _, _, sender, taken, again = heappop(self._waiting)
                self._sending = True
            with vars(sender)["_app"].producer_pool.acquire(block=True) as producer:
                self._send(sender, taken, producer, again)
            with self._coming:
                self._sending = False
                self._coming.notify_all()

    def wait_until_sent(self) -> None:
        """Wait until nothing is left to send."""
        with self._coming:
            self._coming.wait_for(lambda: not self._waiting and not self._sending)

    def _patience_s(self) -> float | None:
        return max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
