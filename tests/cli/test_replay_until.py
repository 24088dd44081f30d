"""`conductor replay --until SEQ --state` says where a flow stood after an entry."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from conductor_adapters.debugger.view import records_of
from conductor_core import events, initial_state, reduce
from conductor_core.codec import encode_state
from conductor_core.log import LogWriter, restore
from conductor_core.testing.brief import START, flow, group, succeeded
from tests.cli.replaying import data_of, run
from tests.debugger.recordings import RELEASE, large, large_lines, release


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the log of a release."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(RELEASE, tmp_path)
    return tmp_path


def diverging() -> str:
    """A log whose second entry has a digest that is right, and commands that are not."""
    state = initial_state(flow(group("g", "a", "b")), "f")
    sent: list[events.Event] = [START, succeeded("a#1")]
    writer = LogWriter(state, at_ms=0)
    text = writer.header()
    for event in sent:
        transition = reduce(state, event)
        silent = evolve(transition, commands=()) if event is sent[-1] else transition
        text += writer.entry(event, silent)
        state = transition.state
    return text


def state_of(*arguments: str) -> dict[str, Any]:
    """The state that programs are told."""
    (log,) = data_of(*arguments, "--state")["logs"]
    state: dict[str, Any] = log["state"]
    return state


@pytest.mark.parametrize("seq", range(17))
def test_the_state_is_that_after_the_entry(seq: int) -> None:
    """As the page shows it, and whole."""
    told, recording = state_of("release.jsonl", "--until", str(seq)), release()
    state = recording.state_at(seq)
    assert told["at_ms"] == told["standing"]["at_ms"] == recording.at_ms(seq)
    assert told["standing"]["status"] == told["records"][""]["status"] == state.status
    assert told["records"] == json.loads(json.dumps(records_of(state)))
    restored = restore(json.dumps(told["snapshot"]))
    assert restored == state
    assert told["snapshot"]["state"] == encode_state(state)


def test_people_are_told_how_far_and_where_it_stood() -> None:
    """The entries that were verified, groups, attempts, what it waits for and what one may ask."""
    lines = run("release.jsonl", "--until", "3", "--state").stdout.splitlines()
    assert lines[0] == "replay: 3 entries verified, as far as asked; the flow is approval-awaiting"
    assert lines[1] == "flow release-0.1.0 (release): approval-awaiting"
    assert "  waits for plan#1: 0 of 1 approvals (person)" in lines
    assert "  build: pending (2 pending)" in lines
    assert "  approve plan" in lines
    first, *none = run("release.jsonl", "--until", "3").stdout.splitlines()
    assert (first, none) == (lines[0], [])


def test_without_until_it_is_the_end() -> None:
    """All of the log is verified, as ever; the time is that of the last entry."""
    lines = run("release.jsonl", "--state").stdout.splitlines()
    assert lines[0] == "replay: 16 entries verified; the flow is success"
    assert lines[1] == "flow release-0.1.0 (release): success"
    assert state_of("release.jsonl")["at_ms"] == release().at_ms(16)


def test_the_entry_that_was_asked_for_is_told_to_programs() -> None:
    """With the digest up to there; nobody looked for the end of the log."""
    (log,) = data_of("release.jsonl", "--until", "5")["logs"]
    assert log["until"] == log["entries"] == 5
    assert log["digest"] == release().entries[4].digest
    assert "state" not in log


def test_what_comes_later_is_not_looked_at(folder: Path) -> None:
    """A log that is damaged behind the entry is as good as any up to there."""
    lines = RELEASE.read_bytes().splitlines(keepends=True)
    (folder / "bad.jsonl").write_bytes(b"".join([*lines[:8], b"damaged\n", *lines[9:]]))
    assert run("bad.jsonl", "--until", "7").stdout.startswith("replay: 7 entries verified, ")
    assert run("bad.jsonl", "--until", "8", code=2).stderr.startswith("bad.jsonl: line 9: ")


def test_an_entry_that_the_log_has_not_is_an_error(folder: Path) -> None:
    """It says how many there are, and of a last line that was cut off as well."""
    told = "release.jsonl: it has 16 entries, and no entry 17\n"
    assert run("release.jsonl", "--until", "17", "--state", code=2).stderr == told
    (log,) = data_of("release.jsonl", "--until", "17", code=2)["logs"]
    assert log["error"]["problem"] == "it has 16 entries, and no entry 17"
    assert run("missing.jsonl", "--until", "1", code=2).stderr.startswith("missing.jsonl: No such")


def test_before_an_entry_that_diverges_one_may_look(folder: Path) -> None:
    """The error says how."""
    (folder / "quiet.jsonl").write_text(diverging())
    told = run("quiet.jsonl", "--state", code=1).stderr.splitlines()
    assert told[0] == "quiet.jsonl: line 3: entry 2 diverges:"
    assert told[-1] == "--until 1 --state shows where the flow stood before that"
    assert state_of("quiet.jsonl", "--until", "1")["standing"]["status"] == "in-progress"


def test_the_large_log_is_looked_into(folder: Path) -> None:
    """At an entry in its middle, of which an error or a page would speak."""
    (folder / "large.jsonl").write_bytes(b"".join(large_lines()))
    told = state_of("large.jsonl", "--until", "5000")
    assert told["records"] == json.loads(json.dumps(records_of(large().state_at(5000))))
    shown = run("large.jsonl", "--until", "5000", "--state").stdout
    assert "  plan-0 to plan-48 (97 groups): success (2,401 success)\n" in shown


@pytest.mark.parametrize("option", [("--until", "3"), ("--state",), ("--follow",)])
def test_one_log_is_looked_at(folder: Path, option: tuple[str, ...]) -> None:
    """Several logs, or a folder of them, have no one state."""
    name = option[0]
    two = run("release.jsonl", "release.jsonl", *option, code=2)
    assert f"{name} takes one LOG, not 2 of them." in two.stderr
    assert f"{name} takes one LOG, not the folder ." in run(".", *option, code=2).stderr


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("--follow",), ("--until", "3")),
        (("--follow",), ("--state",)),
        (("--follow",), ("--processes", "2")),
        (("--until", "3"), ("--semantics", "1")),
        (("--state",), ("--against", "flow.yaml")),
    ],
)
def test_what_does_not_go_together_is_refused(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """Rather than that one of the two is passed over."""
    told = run("release.jsonl", *one, *other, code=2).stderr
    assert f"{one[0]} does not go together with {other[0]}." in told


def test_the_record_of_a_log_is_not_changed(folder: Path) -> None:
    """Looking leaves the file as it is."""
    before = (folder / "release.jsonl").read_bytes()
    run("release.jsonl", "--until", "4", "--state")
    assert (folder / "release.jsonl").read_bytes() == before
