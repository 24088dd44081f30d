"""The process of a run: whose threads it waits for when the run is over."""

from __future__ import annotations

import subprocess
import sys

BEGIN = """
import asyncio, threading
from conductor_adapters.cli.process import ran

held = threading.Event()
before = threading.Thread(target=held.wait)
before.start()

async def run():
    {run}
    return 3

print("ended with", ran(run()))
held.set()
"""


def told(run: str) -> tuple[int, str]:
    """The exit code and the words of a program that runs this, and has a thread of its own."""
    program = [sys.executable, "-c", BEGIN.format(run=run)]
    result = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    return result.returncode, result.stdout


def test_whoever_has_threads_of_its_own_goes_on() -> None:
    """They are none of the run's, and nobody waits for them or ends the process over them."""
    assert told("await asyncio.sleep(0)") == (0, "ended with 3\n")


def test_a_thread_of_the_run_that_does_not_return_ends_the_process() -> None:
    """Its exit code is due all the same."""
    assert told("asyncio.get_running_loop().run_in_executor(None, held.wait)") == (3, "")
