"""`conductor what-if` tells what would have become of a flow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from conductor_adapters.cli.main import conductor
from conductor_core import events
from conductor_core.codec import decode_event
from conductor_core.spec import FlowSpec
from conductor_core.testing.brief import START, failed, flow, group, succeeded
from tests.cli.pseudo_terminal import screened
from tests.debugger.recordings import RELEASE, log_of
from tests.debugger.test_what_if import PLANNED, approved

DENY: Final = '{"type":"approval-responded","step":"plan","response":"deny","by":"bo"}'
APPROVE: Final = DENY.replace("deny", "approve")
RETRY: Final = '{"type":"rerun-requested","by":"bo","flow_id":"flow-1","step_id":"a"}'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a log of a plan that was denied."""
    monkeypatch.chdir(tmp_path)
    denied = (START, succeeded("plan#1"), approved("plan", response="deny"))
    Path("denied.jsonl").write_text(log_of(PLANNED, denied))
    return tmp_path


def run(*arguments: str, exit_code: int = 0) -> Result:
    """Run the command; nothing but an exit may come out of it."""
    result = CliRunner().invoke(conductor, ["what-if", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == exit_code, result.output
    return result


def as_json(*arguments: str, exit_code: int = 0) -> Any:
    """What it says as JSON."""
    return json.loads(run(*arguments, "--json", exit_code=exit_code).stdout)


INSTEAD: Final = ("denied.jsonl", "--at", "2", "--instead", "--event", APPROVE)


def test_it_stops_where_nobody_knows_how_it_goes_on() -> None:
    """Without a terminal and an option the unknown is told, with exit code 3."""
    told = run(*INSTEAD, exit_code=3).stdout
    assert told.endswith("it is not known\n  how the work of apply#1 ends (--assume-work)\n")


def test_what_is_assumed_is_told_and_the_branch_goes_on() -> None:
    """An assumption is marked, and the difference is told step by step."""
    assert run(*INSTEAD, "--assume-work", "failed").stdout.splitlines() == [
        "flow flow-1, from entry 2 on",
        "  not: ann denies plan -> flow error",
        "  but: bo approves plan -> dispatch apply#1",
        "  then 1 event: 1 assumed",
        "  assumed: apply#1 failed: Error: assumed to fail -> flow error",
        "recorded: error, denied at plan#1: Approval denied",
        "branch:   error, failed at apply#1: Step failed",
        "  plan#1: approval-denied -> success",
        "  apply#1: discarded -> error",
        "  0 steps as recorded",
    ]


def test_what_ends_as_recorded_says_so() -> None:
    """An event that changes nothing leaves nothing else to tell."""
    told = run(str(RELEASE), "--at", "2", "--event", '{"type":"flow-started"}').stdout
    assert "  but: flow started [ignored(already-started)]\n" in told
    assert told.endswith("it ends as recorded: success\n")


def test_people_are_told_what_of_theirs_does_not_count() -> None:
    """What is refused, had no occasion, or stands for another attempt is told."""
    log = Path("rerun.jsonl")
    again = decode_event({"at_ms": 0, **json.loads(RETRY)})
    story = (START, failed("a#1"), again, succeeded("a#2"))
    log.write_text(log_of(flow(group("g", "a")), story))
    end = '{"type":"step-finished","attempt":"a#1","outcome":"succeeded"}'
    told = run("rerun.jsonl", "--at", "1", "--instead", "--event", end).stdout
    assert "  refused now: bo asks to retry-step a [rejected(not-failed" in told
    told = run(str(RELEASE), "--at", "2", "--event", '{"type":"cancel-requested","by":"bo"}').stdout
    assert "  no occasion for: demo approves plan\n" in told
    data = as_json("rerun.jsonl", "--at", "1", "--instead", "--event", end)
    assert [it["seq"] for it in data["refused"]] == [3]


def test_the_branch_waits_for_a_person() -> None:
    """A branch that is paused, or waits for an answer, is exit code 3."""
    pause = '{"type":"pause-requested","by":"bo"}'
    assert as_json(str(RELEASE), "--at", "2", "--event", pause, exit_code=3)["branch"] == {
        "status": "paused",
        "outcome": None,
    }


def test_an_approval_is_assumed() -> None:
    """Who may approves, by assumption."""
    end = '{"type":"step-finished","attempt":"plan#1","outcome":"succeeded"}'
    Path("short.jsonl").write_text(log_of(PLANNED, (START,)))
    both = ("--assume-approval", "approve", "--assume-work", "succeeded")
    data = as_json("short.jsonl", "--at", "1", "--event", end, *both)
    assert data["branch"]["status"] == "success"
    assert [it["origin"] for it in data["events"]] == ["given", "assumed", "assumed"]


def test_the_time_of_an_event_is_that_of_its_place_unless_given() -> None:
    """An inserted event happens with the entry before it, one instead of another with that."""
    entries = [json.loads(line) for line in RELEASE.read_text().splitlines()[1:]]
    at = ("--at", "3", "--event", DENY)
    times = [
        as_json(str(RELEASE), *at, *more)["events"][0]["event"]["at_ms"]
        for more in ((), ("--instead",))
    ]
    assert times == [entries[2]["event"]["at_ms"], entries[3]["event"]["at_ms"]]
    given = DENY.replace("{", '{"at_ms":1795696736640,', 1)
    told = as_json(str(RELEASE), "--at", "3", "--event", given)["events"][0]["event"]
    assert told["at_ms"] == 1795696736640


def test_a_branch_is_written_once(folder: Path) -> None:
    """The log replays; a file that is there is replaced only if that is said, the log never."""
    run(*INSTEAD, "-o", "branch.jsonl", exit_code=3)
    replayed = CliRunner().invoke(conductor, ["replay", "branch.jsonl"])
    assert replayed.stdout == "replay: 3 entries verified; not closed, the flow is in-progress\n"
    refused = run(*INSTEAD, "-o", "branch.jsonl", exit_code=2)
    assert refused.stderr == "-o: branch.jsonl exists already; --replace writes over it\n"
    run(*INSTEAD, "-o", "branch.jsonl", "--replace", exit_code=3)
    before = Path("denied.jsonl").read_bytes()
    refused = run(*INSTEAD, "-o", "denied.jsonl", "--replace", exit_code=2)
    assert refused.stderr == "-o: denied.jsonl is what is read, expected another file\n"
    assert Path("denied.jsonl").read_bytes() == before
    refused = run(*INSTEAD, "-o", str(folder), exit_code=2)
    assert refused.stderr.endswith("is a folder, expected a file\n")
    refused = run(*INSTEAD, "-o", "no/where.jsonl", exit_code=2)
    assert refused.stderr == "-o: no is no folder to write to\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "--event 1: not JSON: "),
        ("[]", "--event 1: expected a mapping, got []"),
        ("{}", "--event 1: type: missing, expected one of flow-started, "),
        ('{"type":"dance"}', "--event 1: type: unknown event 'dance'"),
        ('{"type":"step-finished","attempt":"a#1"}', "--event 1: missing key 'outcome' (in "),
    ],
)
def test_an_event_that_is_none_is_refused(text: str, problem: str) -> None:
    """The error says which event, where in it, and shows it."""
    assert run("denied.jsonl", "--at", "2", "--event", text, exit_code=2).stderr.startswith(problem)


def test_a_log_that_cannot_be_used_is_refused() -> None:
    """One that is not there, one without that entry, and one that says what is not true."""
    event = ("--event", DENY)
    gone = run("gone.jsonl", "--at", "0", *event, exit_code=2)
    assert gone.stderr == "gone.jsonl: No such file or directory\n"
    beyond = run("denied.jsonl", "--at", "9", *event, exit_code=2)
    assert beyond.stderr == "--at: denied.jsonl has 3 entries, and no entry 9\n"
    text = Path("denied.jsonl").read_text()
    Path("cut.jsonl").write_text(text[:-20])
    assert run("cut.jsonl", "--at", "1", *event, exit_code=3).stderr.startswith(
        "cut.jsonl: warning: "
    )
    Path("broken.jsonl").write_text(text.replace("plan#1", "plan#2"))
    run("broken.jsonl", "--at", "0", *event, exit_code=2)


@pytest.mark.parametrize(
    ("typed", "exit_code", "status"),
    [("\n", 0, "success"), ("perhaps\nfailed\n", 0, "error"), ("stop\n", 3, "in-progress")],
)
def test_whoever_sits_at_a_terminal_is_asked(typed: str, exit_code: int, status: str) -> None:
    """The question is asked with its choices, until it is answered; `stop` leaves it open."""
    done = screened("what-if", *INSTEAD, term="xterm", typed=typed)
    question = "the log does not know of apply#1: how does its work end"
    choices = "(succeeded, failed, cancelled, stop) [succeeded]: "
    assert done.written.count(f"{question} {choices}") == typed.count("\n")
    assert ("is not one of" in done.written) == ("perhaps" in typed)
    assert (done.code, f"branch:   {status}" in done.answer) == (exit_code, True)


def test_groups_that_nobody_knows_are_not_asked_for() -> None:
    """Nobody types groups at a prompt: they are told as unknown, and steps of one side as such."""
    spec = FlowSpec()
    generated = events.GroupsGenerated(at_ms=0, groups=(group("g", "a"),))
    Path("made.jsonl").write_text(log_of(spec, (START, generated, succeeded("a#1"))))
    start = '{"type":"groups-generated","groups":[{"key":"h","steps":[{"key":"b"}]}]}'
    told = run("made.jsonl", "--at", "1", "--instead", "--event", start, exit_code=3).stdout
    assert "  a#1: success, and no such step in the branch\n" in told
    assert "  b#1: queued, and no such step was recorded\n" in told
    resume = '{"type":"resume-requested","by":"bo"}'
    told = run("made.jsonl", "--at", "1", "--instead", "--event", resume, exit_code=3).stdout
    assert told.endswith("  which groups are generated in run 1\n")
    data = as_json("made.jsonl", "--at", "1", "--instead", "--event", start, exit_code=3)
    assert data["steps"][0]["branch"] is None
