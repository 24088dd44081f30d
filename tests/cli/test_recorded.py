"""A log or a flow file: told apart by what stands in it, and refused in one clear line."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from conductor_adapters.cli.recorded import Declared, Diverged, Recorded, read_source
from conductor_core import events, initial_state, reduce
from conductor_core.errors import ConductorError
from conductor_core.log import LogWriter
from conductor_core.testing.brief import failed, flow, group, succeeded

SPEC: Final = flow(group("g", "a", "b"))
FLOW: Final = "groups: [{key: g, steps: [{key: a}]}]\n"


def log(*sent: events.Event, silent: bool = False) -> str:
    """The log of a flow to which these events happened, or of a reducer that commands nothing."""
    state = initial_state(SPEC, flow_id="deploy-42")
    writer = LogWriter(state, at_ms=1_000)
    text = writer.header()
    for event in sent:
        transition = reduce(state, event)
        text += writer.entry(event, evolve(transition, commands=()) if silent else transition)
        state = transition.state
    return text


HISTORY: Final = (
    events.FlowStarted(at_ms=2_000),
    succeeded("a#1", at_ms=3_000),
    failed("b#1", at_ms=4_000),
)
GOOD: Final = log(*HISTORY)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is yet to be written, in the current folder; its suffix says nothing."""
    monkeypatch.chdir(tmp_path)
    return Path("it.txt")


def recorded(file: Path, at: int | None = None) -> Recorded:
    """The log in a file."""
    source = read_source(file, at)
    assert isinstance(source, Recorded)
    return source


def refused(file: Path, at: int | None = None) -> str:
    """What is said of a file that cannot be used."""
    with pytest.raises(ConductorError) as caught:
        read_source(file, at)
    return str(caught.value)


def test_a_log_is_told_by_its_first_line(file: Path) -> None:
    """A log is verified, and looked at from now."""
    file.write_text(GOOD)
    source = recorded(file)
    assert (source.replay.entries, source.replay.state.status) == (3, "error")
    assert source.now_ms > 1_700_000_000_000


def test_a_mark_before_a_log_is_told_as_what_it_is(file: Path) -> None:
    """By every command: it is a log that an editor changed."""
    file.write_text(f"\ufeff{GOOD}")
    assert refused(file) == "it.txt: line 1: not JSON: it begins with a byte order mark"


@pytest.mark.parametrize("text", [FLOW, '{"groups": [{"key": "g", "steps": [{"key": "a"}]}]}'])
def test_anything_else_is_a_flow_file(file: Path, text: str) -> None:
    """A flow file is one whatever its name is."""
    file.write_text(text)
    source = read_source(file)
    assert isinstance(source, Declared)
    assert [group.key for group in source.spec.groups] == ["g"]


def test_a_pipe_will_do(file: Path) -> None:
    """A file is read once, from its beginning to its end."""
    os.mkfifo(file)
    writing = threading.Thread(target=file.write_text, args=(GOOD,))
    writing.start()
    assert recorded(file).replay.entries == 3
    writing.join()


@pytest.mark.parametrize(
    ("at", "status", "now_ms"),
    [(0, "pending", 1_000), (1, "in-progress", 2_000), (3, "error", 4_000)],
)
def test_a_log_can_be_looked_at_as_it_was(file: Path, at: int, status: str, now_ms: int) -> None:
    """After an entry the flow stands where it stood then, and it is as late as it was then."""
    file.write_text(GOOD)
    source = recorded(file, at)
    assert (source.replay.state.status, source.replay.entries) == (status, at)
    assert source.now_ms == now_ms


def test_what_comes_after_the_entry_does_not_matter(file: Path) -> None:
    """A log that is broken later was in order until then."""
    file.write_text(GOOD.replace('"failed"', '"cancelled"')[:-9])
    assert recorded(file, 2).replay.truncated is None


def test_an_entry_that_is_none_is_an_error(file: Path) -> None:
    """The log says how many there are, also where its last line was cut off."""
    file.write_text(GOOD)
    assert refused(file, 4) == "--at: it.txt has 3 entries, and no entry 4"
    file.write_text(GOOD[:-9])
    assert refused(file, 3) == "--at: it.txt has 2 entries, and no entry 3"


def test_a_flow_file_has_no_entries(file: Path) -> None:
    """What is only declared has not come to any entry."""
    file.write_text(FLOW)
    assert refused(file, 1) == "--at: it.txt is no log, so it has no entry 1"


def test_a_line_that_was_cut_off_is_reported_with_what_stands_before_it(file: Path) -> None:
    """A crash while writing leaves a prefix that is as good as ever."""
    file.write_text(GOOD[:-9])
    source = recorded(file)
    assert source.replay.entries == 2
    assert str(source.replay.truncated).startswith("line 4: the last line is cut off")


def test_a_log_that_diverges_is_no_unreadable_one(file: Path) -> None:
    """The exit code is 1, and the entry before is named, from where one can look on."""
    file.write_text(log(*HISTORY, silent=True))
    with pytest.raises(Diverged) as caught:
        read_source(file)
    assert caught.value.exit_code == 1
    first, *_, last = str(caught.value).splitlines()
    assert first == "it.txt: line 2: entry 1 diverges:"
    assert last == "--at 0 shows where the flow stood before that"
    assert recorded(file, 0).replay.entries == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it.txt: it is empty, expected a log or a flow file"),
        (" \n", "it.txt: it is empty, expected a log or a flow file"),
        (
            GOOD.replace("conductor-log/1", "conductor-log/2"),
            (
                "it.txt: line 1: unknown format 'conductor-log/2',"
                " expected a log of format 'conductor-log/1'"
            ),
        ),
        (
            GOOD.replace('"semantics":1', '"semantics":2'),
            "it.txt: line 1: unknown semantics 2, expected 1",
        ),
        (
            GOOD.partition("\n")[2],
            "it.txt: line 1: no header, expected a log of format 'conductor-log/1'",
        ),
        (
            "# flows\nscenarios:\n  - name: a\n",
            "it.txt:2: scenarios: a scenario file, expected a log or a flow file",
        ),
        (
            "flow: x\ngroup: []\n",
            (
                "it.txt:2: group: unknown key 'group' (perhaps 'groups'?),"
                " expected one of flow, groups, options, metadata"
            ),
        ),
        (
            "groups:\n  - key: g\n    steps: []\n",
            "it.txt:3: groups[0].steps: expected at least one step",
        ),
    ],
)
def test_what_is_neither_is_refused_in_one_line(file: Path, text: str, told: str) -> None:
    """The line names the file, where there is one the line of it, and what was expected."""
    file.write_text(text)
    assert refused(file) == told


def test_a_header_that_was_cut_off_is_one_of_a_log(file: Path) -> None:
    """Nobody is told that half a header is no YAML."""
    file.write_text(GOOD[:70])
    assert refused(file).startswith("it.txt: line 1: the last line is cut off")


def test_a_folder_and_a_missing_file_are_refused(file: Path) -> None:
    """What cannot be opened is told in the words of the system."""
    assert refused(file) == "it.txt: No such file or directory"
    file.mkdir()
    assert refused(file) == "it.txt: Is a directory"
