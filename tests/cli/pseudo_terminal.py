"""A pseudo-terminal behind the standard error of a command, and what was written to it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import Final

from attrs import frozen

CODE: Final = "from conductor_adapters.cli.main import main; main()"
"""The command, for an interpreter of its own."""
PATIENCE_S: Final = 50


@frozen
class Screened:
    """What a command wrote to its terminal, what to its standard output, and its exit code."""

    written: str
    answer: str
    code: int


def screened(*arguments: str, term: str, typed: str | None = None, **env: str) -> Screened:
    """Run a command to its end with a terminal behind its standard error.

    What is `typed` waits at that terminal; otherwise nothing is to be read.
    """
    ours, theirs = pty.openpty()
    os.write(ours, (typed or "").encode())
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments],
        stdin=subprocess.DEVNULL if typed is None else theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": term, **env},
    )
    os.close(theirs)
    written = b""
    try:
        while part := os.read(ours, 10_000):
            written += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    answer, _ = process.communicate(timeout=PATIENCE_S)
    return Screened(written.decode(), answer, process.returncode)
