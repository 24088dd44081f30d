"""`conductor diff` tells how two logs differ, or what two flow files allow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve
from click.testing import CliRunner, Result

from conductor_adapters.cli.main import conductor
from conductor_core import events
from conductor_core.log import replay
from conductor_core.testing.brief import START, failed, flow, group, succeeded
from tests.debugger.recordings import RELEASE, log_of, put_samples
from tests.debugger.test_what_if import PLANNED, approved

BARE: Final = "groups: [{key: g, steps: [{key: plan}, {key: apply, needs: [plan]}]}]\n"
ASKED: Final = BARE.replace("{key: plan}", "{key: plan, approval: true}")
QUICK: Final = ("--processes", "1", "--reruns", "0", "--without", "pauses,starts")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three logs and two flow files."""
    monkeypatch.chdir(tmp_path)
    planned = (START, succeeded("plan#1", output={"n": 1}))
    ran = (*planned, approved("plan", by="ana"), succeeded("apply#1", at_ms=5_000))
    Path("ran.jsonl").write_text(log_of(PLANNED, ran))
    Path("again.jsonl").write_text(log_of(PLANNED, (*ran[:-1], evolve(ran[-1], at_ms=9_000))))
    Path("denied.jsonl").write_text(
        log_of(PLANNED, (*planned, approved("plan", response="deny", by="ana")))
    )
    Path("bare.yaml").write_text(BARE)
    Path("asked.yaml").write_text(ASKED)
    return tmp_path


def run(*arguments: str, exit_code: int = 1) -> Result:
    """Run the command, which must end in this way."""
    result = CliRunner().invoke(conductor, ["diff", *arguments])
    assert result.exit_code == exit_code, result.output + result.stderr
    return result


def read(*arguments: str, exit_code: int = 1) -> Any:
    """What it writes for programs."""
    return json.loads(run(*arguments, "--json", exit_code=exit_code).stdout)


# --- logs ---


def test_what_is_the_same_is_the_same() -> None:
    """Exit code 0, whatever the times; they are told when asked for."""
    assert run("ran.jsonl", "again.jsonl", exit_code=0).stdout.endswith(
        "same: 4 events, 2 attempts alike\n"
    )
    told = run("ran.jsonl", "again.jsonl", "--times", exit_code=0).stdout
    assert told.endswith("work that took another time\n  apply#1: 5 s -> 9 s\n")
    told = run("ran.jsonl", "ran.jsonl", "--times", exit_code=0).stdout
    assert told.endswith("all work took the same time\n")
    (times,) = read("ran.jsonl", "again.jsonl", "--times", exit_code=0)["times"]
    assert times == {"attempt": "apply#1", "a_ms": 5_000, "b_ms": 9_000}


def test_everything_that_differs_is_told() -> None:
    """Where they part, with the flow around it; each attempt; the end."""
    assert run("ran.jsonl", "denied.jsonl").stdout == (
        """\
A: ran.jsonl, flow flow-1 (flow), 4 entries
B: denied.jsonl, flow flow-1 (flow), 3 entries
they part after 2 events in common
  A 3: ana approves plan -> dispatch apply#1
  B 3: ana denies plan -> flow error
    response: "approve" -> "deny"
  before that: approval-awaiting, group g (1 of 1): plan#1 approval-awaiting
  then, in A: in-progress, group g (1 of 1): plan#1 success, apply#1 queued
  then, in B: error, group g (1 of 1): plan#1 approval-denied, apply#1 discarded
attempts: 2 attempts of both that differ, 0 attempts alike
"""
        '  plan#1: status: "success" -> "approval-denied"; reason: null -> "denied"; '
        'directive: "continue" -> "stop"; approved_by[0]: "ana" -> nothing; '
        'answers[0]: nothing -> {"by":"ana","response":"deny"}\n'
        '  apply#1: status: "success" -> "discarded"; reason: null -> "swept"; '
        'directive: "continue" -> null\n'
        """\
in the end
  A: success
  B: error, denied at plan#1: Approval denied
    plan#1: success -> approval-denied
    apply#1: success -> discarded
    0 steps the same
"""
    )


def test_programs_are_told_all_of_it() -> None:
    """The same as JSON."""
    told = read("ran.jsonl", "denied.jsonl")
    assert told["same"] is False
    assert told["parting"]["a"]["seq"] == told["parting"]["b"]["seq"] == 3
    assert told["parting"]["places"] == [{"place": "response", "a": "approve", "b": "deny"}]
    assert [it["attempt"] for it in told["attempts"]] == ["plan#1", "apply#1"]
    assert told["attempts"][0]["differs"][3] == {"place": "approved_by[0]", "a": "ana"}
    assert told["ends"]["a"]["status"] == "success"
    assert told["ends"]["steps"][0]["b"] == {"attempt": "plan#1", "status": "approval-denied"}
    assert "times" not in told


def test_what_only_one_log_has_is_told() -> None:
    """Attempts, and the end of the one that has nothing more."""
    rerun = events.RerunRequested(at_ms=0, by="bo", flow_id="flow-1", step_id="apply")
    ran = (START, succeeded("plan#1"), approved("plan"), failed("apply#1"), rerun)
    Path("rerun.jsonl").write_text(log_of(PLANNED, ran))
    Path("failed.jsonl").write_text(log_of(PLANNED, ran[:-1]))
    told = run("rerun.jsonl", "failed.jsonl").stdout
    assert "\n  A 5: bo asks to retry-step apply -> dispatch apply#2\n" in told
    assert "\n  B has nothing more\n" in told
    assert "\nonly in A: 1 attempt\n  apply#2: queued\n" in told
    assert read("failed.jsonl", "rerun.jsonl")["parting"]["a"] is None


def test_what_is_ignored_makes_no_difference() -> None:
    """Who approved, say; a word that is no field is refused."""
    log = Path("ran.jsonl").read_text()
    Path("bo.jsonl").write_text(log_of(PLANNED, _with_bo()))
    assert log != Path("bo.jsonl").read_text()
    told = run("ran.jsonl", "bo.jsonl").stdout
    assert "\nthey never part: the same 4 events came in the same order\n" in told
    assert '\n  plan#1: approved_by[0]: "ana" -> "bo"\n' in told
    run("ran.jsonl", "bo.jsonl", "--ignore", "approved_by", exit_code=0)
    run("ran.jsonl", "bo.jsonl", "--ignore", "status", exit_code=2)


def _with_bo() -> tuple[events.Event, ...]:
    planned = (START, succeeded("plan#1", output={"n": 1}))
    return (*planned, approved("plan", by="bo"), succeeded("apply#1", at_ms=5_000))


def test_a_large_log_is_told_in_brief() -> None:
    """Against itself it is the same; of what a part of it lacks the first are named."""
    put_samples(Path())
    made = Path("large.jsonl").read_bytes()
    Path("short.jsonl").write_bytes(b"".join(made.splitlines(keepends=True)[:415]))
    told = run("large.jsonl", "large.jsonl", exit_code=0).stdout
    assert told.count("\n") == 3
    told = run("large.jsonl", "short.jsonl").stdout
    assert told.count("\n") < 80
    assert "\n  and " in told


# --- flow files ---


def test_what_flows_allow_is_told_with_witnesses(tmp_path: Path) -> None:
    """Each story is a log that replays, named after what it shows."""
    told = run("bare.yaml", "asked.yaml", *QUICK, "--witnesses", "w").stdout
    assert "\n  groups[g].steps[plan].approval: none -> true\n" in told
    assert "\nnewly reachable: " in told
    assert (
        "\n  the flow ends in error, denied\n"
        "    flow started; plan#1 succeeded; operator-1 denies plan\n"
        "    log: w/only-in-b-the-flow-ends-in-error-denied.jsonl\n" in told
    )
    logs = sorted((tmp_path / "w").iterdir())
    assert len(logs) == told.count("    log: ")
    for log in logs:
        assert replay(log.read_bytes().splitlines(keepends=True)).entries > 0


def test_witnesses_replace_nothing_unless_it_is_said(tmp_path: Path) -> None:
    """A folder that has something in it is refused before the search."""
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "mine.txt").write_text("mine")
    refused = run("bare.yaml", "asked.yaml", "--witnesses", "w", exit_code=2)
    assert refused.stderr == (
        "--witnesses: w is not empty (it has mine.txt); --replace writes over files\n"
    )
    run("bare.yaml", "asked.yaml", *QUICK, "--witnesses", "w", "--replace")
    assert (tmp_path / "w" / "mine.txt").read_text() == "mine"
    refused = run("bare.yaml", "asked.yaml", "--witnesses", "bare.yaml", exit_code=2)
    assert refused.stderr.startswith("--witnesses: bare.yaml: ")


def test_what_is_declared_alike_allows_the_same() -> None:
    """Exit code 0, and the bounds are told."""
    told = run("bare.yaml", "bare.yaml", *QUICK, exit_code=0).stdout
    assert "\ndeclared alike\n" in told
    assert "\n  A: all of " in told
    assert "\nnothing differs within these bounds: " in told
    data = read("bare.yaml", "bare.yaml", *QUICK, exit_code=0)
    assert (data["same"], data["complete"], data["gone"], data["new"]) == (True, True, [], [])


def test_what_is_declared_otherwise_is_a_difference() -> None:
    """Though no fact differs: a step is gone, and another does other work."""
    steps = "[{key: a, work: list, input: {x: 1}}, {key: b}, {key: c, needs: [a]}]"
    Path("lists.yaml").write_text(f"groups: [{{key: g, steps: {steps}}}]")
    Path("removes.yaml").write_text("groups: [{key: g, steps: [{key: a, work: rm}, {key: c}]}]")
    told = run("lists.yaml", "removes.yaml", *QUICK).stdout
    assert '\n  groups[g].steps[b]: removed\n  groups[g].steps[a].work: "list" -> "rm"\n' in told
    assert "\ndiffer: 4 things declared, no fact does within these bounds: " in told
    data = read("lists.yaml", "removes.yaml", *QUICK)
    assert (data["same"], data["complete"], data["gone"], data["new"]) == (False, True, [], [])


def test_a_search_that_is_cut_excludes_nothing() -> None:
    """It is said what stopped it; nothing found is no proof that nothing differs."""
    told = run("bare.yaml", "bare.yaml", *QUICK, "--max-states", "3").stdout
    assert "\n  stopped by --max-states 3 of each search\n" in told
    assert "\nundecided: " in told
    assert "\nno difference was found: " in told
    for name, given in (("one.yaml", 1), ("two.yaml", 2)):
        Path(name).write_text(f"groups: [{{key: g, steps: [{{key: a, input: {given}}}]}}]")
    told = run("one.yaml", "two.yaml", *QUICK, "--max-states", "3").stdout
    assert "\ndiffer: 1 thing declared, no fact was found to, " in told
    told = run("bare.yaml", "asked.yaml", *QUICK, "--max-states", "4").stdout
    assert "reachable in B, and not found in A within the bounds: " in told
    assert "newly reachable" not in told
    data = read("bare.yaml", "asked.yaml", *QUICK, "--max-states", "4")
    assert (data["complete"], data["stopped_by"]) == (False, "max-states")
    assert {it["excluded"] for it in data["new"]} == {False}


def test_programs_are_told_every_story() -> None:
    """Events with their words, the steps of which it is true, where the log is."""
    data = read("bare.yaml", "asked.yaml", *QUICK, "--witnesses", "w")
    (denied,) = [it for it in data["new"] if it["fact"] == "the flow ends in error, denied"]
    assert [it["told"] for it in denied["story"]][-1] == "operator-1 denies plan -> flow error"
    assert denied["log"] == "w/only-in-b-the-flow-ends-in-error-denied.jsonl"
    assert data["within"]["alphabet"]["reruns"] == 0


def test_failures_in_another_order_name_another_end() -> None:
    """The logs never part, and it is not said that the order was the same."""
    spec = flow(group("g", "x", "y", parallel=True))
    Path("x.jsonl").write_text(log_of(spec, (START, failed("x#1"), failed("y#1"))))
    Path("y.jsonl").write_text(log_of(spec, (START, failed("y#1"), failed("x#1"))))
    told = run("x.jsonl", "y.jsonl").stdout
    assert "\n  parallel work came in another order once\n" in told
    assert (
        "\nthey never part: the same 3 events came in the same order, but for parallel work\n"
        in told
    )
    assert "  A: error, failed at x#1: " in told
    assert "  B: error, failed at y#1: " in told


# --- what is refused ---


def test_a_log_and_a_flow_file_cannot_be_compared() -> None:
    """It is said which is which."""
    told = "ran.jsonl is a log and bare.yaml a flow file: expected two logs or two flow files\n"
    assert run("ran.jsonl", "bare.yaml", exit_code=2).stderr == told
    assert run("bare.yaml", "ran.jsonl", exit_code=2).stderr == told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("bare.yaml", "asked.yaml", "--times"), "--times: it is about logs"),
        (("ran.jsonl", "ran.jsonl", "--max-states", "5"), "--max-states: it is about flow files"),
        (("ran.jsonl", "ran.jsonl", "--replace"), "--replace: it is about flow files"),
        (("ran.jsonl", "none.jsonl"), "none.jsonl: No such file or directory"),
        (("bare.yaml", "asked.yaml", "--answers", "perhaps"), "--answers: 'perhaps' is none of"),
    ],
)
def test_options_of_the_other_kind_are_refused(arguments: tuple[str, ...], told: str) -> None:
    """As is whatever cannot be read."""
    assert run(*arguments, exit_code=2).stderr.startswith(told)


def test_a_log_that_diverges_is_bad_input() -> None:
    """Exit code 1 is for logs that differ."""
    text = Path("denied.jsonl").read_text()
    Path("wrong.jsonl").write_text(text.replace('"deny"', '"approve"'))
    assert run("wrong.jsonl", "ran.jsonl", exit_code=2).stderr.startswith("wrong.jsonl: ")


def test_what_others_wrote_is_escaped() -> None:
    """A terminal gets no control characters."""
    nasty = (START, succeeded("plan#1", output={"x": "\x1b[31m"}))
    Path("nasty.jsonl").write_text(log_of(PLANNED, nasty))
    assert "\x1b" not in run("ran.jsonl", "nasty.jsonl").stdout


def test_the_release_is_like_itself() -> None:
    """A log of the project."""
    run(str(RELEASE), str(RELEASE), exit_code=0)
