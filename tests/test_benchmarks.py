"""The benchmarks measure what they say; no figure is looked at, since none is the same twice."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from benchmarks import counted, instructions, reducer, replay, sweeps
from benchmarks.__main__ import PARTS, main
from benchmarks.parts import BEGIN, END, Part, report
from benchmarks.peers import installed
from benchmarks.peers.peer import Steps, calls, events_of
from benchmarks.rounds import Candidate, medians, played, settled, times_to_reach
from benchmarks.rows import Row, as_json, markdown
from benchmarks.scale import FULL, QUICK, TINY, Scale
from benchmarks.walk import occupied, reachable, weight
from benchmarks.workloads import MIXED, SHAPES, Shape, play
from conductor_core import events, reduce
from tests.benchmark_run import benchmarks, tiny_rows
from tests.documents import ROOT

KEYS = {"part", "what", "figure", "unit", "goal", "stretch", "more_is_better", "note", "verdict"}


def rows_of(part: str) -> list[dict[str, Any]]:
    """What one part found."""
    return [row for row in tiny_rows() if row["part"] == part]


def row(figure: float | None, **fields: Any) -> Row:
    """A row of which only the figure and its bounds matter."""
    return Row(part="part", what="what", figure=figure, unit="µs", **fields)


# --- what all parts find ---


def test_every_part_yields_rows() -> None:
    """All parts are run, in the order in which they are listed."""
    assert list(dict.fromkeys(found["part"] for found in tiny_rows())) == list(PARTS)


def test_every_row_is_whole() -> None:
    """A row as JSON has all its fields, and a figure unless it says why it has none."""
    for found in tiny_rows():
        assert found.keys() == KEYS
        assert found["figure"] is not None or found["verdict"] == "not measured"


def test_no_name_is_used_twice() -> None:
    """A row is known by its part and its name."""
    names = Counter((found["part"], found["what"]) for found in tiny_rows())
    assert names.most_common(1)[0][1] == 1


@pytest.mark.parametrize(
    ("part", "goals"),
    [
        ("reducer", {(0.7, 0.5): 4, (0.06, None): 2, (0.01, None): 2}),
        ("flatness", {(1.5, None): len(SHAPES)}),
        ("sweeps", {(4.0, None): len(sweeps.SWEEPS), (1.5, None): len(sweeps.SWEEPS)}),
        (
            "replay",
            {
                (30_000.0, 60_000.0): 1,
                (60_000.0, 150_000.0): 1,
                (0.5, None): 1,
                (50.0, None): 2,
                (10.0, None): 1,
            },
        ),
        ("folders", {(1.6, None): 1}),
        ("memory", {(300.0, None): 2}),
        ("imports", {(30.0, None): 1, (0, None): 1}),
        ("overhead", {(60.0, None): 3}),
        (
            "durable",
            {
                (0.6, None): 4,
                (5.0, None): 2,
                (0.3, None): 1,
                (100.0, None): 1,
                (1.0, None): 1,
            },
        ),
    ],
)
def test_every_goal_stands_beside_a_figure(part: str, goals: dict[Any, int]) -> None:
    """What the project promises is measured, as often as it is promised."""
    found = Counter((r["goal"], r["stretch"]) for r in rows_of(part) if r["goal"] is not None)
    assert found == goals


def test_a_million_steps_have_a_goal_of_their_own() -> None:
    """The full run compares three sizes, and each larger one has its goal."""
    assert FULL.flat == (10, 100_000, 1_000_000)
    assert FULL.peer_goal_at == QUICK.peer_goal_at == 1_000
    assert FULL.sweeps == (10_000, 100_000)
    assert max(FULL.entries) == 1_000_000
    assert FULL.waiting_flows == 10_000


# --- the peers ---


@pytest.mark.parametrize("key", installed.DISTRIBUTIONS)
def test_every_peer_is_played(key: str) -> None:
    """A peer that is installed got to the end of its flow, or the run would have failed."""
    peer = installed.peer(key)
    if peer is None:
        pytest.skip(f"{installed.DISTRIBUTIONS[key]} is not installed: the peer is not compared")
    (found,) = (r for r in rows_of("reducer") if r["what"] == f"{peer.name}, 20 steps")
    assert found["figure"] > 0


def test_a_peer_that_is_not_installed_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row has no figure and says why, and the others are measured."""
    monkeypatch.setattr(installed, "DISTRIBUTIONS", {"transitions": "never-published"})
    monkeypatch.setattr(reducer, "DISTRIBUTIONS", installed.DISTRIBUTIONS)
    missing, *others = reducer.measure(TINY)
    assert (missing.what, missing.verdict) == ("never-published", "not measured")
    assert missing.note == "it is not installed"
    ours = (*reducer.OURS, reducer.FLOOR)
    assert [other.what for other in others] == [f"{name}, 20 steps" for name in ours]


def test_a_peer_is_not_played_where_that_would_take_too_long() -> None:
    """A pilot at a smaller size tells how long a flow would take."""
    peer = installed.peer("transitions")
    if peer is None:
        pytest.skip("transitions is not installed")
    pilots = {"transitions": 1_000.0}
    patient = evolve(TINY, peer_ms=22)
    assert list(reducer.able("transitions", peer, 20, evolve(patient, peer_ms=21), pilots)) == []
    assert len(list(reducer.able("transitions", peer, 20, patient, pilots))) == 1
    assert pilots["transitions"] < 1_000


def test_the_events_of_a_flow() -> None:
    """Every step finishes, and every tenth is approved after it."""
    told = list[str]()
    for call in calls(25, lambda: told.append("finish"), lambda: told.append("approve")):
        call()
    ten = [*["finish"] * 10, "approve"]
    assert told == [*ten, *ten, *["finish"] * 5]
    assert len(told) == events_of(25)


@pytest.mark.parametrize(("done", "ended"), [(2, True), (3, False)])
def test_a_peer_that_stops_early_is_found_out(done: int, ended: bool) -> None:
    """A flow that has not ended, or not seen all its steps, is an error."""
    steps = Steps(3)
    for _ in range(done):
        steps.count()
    with pytest.raises(AssertionError, match=f"{done} of 3 steps are done"):
        steps.check(ended=ended)


# --- what is played ---


@pytest.mark.parametrize("steps", [10, 40])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_recording_leads_to_its_end(shape: Shape, steps: int) -> None:
    """Every shape ends well, and the same way each time that it is played."""
    recording = shape.recorded(steps)
    assert recording.ended.status == "success"
    assert play(recording) == recording.ended
    assert len(recording.ended.live) == steps


def test_an_event_touches_no_more_in_a_larger_flow() -> None:
    """Twice as many steps are twice as many events, so that the mix stays the same."""
    for shape in SHAPES:
        small, large = shape.recorded(100), shape.recorded(200)
        assert len(large.events) == 2 * len(small.events)


def test_everything_is_in_the_mixed_shape() -> None:
    """Approvals, failures, retries by themselves, by people and of groups, and a skip."""
    recording = MIXED.recorded(10)
    failed = [
        event.attempt
        for event in recording.events
        if isinstance(event, events.StepFinished) and event.outcome == "failed"
    ]
    assert failed == ["again-2#1", "retried-3#1", "skipped-4#1", "again-5#1"]
    operations = [e.operation for e in recording.events if isinstance(e, events.RerunRequested)]
    assert operations == ["retry-step", "skip-step"]
    assert sum(isinstance(e, events.ApprovalResponded) for e in recording.events) == 2
    attempts = {attempt.id: attempt for attempt in recording.ended.attempts()}
    assert attempts["again-2#2"].retry == 1
    assert attempts["well-6#2"].generation == 1
    assert attempts["skipped-4#1"].status == "user-skipped"


@pytest.mark.parametrize("name", sweeps.SWEEPS)
def test_a_sweep_touches_every_step(name: str) -> None:
    """One event changes every attempt of the flow, or tells every worker of it."""
    sweep = sweeps.SWEEPS[name](12)
    after = reduce(sweep.state, sweep.event)
    changed = set(after.state.live.changed_since(sweep.state.live))
    told = {attempt for command in after.commands for attempt in getattr(command, "attempts", ())}
    assert len(changed) == 12 or len(told) == 12


def test_a_log_is_written_once_and_replayed(tmp_path: Path) -> None:
    """The log that is replayed has about as many entries as it was asked for."""
    file = replay.log_of(tmp_path, 110)
    written = file.stat().st_mtime_ns
    assert replay.log_of(tmp_path, 110).stat().st_mtime_ns == written
    entries = [line for line in file.read_text().splitlines() if line.startswith('{"seq"')]
    assert len(entries) == 111


def test_the_standard_library_alone_is_alone(tmp_path: Path) -> None:
    """What the extra brings is not imported where the standard library is measured."""
    file = replay.log_of(tmp_path, 20)
    done = benchmarks(str(file), "--plain", module="benchmarks.replaying")
    assert json.loads(done.stdout)["fast"] == []


def test_a_weight_counts_nothing_twice_and_nothing_that_is_known() -> None:
    """What two places share is weighed once, and what stays out not at all."""
    shared = ["x" * 100]
    once = weight([shared, shared], set())
    assert once == sys.getsizeof([1, 2]) + weight(shared, set())
    assert weight([shared, shared], reachable(shared, set())) == once - weight(shared, set())
    assert weight(int, set()) == 0
    assert weight(shared, set()) < occupied(shared) <= weight(shared, set()) + 2 * 15


# --- timing ---


def test_candidates_are_played_in_turn() -> None:
    """A round plays each once, so that what slows the machine slows all."""
    turns = list[str]()

    def candidate(name: str, costs: Iterator[float]) -> Candidate:
        def per_event_us() -> float:
            turns.append(name)
            return next(costs)

        return Candidate(name, per_event_us)

    found = medians([candidate("a", iter((9.0, 1.0, 2.0))), candidate("b", iter((5.0,) * 3))], 3)
    assert turns == ["a", "b"] * 3
    assert found == {"a": 2.0, "b": 5.0}


def test_what_a_candidate_plays_is_made_anew() -> None:
    """A flow that was played to its end is not played again."""
    made, plays = list[int](), list[int]()

    def prepare() -> Iterator[Callable[[], None]]:
        made.append(len(plays))
        yield lambda: plays.append(len(made))

    assert medians([played("a", 1, prepare)], 2)["a"] >= 0
    assert (made, plays) == ([0, 1], [1, 2])


def test_the_collector_is_what_it_was_afterwards() -> None:
    """What was frozen is let go, also when a candidate fails."""

    def fail() -> float:
        assert gc.get_freeze_count() > 0
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        medians([Candidate("a", fail)], 1)
    assert gc.get_freeze_count() == 0
    with settled():
        assert gc.isenabled()


def test_as_often_as_it_takes() -> None:
    """Small flows are played until as many events were seen."""
    assert [times_to_reach(100, each) for each in (10, 30, 100, 1_000)] == [10, 4, 1, 1]


# --- rows ---


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [(1.0, "stretch met"), (2.0, "met"), (2.1, "missed"), (None, "not measured")],
)
def test_a_figure_is_held_against_its_goals(figure: float | None, verdict: str) -> None:
    """Less is better, mostly; a bound itself is still within."""
    assert row(figure, goal=2.0, stretch=1.0).verdict == verdict


@pytest.mark.parametrize(("figure", "verdict"), [(1.0, "missed"), (2.0, "met"), (9, "stretch met")])
def test_more_may_be_better(figure: float, verdict: str) -> None:
    """Entries a second have lower bounds."""
    assert row(figure, goal=2.0, stretch=9.0, more_is_better=True).verdict == verdict


def test_a_figure_without_a_goal_only_informs() -> None:
    """There is nothing to meet or to miss."""
    assert row(1.0).verdict == ""


def test_a_row_as_text() -> None:
    """Figures and bounds have three digits that count, and the signs say which way."""
    cells = row(1234.5, goal=2, stretch=0.5).cells
    assert cells == ("what", "1,234 µs", "≤ 2", "≤ 0.5", "✗ missed", "")
    assert row(None, goal=3.0, more_is_better=True, note="why").cells[1:4] == ("-", "≥ 3", "")


def test_rows_as_tables_of_a_document() -> None:
    """Each part has its table, below what it was measured on."""
    other = evolve(row(2.0), part="other")
    text = markdown([row(1.0), row(3.0), other])
    assert text.startswith(f"Measured on CPython {sys.version.split()[0]}, ")
    assert text.count("| figure |") == 2
    assert "| what | 1 µs |  |  |  |  |\n| what | 3 µs |" in text


# --- commands ---


def part_of(*rows: Row) -> Part:
    """A part that finds these rows."""

    def measure(_: Scale) -> Iterator[Row]:
        yield from rows

    return Part("part", "about", measure)


def options(**given: Any) -> Namespace:
    """The options of a run, the usual ones but for what is given."""
    return Namespace(**{"scale": "tiny", "rounds": None, "json": None, "markdown": None, **given})


def test_a_missed_goal_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 1 and is listed; what was not measured is listed too."""
    rows = row(3.0, goal=2.0), row(None, goal=2.0, note="no luck")
    assert report([part_of(*rows)], options()) == 1
    told = capsys.readouterr().out
    assert "\n1 missed:\n  part: what\n" in told
    assert "\n1 not measured:\n  part: what\n" in told


def test_a_missed_stretch_is_none() -> None:
    """What a figure should rather be is no goal."""
    assert report([part_of(row(3.0, goal=4.0, stretch=2.0))], options()) == 0


def test_rows_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """They are printed alone, or written beside the tables."""
    found = row(1.0, goal=2.0)
    report([part_of(found)], options(json="-"))
    assert json.loads(capsys.readouterr().out) == [as_json(found)]
    report([part_of(found)], options(json=str(tmp_path / "rows.json")))
    assert json.loads((tmp_path / "rows.json").read_text()) == [as_json(found)]
    assert "≤ 2" in capsys.readouterr().out


def test_what_was_not_measured_is_told_where_only_data_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A gap in the data does not pass in silence."""
    report([part_of(row(None, note="it is not installed"))], options(json="-"))
    assert capsys.readouterr().err == "not measured: part: what it is not installed\n"


def test_tables_are_put_between_their_marks(tmp_path: Path) -> None:
    """What stands around them stays; a document without marks is refused."""
    file = tmp_path / "doc.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    report([part_of(row(1.0))], options(markdown=str(file)))
    text = file.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\nMeasured on ")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "old" not in text
    file.write_text("no marks")
    with pytest.raises(SystemExit, match="has no"):
        report([part_of(row(1.0))], options(markdown=str(file)))


def test_rounds_can_be_chosen() -> None:
    """The scale that a part gets has them."""
    seen = list[Scale]()

    def measure(scale: Scale) -> Iterator[Row]:
        seen.append(scale)
        yield row(1.0)

    report([Part("part", "about", measure)], options(rounds=9))
    assert seen == [evolve(TINY, rounds=9)]


def test_parts_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Only they are run, and a name that is none is refused."""
    assert main(["sweeps", "--tiny", "--json"]) in (0, 1)
    assert {found["part"] for found in json.loads(capsys.readouterr().out)} == {"sweeps"}
    with pytest.raises(SystemExit) as refused:
        main(["speed"])
    assert refused.value.code == 2
    assert "there is no part 'speed'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["memory", "sweeps"])
def test_a_part_runs_alone(name: str) -> None:
    """Each part is a command."""
    done = benchmarks("--tiny", "--json", module=f"benchmarks.{name}")
    assert {found["part"] for found in json.loads(done.stdout)} == {name}


# --- instructions ---


@pytest.mark.parametrize("path", counted.PATHS)
def test_a_hot_path_is_played(path: str) -> None:
    """Every path does so many events."""
    counted.PATHS[path](3)


def test_instructions_are_counted() -> None:
    """A whole process takes millions of them."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed: no instructions are counted")
    assert instructions.counted("reduce, sequential", 1) > 1_000_000


def test_without_valgrind_there_is_a_message() -> None:
    """Nothing is counted, and it says so."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.instructions"],
        cwd=ROOT, env={**os.environ, "PATH": ""},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "valgrind is not installed: instructions cannot be counted\n"


def test_two_checkouts_are_compared(tmp_path: Path) -> None:
    """A row is told beside that of the same name."""
    before = tmp_path / "before.json"
    before.write_text(json.dumps([as_json(row(2_000.0))]))
    rows = [row(1_000.0), evolve(row(5.0), what="another")]
    assert [found.note for found in instructions.beside(rows, before)] == [
        "0.500 times 2,000",
        "new",
    ]
