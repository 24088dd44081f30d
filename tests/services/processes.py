"""What services share: a free port, a folder, and processes that end for certain.

Rule: waiting ends at a limit, and what is raised then shows what the process itself wrote.
"""

from __future__ import annotations

import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil

KEEPER: Final = Path(__file__).with_name("keeper.py")
PATIENCE_S: Final = 120.0
"""No service takes as long, unless something is wrong."""
GRACE_S: Final = 30.0
POLL_S: Final = 0.01
LAST_LINES: Final = 40
# Below those that systems give to outgoing connections, one of which could otherwise hold the
# port of a service that is down for a moment.
PORTS: Final = (10_240, 32_767)


class ServiceError(Exception):
    """A service cannot run, or did not start or end as it should."""


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    while True:
        port = random.randint(*PORTS)
        with socket.socket() as probe:
            # As servers do it: what is left of an ended connection takes no port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def listens(port: int) -> bool:
    """Whether something takes connections on a port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def runs(process: psutil.Process) -> bool:
    """Whether a process runs; it may be a while until one that does not is reaped."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def installed(distribution: str) -> bool:
    """Whether a distribution is installed; it is not imported."""
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


class Process:
    """A process of a service, the first of a session of its own."""

    def __init__(self, command: Sequence[str], popen: subprocess.Popen[bytes], log: Path) -> None:
        self.command = command
        self.pid = popen.pid
        self._popen = popen
        self._log = log

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until it is ready; raises ServiceError when it never will be."""
        give_up = time.monotonic() + PATIENCE_S
        while not ready():
            code = self._popen.poll()
            if code is not None:
                raise ServiceError(self._about(f"it ended with code {code}"))
            if time.monotonic() > give_up:
                raise ServiceError(self._about(f"it was not ready within {PATIENCE_S:.0f} s"))
            time.sleep(POLL_S)

    def wait(self) -> None:
        """Wait for its end; raises ServiceError unless that is a good one."""
        try:
            code = self._popen.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise ServiceError(self._about(f"it did not end within {PATIENCE_S:.0f} s")) from None
        if code != 0:
            raise ServiceError(self._about(f"it ended with code {code}"))

    def end(self, number: int) -> None:
        """End it by a signal, and all that it has started; returns when they are gone."""
        if self._popen.poll() is not None:
            return
        family = psutil.Process(self.pid).children(recursive=True)
        self._popen.send_signal(number)
        try:
            self._popen.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        while any(runs(process) for process in family):
            time.sleep(POLL_S)

    def wrote(self) -> str:
        """The last lines that it wrote."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])

    def _about(self, problem: str) -> str:
        return f"{problem}: {' '.join(self.command)}\nIt wrote:\n{self.wrote() or 'nothing'}"


class Household:
    """The folder and the processes of a service, which all go when it, or its owner, does."""

    def __init__(self, name: str, *, user: str | None = None) -> None:
        # The path of a socket in it must be short.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        command = [sys.executable, "-I", "-S", str(KEEPER), str(self.folder)]
        # In a session of its own it does not hear of Ctrl-C.
        self._keeper = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        self._user = user
        self._numbers = itertools.count(1)
        self._processes: dict[Process, int] = {}
        if user is not None:
            shutil.chown(self.folder, user)

    def run(
        self, *command: str, ends_by: int = signal.SIGTERM, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a process that ends by a signal; it knows nothing of our environment."""
        log = self.folder / f"{next(self._numbers)}-{Path(command[0]).name}.log"
        home, user = str(self.folder), self._user
        known = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": home, "TMPDIR": home}
        with log.open("wb") as output:
            popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=home,
                env={**known, **(env or {})}, start_new_session=True,
                user=user, group=user and pwd.getpwnam(user).pw_gid, extra_groups=user and [],
            )  # fmt: skip
        self._tell(popen.pid, ends_by)
        process = Process(command, popen, log)
        self._processes[process] = ends_by
        return process

    def run_to_end(self, *command: str) -> None:
        """Run a command; raises ServiceError when it fails."""
        process = self.run(*command)
        process.wait()
        self.end(process)

    def end(self, process: Process, number: int | None = None) -> None:
        """End a process, by its own signal or another."""
        ends_by = self._processes.pop(process)
        process.end(ends_by if number is None else number)
        self._tell(process.pid, 0)

    def close(self) -> None:
        """End all processes, those first that came last, and remove the folder."""
        for process in reversed(list(self._processes)):
            self.end(process)
        self._keeper.communicate()
        assert not self.folder.exists(), f"{self.folder} cannot be removed"

    def _tell(self, pid: int, number: int) -> None:
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(f"{pid} {number}\n".encode())
        self._keeper.stdin.flush()
