"""Real servers for tests, demos and benchmarks, started by those who need them.

Rule: a service listens on loopback only, on a free port, and works in a folder of its own; when
it is stopped, or the process that started it is gone in whatever way, no process and no file of
it is left.
"""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from typing import ClassVar, Self

from tests.services.processes import Household, Process, ServiceError, free_port

__all__ = ["Household", "Process", "Service", "ServiceError"]


class Service(ABC):
    """A server of one's own; it runs from `start` to `stop`, or as long as a `with` does."""

    KILLED_BY: ClassVar[int] = signal.SIGKILL

    def __init__(self) -> None:
        self.port = free_port()
        self._household: Household | None = None
        self._server: Process | None = None

    @staticmethod
    @abstractmethod
    def missing() -> str | None:
        """Why it cannot run here, or nothing."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it, as Celery and stores take it; the same after each start."""

    @property
    def household(self) -> Household:
        """Where it works, from the first start until it is stopped."""
        assert self._household is not None, "it is not started"
        return self._household

    @property
    def server(self) -> Process:
        """Its process, as long as it runs."""
        assert self._server is not None, "it does not run"
        return self._server

    def start(self) -> None:
        """Start it, again too; returns when it answers."""
        assert self._server is None, "it runs"
        reason = self.missing()
        if reason is not None:
            raise ServiceError(reason)
        try:
            if self._household is None:
                self._household = self._settled()
            self._server = self._launched(self._household)
            self._server.wait_until(self._answers)
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """End it without notice, as a crash does."""
        self.household.end(self.server, self.KILLED_BY)
        self._server = None

    def stop(self) -> None:
        """End it in an orderly way, if it runs, and leave nothing behind."""
        household, self._household, self._server = self._household, None, None
        if household is not None:
            household.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def _settled(self) -> Household:
        """Where it works, with what is there before its first start and after a crash."""

    @abstractmethod
    def _launched(self, household: Household) -> Process:
        """Its process, which is not ready yet."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it is ready; asked again and again."""
