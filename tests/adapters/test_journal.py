"""Log files: new, whole, and closed when their flow has finished."""

from __future__ import annotations

import resource
from io import FileIO
from pathlib import Path

import pytest

from conductor_adapters.journal import LogFile, NoJournal
from conductor_core import FlowSpec, GroupSpec, StepSpec, events, initial_state, reduce
from conductor_core.errors import LogError
from conductor_core.log import LogWriter, replay

STATE = initial_state(FlowSpec(groups=(GroupSpec(key="g", steps=(StepSpec(key="a"),)),)), "f")
STARTED = events.FlowStarted(at_ms=0)
CANCELLED = events.CancelRequested(at_ms=1, by="ana")
FULL = Path("/dev/full")


def test_an_entry_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    """Nothing is kept in a buffer: whoever reads the file finds every entry."""
    path = tmp_path / "log.jsonl"
    with LogFile.create(path, STATE, at_ms=0) as log:
        assert len(path.read_bytes().splitlines()) == 1
        log.append(STARTED, reduce(STATE, STARTED))
        assert len(path.read_bytes().splitlines()) == 2


@pytest.mark.parametrize("finished", [True, False])
def test_the_log_of_a_finished_flow_is_closed(tmp_path: Path, finished: bool) -> None:
    """Giving the file back ends the log of a finished flow, and of no other."""
    path = tmp_path / "log.jsonl"
    event = CANCELLED if finished else STARTED
    with LogFile.create(path, STATE, at_ms=0) as log:
        log.append(event, reduce(STATE, event))
    with path.open("rb") as file:
        assert replay(file).closed is finished


def test_a_log_is_never_overwritten(tmp_path: Path) -> None:
    """A log file that exists belongs to another run."""
    path = tmp_path / "log.jsonl"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        LogFile.create(path, STATE, at_ms=0)
    assert path.read_text() == "precious"


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_log_file_that_failed_takes_nothing_more() -> None:
    """After an entry that was perhaps written in part, every other is refused."""
    with LogFile(FileIO(FULL, "w"), LogWriter(STATE, at_ms=0), STATE) as log:
        with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
            log.append(CANCELLED, reduce(STATE, CANCELLED))
        with pytest.raises(LogError, match="/dev/full: an earlier entry could not be written"):
            log.append(CANCELLED, reduce(STATE, CANCELLED))


def test_a_log_that_cannot_be_begun_is_not_left_behind(tmp_path: Path) -> None:
    """A file without a header would only stand in the way of the next run."""
    path = tmp_path / "log.jsonl"
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, most[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: '.*log\.jsonl'"):
            LogFile.create(path, STATE, at_ms=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert not path.exists()


def test_no_journal_keeps_nothing() -> None:
    """A flow may run without a journal."""
    NoJournal().append(STARTED, reduce(STATE, STARTED))
