"""What watches over a search sees all the memory that is held for it, and heeds Ctrl-C twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import pytest

from conductor_adapters.cli.check_progress import MIB, Watch

HOLDS: Final = "held = bytearray(b'x') * (64 << 20); print(flush=True); input()"


@contextmanager
def child_that_holds_64_mib() -> Generator[None, None, None]:
    """Another process of this one, while it lasts."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield
        child.communicate("\n")


def test_after_an_interrupt_the_memory_of_all_processes_is_known() -> None:
    """It is looked at once more while the others are there, and not only when they have ended."""
    with Watch(max_memory=None, draws=False) as watch:
        before = watch.peak
        with child_that_holds_64_mib():
            signal.raise_signal(signal.SIGINT)
            assert watch.enough()
    assert (watch.cause, watch.peak > before + 32 * MIB) == ("interrupt", True)


def test_memory_is_looked_at_before_the_search_begins_and_once_it_is_over() -> None:
    """Also a search that is over before it asked anything is told with what it took."""
    with Watch(max_memory=MIB, draws=False) as watch:
        assert watch.peak > MIB
        assert watch.enough()
    assert watch.cause == "memory"
    with Watch(max_memory=None, draws=False) as watch:
        before = watch.peak
        held = bytearray(b"x") * (64 << 20)
    assert watch.peak > before + 32 * MIB, len(held)


def test_the_second_interrupt_is_one_for_everybody() -> None:
    """The first asks the search to stop, the next is raised; afterwards all is as before."""
    before = signal.getsignal(signal.SIGINT)
    with Watch(max_memory=None, draws=False) as watch:
        signal.raise_signal(signal.SIGINT)
        assert watch.enough()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
