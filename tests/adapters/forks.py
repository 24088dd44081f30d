"""Workers as processes of their own, forked from one that has imported all they need.

Rule: each is a whole worker, as `celery worker` or another program runs it; it begins within some
hundredths of a second, and ends by a signal, or when whoever started it does. Run as a program
this is the process that forks: a line of JSON for each worker on stdin, its number on stdout.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from conductor_adapters.celery.in_worker import end_with

ROOT = Path(__file__).parents[2]
OF_CELERY = (
    "celery.bin.celery",
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "celery.concurrency.thread",
    "celery.worker.consumer",
    "celery.worker.pidbox",
    "kombu.transport.pyamqp",
    "kombu.transport.redis",
)
"""What a worker of Celery imports only when it begins."""


class Forks:
    """A process that forks workers which are made by `make` of a module."""

    def __init__(self, *modules: str) -> None:
        command = [sys.executable, "-m", "tests.adapters.forks", *modules]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    def worker(
        self, module: str, settings: Mapping[str, Any], options: Sequence[str], *, log: Path
    ) -> int:
        """Fork a worker of the app that a module makes from settings; its number."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        told = {"module": module, "settings": settings, "options": options, "log": str(log)}
        print(json.dumps(told), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def end(self) -> None:
        """Fork no more."""
        self.process.communicate()


@cache
def forks() -> Forks:
    """The process that forks workers of Celery for all tests."""
    made = Forks(*OF_CELERY, "tests.adapters.celery_app", "tests.adapters.celery_kit")
    atexit.register(made.end)
    return made


def fork_workers() -> None:
    """Fork a worker for each line."""
    for line in sys.stdin:
        parent, child = os.getpid(), os.fork()
        if child == 0:
            be_worker(parent, **json.loads(line))
        print(child, flush=True)


def be_worker(
    parent: int, *, module: str, settings: dict[str, Any], options: list[str], log: str
) -> None:
    """Be a worker until it ends."""
    end_with(parent)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with Path(log).open("ab") as output:
        for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
            os.dup2(output.fileno(), descriptor)
    os.close(sys.stdin.fileno())
    code: object = 1
    try:
        app = import_module(module).make(settings)
        code = app.worker_main(["worker", *options])
    except SystemExit as end:
        code = end.code
    except Exception:  # noqa: BLE001 - what follows ends this process, whatever it is
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else bool(code))


if __name__ == "__main__":
    # Whoever waits for the end of a worker sees it at once.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for needed in sys.argv[1:]:
        import_module(needed)
    fork_workers()
