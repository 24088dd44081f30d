"""Log files: new, whole, and closed when their flow has finished."""

from __future__ import annotations

import resource
import subprocess
import threading
from io import FileIO
from pathlib import Path

import pytest

from conductor_adapters import journal
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


def test_a_file_that_holds_nothing_is_as_good_as_none(tmp_path: Path) -> None:
    """A writer that dies before its first line leaves such a file; one that lives holds it."""
    path = tmp_path / "log.jsonl"
    path.touch()
    with LogFile.create(path, STATE, at_ms=0), pytest.raises(FileExistsError):
        LogFile.create(path, STATE, at_ms=0)


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


# --- one writer after another ---


def begun(path: Path) -> None:
    """Begin a log, and let its host go."""
    with LogFile.create(path, STATE, at_ms=0) as log:
        log.append(STARTED, reduce(STATE, STARTED))


def test_a_log_is_gone_on_with_where_it_ends(tmp_path: Path) -> None:
    """What is appended continues the chain, and the whole verifies."""
    path = tmp_path / "log.jsonl"
    begun(path)
    log, replayed = LogFile.resume(path, flow_id="f", fsync=True)
    with log:
        log.append(CANCELLED, reduce(replayed.state, CANCELLED))
    with path.open("rb") as file:
        assert replay(file).entries == 2


def test_what_was_cut_off_stays_until_something_is_written(tmp_path: Path) -> None:
    """A log that is only looked at is not changed."""
    path = tmp_path / "log.jsonl"
    begun(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"seq":2,"ev')
    log, replayed = LogFile.resume(path)
    log.close()
    assert replayed.truncated is not None
    assert path.read_bytes() == whole + b'{"seq":2,"ev'
    log, replayed = LogFile.resume(path)
    with log:
        log.append(CANCELLED, reduce(replayed.state, CANCELLED))
    assert path.read_bytes().startswith(whole + b'{"seq":2,"event"')


@pytest.mark.parametrize("writer", ["new", "resumed"])
def test_a_log_has_one_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str) -> None:
    """Who comes second waits a moment and is told so, whether the first began it or went on."""
    monkeypatch.setattr(journal, "LOCK_PATIENCE_S", 0.05)
    path = tmp_path / "log.jsonl"
    if writer == "resumed":
        begun(path)
        first, _ = LogFile.resume(path)
    else:
        first = LogFile.create(path, STATE, at_ms=0)
    with first, pytest.raises(LogError, match="another run is writing this log"):
        LogFile.resume(path)
    LogFile.resume(path)[0].close()


def test_who_comes_second_gets_a_log_that_is_let_go_of_soon(tmp_path: Path) -> None:
    """What a host that died had just begun to start holds its log for a moment longer."""
    path = tmp_path / "log.jsonl"
    first = LogFile.create(path, STATE, at_ms=0)
    letting_go = threading.Timer(0.1, first.close)
    letting_go.start()
    LogFile.resume(path)[0].close()
    letting_go.join()


def test_whoever_inherits_the_file_holds_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as a process has the descriptor, nobody else writes."""
    monkeypatch.setattr(journal, "LOCK_PATIENCE_S", 0.05)
    path = tmp_path / "log.jsonl"
    log = LogFile.create(path, STATE, at_ms=0)
    heir = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[log.descriptor])
    log.close()
    with pytest.raises(LogError, match="another run"):
        LogFile.resume(path)
    heir.communicate()
    LogFile.resume(path)[0].close()


def test_a_log_that_is_none_is_let_go_of(tmp_path: Path) -> None:
    """A file that cannot be gone on with is neither changed nor kept locked."""
    path = tmp_path / "log.jsonl"
    path.write_text("precious\n")
    for _ in range(2):
        with pytest.raises(LogError, match="line 1"):
            LogFile.resume(path)
    assert path.read_text() == "precious\n"


def test_a_log_of_another_flow_is_not_gone_on_with(tmp_path: Path) -> None:
    """A host that knows which flow it serves says so."""
    path = tmp_path / "log.jsonl"
    begun(path)
    with pytest.raises(LogError, match="the log of flow 'f', expected 'g'"):
        LogFile.resume(path, flow_id="g")


def test_a_log_that_was_replaced_meanwhile_is_not_written(tmp_path: Path) -> None:
    """Who waited for the lock of a file that is gone writes no log that nobody would find."""
    path = tmp_path / "log.jsonl"
    first = LogFile.create(path, STATE, at_ms=0)

    def replace() -> None:
        path.unlink()
        path.touch()
        first.close()

    replacing = threading.Timer(0.1, replace)
    replacing.start()
    with pytest.raises(LogError, match="the file was replaced while it was opened"):
        LogFile.resume(path)
    replacing.join()


def test_a_log_may_be_closed_twice(tmp_path: Path) -> None:
    """The second time there is nothing to give back."""
    log = LogFile.create(tmp_path / "log.jsonl", STATE, at_ms=0, fsync=True)
    log.close()
    log.close()
