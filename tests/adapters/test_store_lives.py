"""Before whichever statement of a flow's life a process dies, its heir leads it to its end."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from conductor_adapters.store.kept import log_lines
from conductor_adapters.store.sqlite import SqliteStore
from conductor_core import FlowState
from conductor_core.events import StepFinished, is_request
from conductor_core.log import Entry, read_log, replay
from conductor_core.verdicts import Accepted
from tests.adapters.faults import die, with_failure
from tests.adapters.lives import Leader, heir

STATEMENTS: Final = {"success": 200, "cancelled": 80}
"""How the flow ends, and how many statements its life has at least, all of them tried."""


def dies(path: Path, number: int, *, cancels: bool) -> bool:
    """Whether a child that leads a flow is killed before a statement; else it led it to its end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            hand = heir(path, "w1", boots=0)
            with_failure(hand.store, number, die)
            Leader(hand, told(path), cancels).lead()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert died or os.waitstatus_to_exitcode(status) == 0
    return died


def told(path: Path) -> Path:
    """The file in which stands what a child was told."""
    return path.with_suffix(".told")


def said(path: Path) -> list[str]:
    """What stands there."""
    return told(path).read_text().splitlines() if told(path).exists() else []


def entries(path: Path) -> Iterator[Entry]:
    """The log of the flow so far, which replays."""
    with SqliteStore(path, synchronous="NORMAL", create=False) as store:
        lines = log_lines(store.entries("f"))
    if lines:
        replay(lines, flow_id="f")
        yield from (line for line in read_log(lines) if isinstance(line, Entry))


def finished(path: Path) -> Counter[str]:
    """How often the end of each attempt counted."""
    return Counter(
        entry.event.attempt
        for entry in entries(path)
        if isinstance(entry.event, StepFinished) and entry.verdict == Accepted()
    )


def requests(path: Path) -> Counter[str]:
    """How often each request counted."""
    return Counter(
        type(entry.event).__name__
        for entry in entries(path)
        if is_request(entry.event) and entry.verdict == Accepted()
    )


def check_kept(path: Path) -> None:
    """See that all of which a child was told that it is kept is kept."""
    stands = finished(path) + requests(path)
    assert [kept for kept in said(path) if "took" not in kept and kept not in stands] == []


def check_end(path: Path, state: FlowState, ends: str) -> None:
    """See that a flow ended as its log says, once for each attempt, with nothing left to do."""
    assert state.status == ends
    with SqliteStore(path, synchronous="NORMAL", create=False) as store:
        replayed = replay(log_lines(store.entries("f")), flow_id="f")
        assert (replayed.state, replayed.closed) == (state, True)
        for table in ("outbox", "timers"):
            assert store.connection.execute(f"SELECT * FROM {table}").fetchall() == []
    assert set((finished(path) + requests(path)).values()) == {1}


@pytest.mark.parametrize("ends", STATEMENTS)
def test_wherever_a_process_dies_its_heir_leads_the_flow_to_its_end(
    tmp_path: Path, ends: str
) -> None:
    """After each commit too; what has finished is not handed out again."""
    cancels = ends == "cancelled"
    number = 1
    SqliteStore(tmp_path / "empty.db").close()
    while dies(path := empty(tmp_path, number), number, cancels=cancels):
        check_kept(path)
        before = finished(path)
        leader = Leader(heir(path, "w2", boots=1), told(path), cancels)
        check_end(path, leader.lead(), ends)
        assert before.keys() & set(leader.taken) == set()
        assert said(path).count("took once#1") <= 1, "it must not run twice unseen"
        check_kept(path)
        number += 1
    assert number - 1 >= STATEMENTS[ends]


def empty(folder: Path, number: int) -> Path:
    """A store to which nothing has happened: a copy, for setting one up takes longer."""
    return Path(shutil.copy(folder / "empty.db", folder / f"{number}.db"))
