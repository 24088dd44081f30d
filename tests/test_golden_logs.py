"""The logs in tests/recorded: each replays to the byte in every release, and none was edited.

Rule: together they hold every event, command, verdict and status that there is, so that a change
of any of them shows here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, get_args

import pytest

import conductor_core
from conductor_adapters.debugger.recording import Recording, record
from conductor_core.attempt import FAIL_FAST, OVERTAKEN, SKIPPED_BY_USER, SWEPT, AttemptStatus
from conductor_core.commands import Command
from conductor_core.directives import FIXED_MESSAGES
from conductor_core.events import Event
from conductor_core.log import Closed, Entry, LogWriter, read_log, replay
from conductor_core.semantics import REDUCERS
from conductor_core.state import FLOW_STATUSES
from conductor_core.verdicts import Accepted
from tests.recorded.record import MANIFEST
from tests.recorded.record import main as record_main
from tests.recorded.record import record as record_all
from tests.recorded.telling import STORIES

FOLDER: Final = Path(__file__).parent / "recorded"
CORE: Final = Path(conductor_core.__file__).parent
LOGS: Final = sorted(FOLDER.glob("*/*.jsonl"))
RELEASES: Final = sorted(path for path in FOLDER.iterdir() if (path / MANIFEST).exists())
OUT_OF_REACH: Final[dict[str, str]] = {}
"""Words of the core that no log can hold, and why; there is none."""


@cache
def recorded(path: Path) -> Recording:
    """A log, verified."""
    with path.open("rb") as file:
        return record(str(path), file)


def written_again(path: Path) -> str:
    """The log that its events come to when they happen again, closed where it was closed."""
    lines = path.read_bytes().splitlines(keepends=True)
    beginning = replay(lines[:1])
    writer, reduce = LogWriter.resume(beginning), REDUCERS[beginning.header.semantics]
    state, text = beginning.state, writer.header()
    for line in read_log(lines):
        match line:
            case Entry(event=event):
                transition = reduce(state, event)
                state = transition.state
                text += writer.entry(event, transition)
            case Closed():
                text += writer.close(state)
            case _:
                pass
    return text


def named(path: Path) -> str:
    """A log by its release and its story."""
    return f"{path.parent.name}/{path.stem}"


# --- they stand ---


def test_there_are_logs() -> None:
    """The tests below are about something."""
    assert RELEASES
    assert {path.stem for path in LOGS} >= STORIES.keys()


@pytest.mark.parametrize("path", LOGS, ids=named)
def test_a_log_replays_to_the_byte(path: Path) -> None:
    """Every entry verifies, and the log is written again as it stands."""
    replayed = recorded(path).replay
    assert replayed.truncated is None
    assert replayed.size == path.stat().st_size
    assert written_again(path).encode() == path.read_bytes()


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_no_log_was_edited(release: Path) -> None:
    """The digest of each is the one in the manifest, which names them all."""
    lines = (release / MANIFEST).read_text("ascii").splitlines()
    pinned = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in release.glob("*.jsonl")}
    assert len(pinned) == len(lines)
    assert pinned == found


def test_a_log_is_as_its_header_says() -> None:
    """One holds accepted events alone; others are closed, opened again, or have checkpoints."""
    texts = {path.stem: path.read_text("utf-8") for path in LOGS}
    assert [name for name, text in texts.items() if '"accepted_only":true' in text]
    assert texts["checkpoints"].count('{"checkpoint":') == 2
    assert texts["rerun-retry-step"].count('{"closed":') == 3


# --- they hold all there is ---


def words_of(name: str) -> Iterator[str]:
    """What the core hands to this verdict, wherever it does, as it stands in the source."""
    for path in sorted(CORE.rglob("*.py")):
        if not {"testing", "checking"} & set(path.relative_to(CORE).parts):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name:
                    word = node.args[0] if node.args else None
                    if isinstance(word, ast.Constant) and isinstance(word.value, str):
                        yield word.value


def happened() -> Iterator[tuple[Recording, Any]]:
    """Every entry of every log, with its log."""
    for path in LOGS:
        for played in recorded(path).entries:
            yield recorded(path), played


def test_every_event_happens() -> None:
    """Of each class one at least was accepted."""
    accepted = [p for _, p in happened() if isinstance(p.transition.verdict, Accepted)]
    seen = {type(played.event) for played in accepted}
    assert seen == set(get_args(Event))


def test_every_command_is_given() -> None:
    """Of each class."""
    seen = {type(command) for _, played in happened() for command in played.transition.commands}
    assert seen == set(get_args(Command))


def test_every_verdict_is_given() -> None:
    """Every reason to ignore a fact, and every code of a rejection, that the core knows."""
    known = {f"ignored({word})" for word in words_of("Ignored")}
    known |= {f"rejected({word})" for word in words_of("Rejected")}
    seen = {str(played.transition.verdict) for _, played in happened()} - {"accepted"}
    assert len(known) > 30
    assert known - seen == OUT_OF_REACH.keys()
    assert seen <= known


@pytest.mark.unmeasured
def test_every_status_comes_up() -> None:
    """Of flows, and of attempts."""
    flows: set[str] = {recording.state_at(0).status for recording, _ in happened()}
    attempts: set[AttemptStatus] = set()
    for path in LOGS:
        before = recorded(path).state_at(0)
        for played in recorded(path).entries:
            state = played.transition.state
            flows.add(state.status)
            attempts |= {state.live[n].status for n in state.live.changed_since(before.live)}
            before = state
        attempts |= {attempt.status for attempt in before.attempts()}
    assert flows == set(FLOW_STATUSES)
    assert attempts == set(AttemptStatus)


def test_every_reason_comes_up() -> None:
    """Of a flow that ended, those with a text of their own; of an attempt, those of a sweep."""
    ended = [state.outcome for state in (played.transition.state for _, played in happened())]
    assert {outcome.reason for outcome in ended if outcome} >= FIXED_MESSAGES.keys()
    last = [recorded(path).replay.state for path in LOGS]
    reasons = {attempt.reason for state in last for attempt in state.attempts()}
    assert reasons >= {SWEPT, OVERTAKEN, FAIL_FAST, SKIPPED_BY_USER, "noop", "skipped"}


# --- the recorder ---


def test_the_recorder_leaves_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It records what is missing, and never the same twice."""
    assert record_all(tmp_path) == sorted(STORIES)
    pinned = (tmp_path / MANIFEST).read_bytes()
    (tmp_path / "timeouts.jsonl").write_text("edited")
    with pytest.raises(SystemExit, match="nothing is new"):
        record_main(tmp_path)
    assert "timeouts: is there, and is left as it is" in capsys.readouterr().out
    assert (tmp_path / "timeouts.jsonl").read_text() == "edited"
    assert (tmp_path / MANIFEST).read_bytes() == pinned
