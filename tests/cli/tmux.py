"""A terminal with somebody at it: tmux, by itself, on a socket of its own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

import pytest

CODE = "from conductor_adapters.cli.main import main; main()"
CONDUCTOR = shlex.join([sys.executable, "-c", CODE])
PATIENCE_S = 30.0
POLL_S = 0.05

needs_tmux = pytest.mark.skipif(
    shutil.which("tmux") is None,
    reason="tmux is not installed: what people see on a terminal GOES UNTESTED",
)


class Tmux:
    """A terminal of a given size in which a shell runs a command, and then `cat` for ever."""

    def __init__(
        self, command: str, folder: Path, *, columns: int = 80, lines: int = 24, **env: str
    ) -> None:
        # The path of a socket must be short.
        self._home = tempfile.mkdtemp(prefix="tmux-")
        self._environment = {**os.environ, "LC_ALL": "C.UTF-8", "TMUX_TMPDIR": self._home}
        self._environment.pop("TMUX", None)
        options = [f"-e{name}={value}" for name, value in env.items()]
        self._tmux(
            *("-u", "-f", os.devnull, "new-session", "-d", "-s", "s"),
            *("-x", str(columns), "-y", str(lines), "-c", str(folder), *options),
            f"{command}; echo exit code $?; exec cat",
        )

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-L", "tests", *arguments],
            env=self._environment, check=check, capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip
        return done.stdout

    def screen(self, *options: str) -> str:
        """What is on the screen now, without the empty lines at its end."""
        return self._tmux("capture-pane", "-p", "-t", "s", *options).rstrip("\n")

    def everything(self) -> str:
        """What was written so far, also what has scrolled away; wrapped lines are joined."""
        return self.screen("-J", "-S", "-")

    def wait_for(self, pattern: str) -> str:
        """Wait until the screen matches, and return it."""
        end = time.monotonic() + PATIENCE_S
        while True:
            screen = self.screen()
            if re.search(pattern, screen, re.MULTILINE):
                return screen
            assert time.monotonic() < end, f"{pattern!r} did not come:\n{self.everything()}"
            time.sleep(POLL_S)

    def type(self, *keys: str) -> None:
        """Press keys by their names, such as `C-c`; what is no name is typed as it is."""
        self._tmux("send-keys", "-t", "s", *keys)

    def resize(self, columns: int, lines: int) -> None:
        """Give the window another size."""
        self._tmux("resize-window", "-t", "s", "-x", str(columns), "-y", str(lines))

    def told(self, what: str) -> str:
        """What tmux says about the terminal, such as `#{cursor_flag}`."""
        return self._tmux("display-message", "-p", "-t", "s", what).strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server", check=False)
        shutil.rmtree(self._home, ignore_errors=True)
