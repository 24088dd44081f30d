"""What is added to each Celery worker of an app: a look at the store, and a relay.

Rule: a worker that cannot use its store does not begin. The relay opens the store in a process
of its own where the pool forks: what a library keeps of open files and connections must not be
shared by a fork, SQLite's least of all. Elsewhere it is a thread.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
from typing import Any, Final

from billiard import Process
from celery import bootsteps

from conductor_adapters.celery.checks import check_app
from conductor_adapters.celery.config import Config
from conductor_adapters.celery.relay import Relay
from conductor_adapters.celery.sender import Sender
from conductor_core.errors import ConductorError

WATCH_S: Final = 2.0
"""So often a worker sees whether its relay still runs."""
END_S: Final = 5.0
"""So long a relay may take to end."""
PR_SET_PDEATHSIG: Final = 1
"""Of prctl, on Linux: which signal a process gets when its parent dies."""

_logger = logging.getLogger("conductor_adapters.celery")


def step_for(config: Config, sender: Sender, *, relay: bool) -> type:
    """The step of a Celery worker's start for a host."""

    class ConductorStep(bootsteps.StartStopStep):
        """Looks at the store, and keeps a relay running."""

        name = f"conductor-{config.name}"
        requires = ("celery.worker.components:Timer",)

        def __init__(self, parent: Any, **keywords: Any) -> None:
            super().__init__(parent, **keywords)
            self._relay: RelayProcess | RelayThread | None = None

        def start(self, parent: Any) -> None:
            """Begin, or end the worker where its store cannot be used."""
            try:
                # What was said of the app since the host was made counts too.
                check_app(parent.app)
                config.open_store().close()
            except ConductorError as error:
                _logger.critical("this worker cannot do the work of flows: %s", error)
                raise SystemExit(1) from None
            if relay:
                forks = parent.pool_cls.__module__.endswith("prefork")
                self._relay = (RelayProcess if forks else RelayThread)(config, sender)
                self._relay.keep_running()
                parent.timer.call_repeatedly(WATCH_S, self._relay.keep_running)

        def stop(self, parent: Any) -> None:
            """End the relay with its worker."""
            if self._relay is not None:
                self._relay.end()

        terminate = stop

    return ConductorStep


class RelayThread:
    """A relay in a thread of a worker that never forks."""

    def __init__(self, config: Config, sender: Sender) -> None:
        self._config = config
        self._sender = sender
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def keep_running(self) -> None:
        """Begin, or begin again."""
        if self._stopped.is_set() or (self._thread is not None and self._thread.is_alive()):
            return
        run = Relay(self._config, self._sender).run
        self._thread = threading.Thread(
            target=run, args=(self._stopped,), name="conductor-relay", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """End, and wait for it a moment."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(END_S)


class RelayProcess:
    """A relay in a process that a worker forked, and that ends with it."""

    def __init__(self, config: Config, sender: Sender) -> None:
        self._config = config
        self._sender = sender
        self._ended = False
        self._process: Any = None

    def keep_running(self) -> None:
        """Begin, or begin again."""
        if self._ended or (self._process is not None and self._process.is_alive()):
            return
        if self._process is not None:
            _logger.warning(
                "the relay ended (exit code %s); another begins", self._process.exitcode
            )
        self._process = Process(target=self._run, args=(os.getpid(),), name="conductor-relay")
        self._process.daemon = True
        self._process.start()

    def _run(self, parent: int) -> None:
        """Be the relay, in the new process."""
        stopped = threading.Event()
        signal.signal(signal.SIGTERM, lambda _signal, _frame: stopped.set())
        for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        end_with(parent)
        Relay(self._config, self._sender).run(stopped)

    def end(self) -> None:
        """End, and wait for it a moment."""
        self._ended = True
        if self._process is not None:
            self._process.terminate()
            self._process.join(END_S)


def end_with(parent: int) -> None:
    """Have this process told to end when its parent dies, however that comes about."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
