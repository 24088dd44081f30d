"""`conductor replay --against FLOWFILE` and `--semantics N`: whether it goes the same."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from conductor_core import events, semantics
from conductor_core.testing.brief import START, flow, group, succeeded
from tests.cli.replaying import data_of, run
from tests.debugger.recordings import RELEASE, large_lines, log_of
from tests.debugger.second_semantics import TWO
from tests.documents import ROOT

FLOW: Final = (ROOT / "examples" / "release" / "flow.yaml").read_text(encoding="utf-8")
SAME: Final = "replay: 16 entries verified; the flow is success; same\n"
BEGINS: Final = "replay: 16 entries verified; the flow is success; differs from entry"
SERIAL: Final = log_of(flow(group("g", "a", "b")), [START, succeeded("a#1"), succeeded("b#1")])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the log of a release and the flow that it was a run of."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(RELEASE, tmp_path)
    (tmp_path / "flow.yaml").write_text(FLOW)
    return tmp_path


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that knows a second number: there, parallel groups go one step after another."""
    monkeypatch.setattr(semantics, "REDUCERS", TWO)


def departure_of(*options: str) -> dict[str, Any]:
    """Where the log parts from what it is held against, as programs are told it."""
    (log,) = data_of("release.jsonl", *options, code=1)["logs"]
    assert not log["same"]
    departure: dict[str, Any] = log["departure"]
    return departure


# --- another flow ---


def test_the_flow_that_was_run_behaves_the_same() -> None:
    """Exit code 0; programs are told that nothing parts."""
    assert run("release.jsonl", "--against", "flow.yaml").stdout == SAME
    (log,) = data_of("release.jsonl", "--against", "flow.yaml")["logs"]
    assert (log["same"], log["departure"]) == (True, None)


def test_what_no_host_sees_is_no_difference(folder: Path) -> None:
    """What is merely called otherwise, or never comes to bear, behaves the same."""
    text = FLOW.replace("flow: release", "flow: other").replace(
        "    parallel: true", "    # was", 0
    )
    (folder / "flow.yaml").write_text(text.replace("[2000, 8000]", "[1, 2]"))
    assert run("release.jsonl", "--against", "flow.yaml").stdout == SAME


SMOKE: Final = "python -m examples.release.smoke"
CHANGES: Final[dict[str, tuple[Callable[[str], str], int, list[str]]]] = {
    "a step has another key": (
        lambda text: text.replace("key: sdist", "key: source").replace(", sdist]", ", source]"),
        4,
        [
            "  on demo approves plan",
            "    no longer: dispatch-step sdist#1",
            "    no longer: schedule-timer timeout:sdist#1",
            "    new: dispatch-step source#1",
            "    new: schedule-timer timeout:source#1",
            "  the flow no longer has step sdist",
            "  the flow now has step source",
        ],
    ),
    "a group is gone": (
        lambda text: re.sub(r"  - key: check\n.*?(?=  - key: publish)", "", text, flags=re.DOTALL),
        8,
        [
            "  on sdist#1 succeeded",
            "    no longer: dispatch-step contents#1",
            "    no longer: schedule-timer timeout:contents#1",
            "    no longer: dispatch-step quickstart#1",
            "    no longer: schedule-timer timeout:quickstart#1",
            "    new: dispatch-step publish#1",
            "    new: schedule-timer timeout:publish#1",
            "  the flow no longer has steps contents, quickstart",
        ],
    ),
    "nobody is asked": (
        lambda text: text.replace("        approval: true\n", ""),
        3,
        [
            "  on plan#1 succeeded",
            "    no longer: request-approval plan#1",
            "    new: dispatch-step wheel#1",
            "    new: schedule-timer timeout:wheel#1",
            "    new: dispatch-step sdist#1",
            "    new: schedule-timer timeout:sdist#1",
        ],
    ),
    "it runs something else": (
        lambda text: text.replace(SMOKE, "it"),
        14,
        [
            "  on publish#1 succeeded",
            f"    dispatch-step smoke#1: input.run: recorded {SMOKE!r}, now 'it'",
        ],
    ),
    "only the first step is left": (
        lambda text: text[: text.index("  # The steps of a parallel group")],
        4,
        [
            "  on demo approves plan",
            "    no longer: dispatch-step wheel#1",
            "    no longer: schedule-timer timeout:wheel#1",
            "    no longer: dispatch-step sdist#1",
            "    no longer: schedule-timer timeout:sdist#1",
            "    new: finish-flow",
            "  the flow no longer has steps wheel, sdist, contents, quickstart, publish and 1 more",
        ],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_first_entry_that_differs_is_told(change: str, folder: Path) -> None:
    """And how, in a line for each difference; the log itself is as good as ever."""
    changed, seq, told = CHANGES[change]
    (folder / "flow.yaml").write_text(changed(FLOW))
    result = run("release.jsonl", "--against", "flow.yaml", code=1)
    assert result.stdout.splitlines() == [f"{BEGINS} {seq} on", *told]
    assert result.stderr == ""
    departure = departure_of("--against", "flow.yaml")
    assert departure["entry"] == seq
    assert [f"    {line}" for line in departure["differences"]] == [
        line for line in told if line.startswith("    ")
    ]


def test_an_event_that_is_refused_now_is_told(folder: Path) -> None:
    """A verdict is a difference too: nobody can cancel a step that is no longer there."""
    (folder / "one.yaml").write_text("groups: [{key: g, steps: [{key: a}]}]\n")
    cancel = events.CancelRequested(at_ms=0, by="bo", step="b")
    (folder / "two.jsonl").write_text(log_of(flow(group("g", "a", "b")), [START, cancel]))
    told = run("two.jsonl", "--against", "one.yaml", code=1).stdout.splitlines()
    assert told[0].endswith("; differs from entry 2 on")
    assert told[1:] == [
        "  on bo cancels b",
        "    verdict: recorded accepted, now rejected(unknown-step) (no step is named 'b')",
        "    no longer: cancel-futures a#1",
        "    no longer: schedule-timer cancel",
        "  the flow no longer has step b",
    ]


def test_programs_are_told_both_sides(folder: Path) -> None:
    """The event, what it led to then and now, and the steps that only one of the two has."""
    (folder / "flow.yaml").write_text(CHANGES["a step has another key"][0](FLOW))
    departure = departure_of("--against", "flow.yaml")
    assert departure["event"]["type"] == "approval-responded"
    assert departure["recorded"]["verdict"] == departure["now"]["verdict"] == "accepted"
    attempts = [
        [command["attempt"] for command in departure[side]["commands"] if "attempt" in command]
        for side in ("recorded", "now")
    ]
    assert attempts == [["wheel#1", "sdist#1"], ["wheel#1", "source#1"]]
    assert (departure["gone"], departure["added"]) == (["sdist"], ["source"])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("missing.yaml", None, "missing.yaml: No such file or directory"),
        ("release.jsonl", None, "--against: release.jsonl is a log, expected a flow file"),
        ("empty.yaml", "", "empty.yaml: it is empty, expected a flow file"),
        ("bad.yaml", "groups: 3\n", "bad.yaml:1: groups: expected a list, got 3"),
    ],
)
def test_what_is_no_flow_file_is_an_error(name: str, text: str | None, told: str) -> None:
    """Before any log is read."""
    if text is not None:
        Path(name).write_text(text)
    result = run("release.jsonl", "--against", name, code=2)
    assert (result.stdout, result.stderr) == ("", f"{told}\n")


# --- other semantics ---


@pytest.mark.usefixtures("two")
def test_a_rule_that_changed_is_told() -> None:
    """By the second semantics the second step of the group waits for its turn."""
    assert run("release.jsonl", "--semantics", "1").stdout == SAME
    assert run("release.jsonl", "--semantics", "2", code=1).stdout.splitlines() == [
        f"{BEGINS} 4 on",
        "  on demo approves plan",
        "    no longer: dispatch-step sdist#1",
        "    no longer: schedule-timer timeout:sdist#1",
    ]


@pytest.mark.usefixtures("two")
def test_a_flow_that_the_rule_does_not_touch_is_the_same(folder: Path) -> None:
    """Where nothing is parallel both semantics say the same."""
    (folder / "serial.jsonl").write_text(SERIAL)
    assert run("serial.jsonl", "--semantics", "2").stdout.endswith("; same\n")


@pytest.mark.usefixtures("two")
def test_the_large_log_parts_as_well(folder: Path) -> None:
    """Nothing of what was dispatched together is, but for the first; a few are told."""
    (folder / "large.jsonl").write_bytes(b"".join(large_lines()))
    lines = run("large.jsonl", "--semantics", "2", code=1).stdout.splitlines()
    assert lines[0].startswith("replay: 10251 entries verified; ")
    assert lines[0].endswith("; differs from entry 4 on")
    assert lines[2] == "    no longer: dispatch-step host-0-1#1"
    assert lines[12:] == ["    and more"]


@pytest.mark.usefixtures("two")
def test_semantics_and_flow_go_together(folder: Path) -> None:
    """A flow that has one step after another anyhow, by the second semantics."""
    (folder / "flow.yaml").write_text(FLOW.replace("parallel: true", "parallel: false"))
    given = ("release.jsonl", "--against", "flow.yaml", "--semantics")
    assert run(*given, "1", code=1).stdout == run(*given, "2", code=1).stdout


def test_semantics_that_nobody_knows_are_an_error() -> None:
    """Before any log is read."""
    result = run("release.jsonl", "--semantics", "2", code=2)
    assert (result.stdout, result.stderr) == ("", "--semantics: unknown semantics 2, expected 1\n")


# --- folders ---


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_folder_is_held_against_something(processes: str, folder: Path) -> None:
    """Each log is told, and how many are the same and how many differ."""
    for name, text in (("a", SERIAL), ("b", RELEASE.read_text()), ("c", "{}\n")):
        (folder / "logs").mkdir(exist_ok=True)
        (folder / "logs" / f"{name}.conductor.jsonl").write_text(text)
    given = ("logs", "--semantics", "2", "--processes", processes)
    result = run(*given, code=2)
    assert "2 verified, 0 diverged, 1 unreadable, 1 same, 1 different; " in result.stdout
    data = data_of(*given, code=2)
    assert [log.get("same") for log in data["logs"]] == [True, False, None]
    assert (data["summary"]["same"], data["summary"]["different"]) == (1, 1)


def test_of_a_log_that_is_not_true_nothing_else_is_said(folder: Path) -> None:
    """It is verified to its end, even behind the entry at which it parts."""
    lines = RELEASE.read_bytes().splitlines(keepends=True)
    (folder / "bad.jsonl").write_bytes(b"".join([*lines[:12], *lines[13:]]))
    (folder / "flow.yaml").write_text(CHANGES["nobody is asked"][0](FLOW))
    result = run("bad.jsonl", "--against", "flow.yaml", code=2)
    assert (result.stdout, result.stderr) == ("", "bad.jsonl: line 13: seq is 13, expected 12\n")
