"""`conductor check` looks at every state of a flow, and says so by its words and exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from conductor_adapters.cli.check_progress import MIB, memory_now
from conductor_adapters.cli.main import conductor
from conductor_adapters.cli.new_files import DATABASE
from conductor_core import initial_state
from conductor_core.checking import THEOREMS, check
from conductor_core.checking.defaults import default_alphabet
from conductor_core.log import LogWriter
from conductor_core.loglines import SEMANTICS
from conductor_core.version import VERSION
from tests.checking.flows import DEPLOY, components
from tests.cli.pseudo_terminal import CODE, screened

FLOW: Final = """
flow: deploy
groups:
  - key: network
    steps:
      - {key: plan, run: ./plan, approval: {required: 1}}
      - {key: apply, run: ./apply, needs: [plan]}
"""
ENDLESS: Final = "\n".join(
    ["flow: endless", "groups:"]
    + [
        f"  - {{key: g{n}, parallel: true, steps: [{{key: a{n}, run: x, approval: true}},"
        f" {{key: b{n}, run: x, approval: {{required: 2}}, timeout_ms: 9}},"
        f" {{key: c{n}, run: y, approval: {{required: 2}}}}, {{key: d{n}, run: z}}]}}"
        for n in range(9)
    ]
)
"""A flow of more states than anybody waits for."""
CHECKS: Final = """
format: conductor-checks/1
alphabet:
  endings: [ok, fail]
claims:
  - name: nothing is applied unseen
    never: {step: apply, status: success, before: {not: {step: plan, status: pending}}}
  - never: {step: apply, status: error}
"""
RULES: Final = '''
"""Claims about a deploy."""

from pathlib import Path

from conductor_core.checking import eventually, leads_to, never, sometimes


def status(state, key):
    return state.live[state.catalog.position_of(key)].status.value


runs = never("apply ever runs", lambda state: status(state, "apply") == "queued", about=("apply",))
ends = eventually("it ends", lambda state: state.outcome is not None, about=())
succeeds = eventually("it succeeds", lambda state: state.status == "success", about=())
skips = sometimes("a person skips apply", lambda s: status(s, "apply") == "user-skipped",
                  about=("apply",))
expires = sometimes("a plan expires", lambda s: status(s, "plan") == "approval-expired",
                    about=("plan",))
both = [ends, expires]
typo = never("a typo", lambda state: False, about=("applx",))
taken = never("the gate", lambda state: False)
hostile = never("../\\x1b[31m\\u202e", lambda state: state.started, about=())
other = never("..-31m", lambda state: state.started, about=())
number = 7


def quiet(before, event, after):
    """Nothing is ever refused."""
    return str(after.verdict) == "accepted"


def applied(state):
    return status(state, "apply") != "success"


def wrong(state):
    return status(state, "applx")


def touches(state):
    Path("looked").touch()
    return True


touches_all = never("nothing", lambda state: not touches(state), about=())
'''


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a flow and claims."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "rules.py").write_text(RULES, encoding="utf-8")
    yield tmp_path
    sys.modules.pop("rules", None)


def run(*arguments: str) -> Result:
    """Run the command; nothing but an exit may come out of it."""
    result = CliRunner().invoke(conductor, ["check", "--processes", "1", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def claiming(*names: str) -> list[str]:
    """The options for claims of the module."""
    return [text for name in names for text in ("--property", f"rules.py:{name}")]


def line_of(start: str) -> int:
    """The line of the module that begins so."""
    return next(n for n, line in enumerate(RULES.splitlines(), 1) if line.startswith(start))


def started(*arguments: str, stderr: int = subprocess.PIPE, **env: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", CODE, "check", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True,
        env={**os.environ, **env},
    )  # fmt: skip


# --- what holds ---


def test_a_flow_is_told_with_its_bounds_and_all_that_holds() -> None:
    """What may happen comes first, then how much was looked at, then the verdicts."""
    result = run("flow.yaml")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "flow deploy: 1 group, 2 steps"
    assert "  people pause and resume: any number of times" in lines
    assert "  at most 1,000,000 states looked at" in lines
    assert any(
        re.fullmatch(
            r"\d+ states and \d+ transitions, every one within these bounds; \d+\.\d s, [\d,]+ MiB",
            line,
        )
        for line in lines
    )
    assert [f"  holds     {theorem.name}" in lines for theorem in THEOREMS] == [True] * len(
        THEOREMS
    )
    assert "  success" in lines
    assert lines[-1] == f"flow.yaml: all {len(THEOREMS)} hold within these bounds"
    assert "proved" not in result.stdout


def test_little_is_told_unless_more_is_asked_for() -> None:
    """A flow that holds fits a screen; `-v` has every line of the alphabet and what claims say."""
    brief, detailed = run("flow.yaml").stdout, run("flow.yaml", "-v").stdout
    assert len(brief.splitlines()) <= 33
    for name, told in default_alphabet(DEPLOY).told(DEPLOY):
        assert name in " ".join(brief.split())
        assert f"  {name}: {told}\n" in detailed
    said = " ".join(detailed.split())
    assert all(theorem.statement in said for theorem in THEOREMS)
    assert "sha256:" in detailed
    assert "reductions: times, names, " in detailed


def test_quiet_tells_only_what_does_not_hold() -> None:
    """Nothing at all when all holds; else the counterexample and the conclusion."""
    silent = run("flow.yaml", "-q")
    assert (silent.output, silent.exit_code) == ("", 0)
    told = run("flow.yaml", "-q", *claiming("runs")).stdout
    assert told.startswith("VIOLATED apply ever runs (rules.py:")
    assert told.endswith(
        f": 1 violated, of {len(THEOREMS) + 1} asked"
        " within the bounds that are told without --quiet\n"
    )


def test_a_theorem_that_says_nothing_of_a_flow_says_so(folder: Path) -> None:
    """Without approvals nothing can pass the gate, and without denies none can be undone."""
    (folder / "bare.yaml").write_text("groups: [{key: g, steps: [{key: a, run: x}]}]")
    told = run("bare.yaml").stdout
    assert "  holds     the gate (nothing waits for an approval)\n" in told
    assert "  holds     deny is final (nothing waits for an approval)\n" in told
    assert "approvals are answered" not in told
    assert "groups that are generated" not in told
    assert "generation fails" not in told
    told = run("flow.yaml", "--answers", "approve").stdout
    assert "  holds     deny is final (nobody denies)\n" in told
    assert "  holds     the gate\n" in told


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("{key: plan, run: x, approval: true}, {key: apply, run: x, needs: [plan]}", None),
        (
            "{key: build, run: x}, {key: plan, run: x, approval: true}, {key: apply, run: x}",
            "  the gate keeps: apply; not: build, plan",
        ),
        (
            "{key: plan, run: x, approval: true}"
            + "".join(f", {{key: s{n}, run: x, skipped: true}}" for n in range(6)),
            None,
        ),
    ],
)
def test_what_the_gate_does_not_keep_is_told(folder: Path, steps: str, told: str | None) -> None:
    """A step that nobody is asked about first, in a flow in which somebody is asked."""
    (folder / "flow.yaml").write_text(f"groups: [{{key: g, steps: [{steps}]}}]")
    lines = run("flow.yaml", "--reruns", "0").stdout.splitlines()
    assert [line for line in lines if "the gate keeps" in line] == ([told] if told else [])


def test_a_flow_that_never_succeeds_is_told_to() -> None:
    """How it may end is no matter of claims, yet nobody wants this one."""
    result = run("flow.yaml", "--endings", "fail", "--operations", "")
    assert result.exit_code == 0
    assert "\n  never in success\n" in result.stdout
    assert "\n  success\n" not in result.stdout


def test_groups_that_are_made_up_are_no_secret(folder: Path) -> None:
    """A flow that generates its groups is checked with some, until its own are given."""
    (folder / "generates.yaml").write_text("groups: []")
    made_up = "  the groups of this flow are generated: these are made up (--generated FILE)\n"
    assert made_up in run("generates.yaml", "--reruns", "0").stdout
    for option in ("-q", "--json"):
        assert run("generates.yaml", "--reruns", "0", option).stderr == (
            f"generates.yaml: {made_up.lstrip()}"
        )
    given = run("generates.yaml", "--reruns", "0", "--generated", "flow.yaml").stdout
    assert "  groups that are generated: network\n" in given
    assert made_up not in given


# --- what is claimed ---


def test_a_violated_claim_is_told_with_the_shortest_way_to_it() -> None:
    """Its name, what it says, where it was written, and every event with what came of it."""
    result = run("flow.yaml", *claiming("runs"))
    assert result.exit_code == 1
    told = result.stdout[result.stdout.index("\nVIOLATED") + 1 :].splitlines()
    line = line_of("runs = ")
    assert told == [
        f"VIOLATED apply ever runs (rules.py:{line})",
        "  never: apply ever runs",
        "  it takes 3 events, and no fewer will do:",
        "  1. flow started -> dispatch plan#1",
        "  2. plan#1 succeeded -> ask for approval of plan#1 (what plan#1 planned)",
        "  3. operator-1 approves plan -> dispatch apply#1",
        "  then the flow is in-progress; plan#1 success, apply#1 queued",
        "  --counterexamples DIR writes this as a log and as a scenario",
        f"flow.yaml: 1 violated, of {len(THEOREMS) + 1} asked within these bounds",
    ]
    assert f"  VIOLATED  apply ever runs (rules.py:{line})\n" in result.stdout


def test_a_claim_about_the_end_says_why_it_never_comes(folder: Path) -> None:
    """A run stays away from the goal because nobody has to act, or because it is over."""
    waits = run("flow.yaml", *claiming("ends"))
    assert "\n  there it stays until somebody acts, and nobody has to\n" in waits.stdout
    (folder / "flow.yaml").write_text("groups: [{key: g, steps: [{key: a, run: x}]}]")
    over = run("flow.yaml", *claiming("succeeds"))
    assert (waits.exit_code, over.exit_code) == (1, 1)
    assert "\n  there it ends, without having come to what was claimed\n" in over.stdout


def test_something_that_is_never_met_is_no_success() -> None:
    """A claim of the kind `sometimes` is met or not, and the exit code says which."""
    assert run("flow.yaml", *claiming("skips")).exit_code == 0
    result = run("flow.yaml", *claiming("skips", "expires"))
    assert result.exit_code == 1
    assert "  met       a person skips apply (" in result.stdout
    assert "  NEVER MET a plan expires (" in result.stdout
    assert result.stdout.endswith(
        f": 1 never met, of {len(THEOREMS) + 2} asked within these bounds\n"
    )


def test_a_list_is_as_good_as_its_claims() -> None:
    """A name may stand for several claims, each of which has its own line in the file."""
    told = run("flow.yaml", "--property", "rules:both", "--json").stdout
    assert {claim["name"]: claim["where"] for claim in json.loads(told)["claims"][-2:]} == {
        "it ends": f"rules.py:{line_of('ends = ')}",
        "a plan expires": f"rules.py:{line_of('expires = ')}",
    }


def test_a_plain_predicate_is_to_hold_always() -> None:
    """A function of a state or of a transition, which may look anywhere."""
    result = run("flow.yaml", *claiming("applied", "quiet"))
    assert "  VIOLATED  applied (" in result.stdout
    assert "\n  always: Nothing is ever refused.\n" in result.stdout
    assert "few states were taken as one: applied, quiet may look anywhere" in result.stdout
    assert "operator-1 approves plan, but means another subject [rejected(subject-mismatch)" in (
        result.stdout
    )


def test_claims_may_stand_in_a_file(folder: Path) -> None:
    """A checks file says what may happen and what is claimed; options override the first."""
    (folder / "checks.yaml").write_text(CHECKS)
    result = run("flow.yaml", "--checks", "checks.yaml")
    assert result.exit_code == 1
    assert "  work ends: ok; fail\n" in result.stdout
    assert "  holds     nothing is applied unseen (checks.yaml:6)\n" in result.stdout
    assert "  VIOLATED  never: apply is error (checks.yaml:8)\n" in result.stdout
    assert "  3. operator-1 approves plan -> dispatch apply#1\n" in result.stdout
    milder = run("flow.yaml", "--checks", "checks.yaml", "--endings", "ok")
    assert (milder.exit_code, "  work ends: ok\n" in milder.stdout) == (0, True)


def test_a_mistake_in_a_checks_file_is_told_with_its_place(folder: Path) -> None:
    """File, line, path and value; of several mistakes, each."""
    (folder / "checks.yaml").write_text(CHECKS.replace("apply", "applx").replace("fail]", "failx]"))
    result = run("flow.yaml", "--checks", "checks.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    first, second, third = result.stderr.splitlines()
    assert first.startswith("checks.yaml:4: alphabet.endings[1]: unknown ending 'failx' (perhaps")
    assert second.startswith("checks.yaml:7: claims[0].never.step: unknown step 'applx' (perhaps")
    assert third.startswith("checks.yaml:8: claims[1].never.step: unknown step 'applx' (perhaps")


def test_all_that_can_happen_is_a_flag_away() -> None:
    """`--full` begins with every ending and everything that people and hosts may send."""
    lean = ("--without", "strays,pauses,silent", "--reruns", "0", "--replans", "0")
    result = run("flow.yaml", "--full", *lean, "--endings", "ok,fail", "--suggestions", "0")
    assert result.exit_code == 0
    assert "  approval option becomes: prompt; approve-all\n" in result.stdout
    assert "  people cancel: the flow, its groups and its steps\n" in result.stdout


def test_what_a_predicate_raises_is_told_with_its_line_and_what_led_there(folder: Path) -> None:
    """It is an error of whoever wrote it, and no verdict."""
    result = run("flow.yaml", *claiming("wrong"))
    line = line_of("    return state.live[")
    assert (result.exit_code, result.stdout) == (2, "")
    first, *way = result.stderr.splitlines()
    assert first.startswith(f"rules.py:{line}: 'wrong' raised TypeError: ")
    assert way == ["  it was asked before anything had happened"]
    (folder / "late.py").write_text(
        "def late(state):\n    assert not state.paused\n    return True"
    )
    result = run("flow.yaml", "--property", "late.py:late")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "late.py:2: 'late' raised AssertionError",
        "  it was asked after these events:",
        "  1. flow started -> dispatch plan#1",
        "  2. operator pauses the flow",
    ]
    result = run("flow.yaml", "--property", "late.py:late", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["file"], told["claim"]) == (2, "flow.yaml", "late")
    assert told["error"] == "late.py:2: 'late' raised AssertionError"
    assert [step["event"]["type"] for step in told["story"]] == ["flow-started", "pause-requested"]


def test_a_predicate_that_exits_is_told(folder: Path) -> None:
    """It ends neither the command nor one of its processes."""
    (folder / "quits.py").write_text("def quits(state):\n    raise SystemExit(0)\n")
    result = run("flow.yaml", "--property", "quits.py:quits")
    assert result.exit_code == 2
    assert result.stderr.startswith("quits.py:2: 'quits' raised SystemExit: 0\n")


def test_a_predicate_that_returns_nothing_is_told_with_its_place(folder: Path) -> None:
    """What forgets to answer must not hold."""
    (folder / "mute.py").write_text("def mute(state):\n    state.paused")
    result = run("flow.yaml", "--property", "mute.py:mute")
    assert result.exit_code == 2
    assert result.stderr.startswith("mute.py:1: 'mute' returned None, expected True or False\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import sys; sys.exit()", "SystemExit"),
    ],
)
def test_a_module_that_gives_up_is_told(folder: Path, text: str, problem: str) -> None:
    """It must not end the command with a code of its own."""
    (folder / "quits.py").write_text(text)
    result = run("flow.yaml", "--property", "quits.py:x")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"--property quits.py:x: {problem}\n"


def test_what_a_module_prints_is_no_result(folder: Path) -> None:
    """It goes to the standard error, also from within a predicate and from other processes."""
    (folder / "talks.py").write_text(
        "print('imported')\ndef talks(state):\n    print('asked')\n    return True\n"
    )
    process = started("flow.yaml", "--property", "talks.py:talks", "--json", "--processes", "2")
    stdout, stderr = process.communicate(timeout=50)
    assert json.loads(stdout)["good"] is True
    assert stderr.startswith("imported\nasked\n")


def test_a_file_of_claims_may_be_called_like_any_module(folder: Path) -> None:
    """It stands in the way of nobody who imports that module."""
    (folder / "json.py").write_text(RULES, encoding="utf-8")
    result = run("flow.yaml", "--property", "json.py:ends", "--json")
    assert [claim["name"] for claim in json.loads(result.stdout)["claims"]][-1] == "it ends"
    assert sys.modules["json"] is json


def test_a_checks_file_without_claims_is_no_secret(folder: Path) -> None:
    """It may say what may happen and nothing else, which is told."""
    (folder / "checks.yaml").write_text("format: conductor-checks/1\nclaims: []\n")
    result = run("flow.yaml", "--checks", "checks.yaml", "-q")
    assert (result.exit_code, result.output) == (0, "no claims in checks.yaml\n")


def test_the_gate_may_demand_a_subject() -> None:
    """An approval that names no subject counts, unless it is demanded."""
    assert run("flow.yaml", "--with", "silent").exit_code == 0
    result = run("flow.yaml", "--with", "silent", "--demand-subject")
    assert result.exit_code == 1
    assert "VIOLATED the gate (a built-in theorem)\n" in result.stdout
    assert "  3. operator-1 approves plan, without naming a subject -> dispatch apply#1\n" in (
        result.stdout
    )


# --- how far it looks ---


def test_a_bound_that_is_reached_leaves_all_undecided(folder: Path) -> None:
    """Nothing is said to hold of a search that left states out, and the bound is named."""
    (folder / "flow.yaml").write_text(ENDLESS)
    result = run("flow.yaml", "--max-states", "200")
    assert result.exit_code == 1
    assert " not every one within these bounds; " in result.stdout
    assert "  UNDECIDED no dead end\n" in result.stdout
    assert "  holds" not in result.stdout
    assert "how the flow may end, as far as was looked\n" in result.stdout
    assert result.stdout.splitlines()[-2:] == [
        "undecided, because there are more than 200 states (--max-states)",
        f"flow.yaml: {len(THEOREMS)} undecided, of {len(THEOREMS)} asked within these bounds",
    ]


def test_memory_is_bounded_on_demand(folder: Path) -> None:
    """A search that takes more memory than it may gives up."""
    (folder / "flow.yaml").write_text(ENDLESS)
    most = memory_now() // MIB + 3
    result = run("flow.yaml", "--max-memory", str(most), "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["stopped_by"], told["good"]) == (1, "memory", False)
    assert told["memory_bytes"] > most * MIB
    most = memory_now() // MIB + 3
    result = run("flow.yaml", "--max-memory", str(most))
    assert f"  at most {most:,} MiB of memory taken\n" in result.stdout
    assert f"undecided, because the search took more than {most:,} MiB\n" in result.stdout


def test_a_bound_on_memory_that_cannot_be_kept_is_refused() -> None:
    """One that Python alone exceeds would stop every search at once."""
    result = run("flow.yaml", "--max-memory", "1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.fullmatch(
        r"--max-memory: 1 MiB are less than the [\d,]+ MiB that are taken "
        r"before the search begins\n",
        result.stderr,
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--endings", "ok, fail"], "work ends: ok; fail"),
        (
            ["--endings", "ok,ok:stop,fail:retry-group"],
            "work ends: ok; ok, stop; fail, retry-group",
        ),
        (["--answers", "approve"], "approvals are answered: approve"),
        (["--answers", ""], "left out: approvals are answered;"),
        (["--operations", "retry-step"], "people rerun what failed: retry-step, at most 1"),
        (["--reruns", "2", "--replans", "0"], "retry-step; skip-step; retry-group, at most 2"),
        (["--operations", "", "-v"], "people rerun what failed: none people"),
        (["--reruns", "0", "-v"], "people rerun what failed: no people"),
        (["--suggestions", "3"], "continue-as-new is suggested: at most 3"),
        (["--with", "starts"], "work reports its start: yes"),
        (["--with", "approve-all,retry-now"], "approval option becomes: approve-all"),
        (["--max-states", "5000"], "at most 5,000 states looked at"),
    ],
)
def test_what_may_happen_is_chosen_and_told(options: list[str], told: str) -> None:
    """Whatever is chosen stands in the result."""
    result = run("flow.yaml", *options)
    assert result.exit_code == 0, result.output
    assert told in " ".join(result.stdout.split())


def test_endings_may_be_added() -> None:
    """A list that begins with a plus keeps the others."""
    told = json.loads(run("flow.yaml", "--endings", "+ok:stop", "--json").stdout)
    ends = told["certificate"]["within"]["alphabet"]
    assert "ok, stop" in str(ends)
    assert "policy deny" in str(ends)


def test_what_never_happens_is_left_out() -> None:
    """Without cancels and pauses there are fewer states, and no cancelled flow."""
    result = run("flow.yaml", "--without", "cancels,pauses", "--without", "timers")
    assert result.exit_code == 0
    assert "left out: " in result.stdout
    assert "\n  cancelled\n" not in result.stdout
    more = json.loads(run("flow.yaml", "--json").stdout)
    less = json.loads(run("flow.yaml", "--without", "pauses", "--json").stdout)
    assert less["certificate"]["states"] < more["certificate"]["states"]


def test_groups_may_be_appended(folder: Path) -> None:
    """What people append comes from another flow file."""
    (folder / "late.yaml").write_text("groups: [{key: late, steps: [{key: z, run: z}]}]")
    result = run("flow.yaml", "--appended", "late.yaml", "--without", "pauses")
    assert result.exit_code == 0
    assert "  groups that are appended: late\n" in result.stdout


def test_reductions_can_be_switched_off() -> None:
    """More states, and the same verdicts."""
    all_, none = (
        json.loads(run("flow.yaml", "--reduce", how, "--json").stdout) for how in ("all", "none")
    )
    assert none["certificate"]["states"] > all_["certificate"]["states"]
    assert [c["found"] for c in none["claims"]] == [c["found"] for c in all_["claims"]]


def test_processes_change_nothing_but_the_time(folder: Path) -> None:
    """Two processes find what one finds, to the byte."""
    flow = {"groups": components_as_data()}
    (folder / "flow.json").write_text(json.dumps(flow))
    told = {}
    for count in ("1", "2"):
        assert run("flow.json", "--processes", count, "--certificate", count).exit_code == 0
        told[count] = Path(count).read_bytes()
    assert told["1"] == told["2"]


def components_as_data() -> list[object]:
    """Two components, one after another."""
    return [
        {
            "key": group.key,
            "steps": [
                {"key": step.key, "run": "x", "approval": True}
                if step.approval
                else {"key": step.key, "run": "x", "needs": list(step.needs)}
                for step in group.steps
            ],
        }
        for group in components(2).groups
    ]


# --- what is written ---


def test_a_certificate_names_flow_bounds_and_rules(folder: Path) -> None:
    """It is what the search found, with the release and its rules, in place of an older one."""
    (folder / "cert.json").write_text("an older one")
    assert run("flow.yaml", "--certificate", "cert.json").exit_code == 0
    data = json.loads((folder / "cert.json").read_text("utf-8"))
    found = check(DEPLOY, alphabet=default_alphabet(DEPLOY))
    assert (data["states"], data["transitions"]) == (found.states, found.transitions)
    assert (data["core"], data["semantics"]) == (VERSION, SEMANTICS)
    assert (data["complete"], data["flow"][:7]) == (True, "sha256:")
    assert [theorem["within_bounds"] for theorem in data["theorems"]] == ["holds"] * len(THEOREMS)
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == {
        "cert.json",
        "flow.yaml",
        "rules.py",
    }


def test_a_certificate_also_tells_what_does_not_hold(folder: Path) -> None:
    """An older certificate must not outlive the check that it failed."""
    assert run("flow.yaml", "--certificate", "cert.json", *claiming("runs")).exit_code == 1
    (claim,) = json.loads((folder / "cert.json").read_text("utf-8"))["claims"]
    assert claim["within_bounds"] == "violated"


def in_the_way(folder: Path) -> None:
    """Put things into a folder that no certificate may replace."""
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("flow.yaml")
    (folder / "to-pipe").symlink_to("pipe")
    (folder / "round").symlink_to("round")
    (folder / "flows.db").write_bytes(DATABASE)
    (folder / "nowhere").symlink_to("no/file")
    (folder / "checks.yaml").write_text(CHECKS)
    (folder / "late.yaml").write_text("groups: [{key: late, steps: [{key: z, run: z}]}]")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("flow.yaml", "flow.yaml is the flow that is checked, expected another file"),
        ("./flow.yaml", "flow.yaml is the flow that is checked, expected another file"),
        ("link", "link is the flow that is checked, expected another file"),
        ("checks.yaml", "checks.yaml is the checks file, expected another file"),
        ("late.yaml", "late.yaml is the flow of --appended, expected another file"),
        ("rules.py", "rules.py is the module of a claim, expected another file"),
        ("pipe", "pipe is no regular file, expected one or none"),
        ("to-pipe", "to-pipe is no regular file, expected one or none"),
        ("round", "round"),
        ("flows.db", "flows.db belongs to a SQLite file, expected another file"),
        ("-", "standard output is not offered, expected a file"),
    ],
)
def test_no_certificate_replaces_what_it_must_not(folder: Path, path: str, problem: str) -> None:
    """What is read, and what is no plain file, stays as it is, be it reached through a link."""
    in_the_way(folder)
    before = {file.name: file.lstat() for file in folder.iterdir()}
    options = ("--checks", "checks.yaml", "--appended", "late.yaml", *claiming("touches_all"))
    result = run("flow.yaml", *options, "--certificate", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"--certificate: {problem}")
    for name, status in before.items():
        now = (folder / name).lstat()
        assert (now.st_ino, now.st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
    assert not (folder / "looked").exists()


def test_a_certificate_leaves_a_link_to_it_what_it_is(folder: Path) -> None:
    """What a link leads to is replaced, or made, and the link stays."""
    (folder / "kept").mkdir()
    (folder / "cert.json").symlink_to("kept/cert.json")
    for _ in range(2):
        assert run("flow.yaml", "--certificate", "cert.json").exit_code == 0
        assert (folder / "cert.json").is_symlink()
        assert json.loads((folder / "kept" / "cert.json").read_text("utf-8"))["complete"] is True
    (folder / "cert.json").unlink()
    (folder / "cert.json").symlink_to("no/file")
    result = run("flow.yaml", "--certificate", "cert.json")
    assert (result.exit_code, result.stderr.endswith("no is no folder to write to\n")) == (2, True)


def test_a_certificate_is_not_put_where_the_results_go(folder: Path) -> None:
    """The results would be lost, for they go to the file that was replaced."""
    with (folder / "out.txt").open("w") as out:
        process = subprocess.run(
            [sys.executable, "-c", CODE, "check", "flow.yaml", "--certificate", "out.txt"],
            stdout=out, stderr=subprocess.PIPE, text=True, check=False, timeout=50,
        )  # fmt: skip
    assert process.returncode == 2
    assert process.stderr == (
        "--certificate: out.txt is the standard output, expected another file\n"
    )


def test_no_counterexample_replaces_what_it_must_not(folder: Path) -> None:
    """A file of a counterexample may be an older one, and nothing else, which is known before."""
    (folder / "apply-ever-runs.conductor.jsonl").write_text("an older one")
    assert run("flow.yaml", "--counterexamples", ".", *claiming("runs")).exit_code == 1
    os.mkfifo(folder / "it-ends.scenario.yaml")
    result = run("flow.yaml", "--counterexamples", ".", *claiming("ends", "touches_all"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "--counterexamples: it-ends.scenario.yaml is no regular file, expected one or none\n"
    )
    assert not (folder / "looked").exists()


def test_counterexamples_can_be_replayed_and_played(folder: Path) -> None:
    """Each is a log that verifies, and a scenario that passes."""
    result = run("flow.yaml", "--counterexamples", "out/found", *claiming("runs", "ends", "quiet"))
    assert result.exit_code == 1
    written = sorted(path.name for path in (folder / "out" / "found").iterdir())
    assert written == [
        f"{name}.{kind}"
        for name in ("apply-ever-runs", "it-ends", "quiet")
        for kind in ("conductor.jsonl", "scenario.yaml")
    ]
    assert "  scenario: out/found/apply-ever-runs.scenario.yaml\n" in result.stdout
    for kind, command in (("*.jsonl", ["replay"]), ("*.yaml", ["scenario", "run"])):
        files = [str(path) for path in (folder / "out" / "found").glob(kind)]
        assert CliRunner().invoke(conductor, [*command, *files]).exit_code == 0


def test_a_story_that_time_forbids_has_no_scenario(folder: Path) -> None:
    """Where a plan expires before it can be stale there is a log alone, and that is said."""
    approval = "{timeout_ms: 5, stale_after_ms: 9}"
    (folder / "flow.yaml").write_text(
        f"groups: [{{key: g, steps: [{{key: plan, run: x, approval: {approval}}}]}}]"
    )
    (folder / "stale.py").write_text(
        "from conductor_core.checking import never\n"
        "stale = never('stale', lambda state: any(a.reason == 'stale-plan'"
        " for a in state.attempts()))\n"
    )
    options = ("--property", "stale.py:stale", "--counterexamples", "out", "--without", "timers")
    result = run("flow.yaml", *options)
    assert result.exit_code == 1
    assert "\n  3. after 0.009 s: operator-1 approves plan" in result.stdout
    assert "  a timer fires later here than it is due, as it does when a host was away\n" in (
        result.stdout
    )
    assert "  no scenario: in virtual time this would be another story\n" in result.stdout
    assert [path.name for path in (folder / "out").iterdir()] == ["stale.conductor.jsonl"]


def test_the_name_of_a_claim_cannot_do_harm(folder: Path) -> None:
    """It stays inside the folder, has a file of its own, and cannot steer a terminal."""
    result = run("flow.yaml", "--counterexamples", "out", *claiming("hostile", "other"))
    names = sorted(path.name for path in (folder / "out").glob("*.jsonl"))
    assert names == ["31m-2.conductor.jsonl", "31m.conductor.jsonl"]
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
    assert "VIOLATED ../\\x1b[31m\\u202e (rules.py:" in result.stdout


def test_json_tells_everything() -> None:
    """`--json` writes one object, with every event as data and in words."""
    result = run("flow.yaml", "--json", *claiming("runs"))
    told = json.loads(result.stdout)
    assert (result.exit_code, told["file"], told["good"]) == (1, "flow.yaml", False)
    assert (told["stopped_by"], told["processes"]) == (None, 1)
    assert told["certificate"]["flow"].startswith("sha256:")
    first, last = told["claims"][0], told["claims"][-1]
    assert (first["found"], first["where"], first["story"]) == ("holds", None, None)
    assert [step["event"]["type"] for step in last["story"]] == [
        "flow-started",
        "step-finished",
        "approval-responded",
    ]
    assert last["story"][0]["told"] == "flow started -> dispatch plan#1"


# --- what cannot be used ---


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["missing.yaml"], "missing.yaml: No such file or directory"),
        (["bad.yaml"], "bad.yaml:1: groups[0].steps: "),
        (["empty.yaml"], "empty.yaml: it is empty, expected a flow file"),
        (["played.yaml"], "played.yaml:1: scenarios: a scenario file, expected a flow file"),
        (["log.jsonl"], "log.jsonl: the log of a flow, expected a flow file"),
        (["flow.yaml", "--endings", "of,ok"], "--endings: 'of' is none of ok, fail, "),
        (["flow.yaml", "--endings", ""], "--endings: expected at least one way"),
        (["flow.yaml", "--answers", "yes"], "--answers: 'yes' is none of approve, "),
        (["flow.yaml", "--answers", "deny,deny"], "--answers: 'deny' is given twice"),
        (["flow.yaml", "--operations", "pray"], "--operations: 'pray' is none of retry-step, "),
        (["flow.yaml", "--with", "magic"], "--with: 'magic' is none of "),
        (
            ["flow.yaml", "--with", "pauses", "--without", "pauses"],
            "--with pauses and --without pauses: expected one of the two",
        ),
        (["flow.yaml", "--generated", "missing"], "missing: No such file or directory"),
        (["flow.yaml", "--property", "rules"], "--property rules: expected MODULE:NAME or FILE.py"),
        (["flow.yaml", "--property", "no.py:x"], "--property no.py:x: FileNotFoundError: "),
        (["flow.yaml", "--property", "no:x"], "--property no:x: ModuleNotFoundError: "),
        (["flow.yaml", *claiming("nothing")], "--property rules.py:nothing: rules.py has no "),
        (["flow.yaml", *claiming("number")], "--property rules.py:number: expected a property, "),
        (["flow.yaml", *claiming("status")], "--property rules.py:status: expected a property, "),
        (
            ["flow.yaml", *claiming("typo")],
            "is about 'applx', which is no step of the flow (it has",
        ),
        (["flow.yaml", *claiming("taken")], "the name 'the gate' is taken by a built-in theorem"),
        (["flow.yaml", *claiming("ends", "both")], "the name 'it ends' is taken by rules.py:"),
        (["flow.yaml", "--certificate", "."], "--certificate: . is a folder, expected a file"),
        (["flow.yaml", "--certificate", "no/c"], "--certificate: no is no folder to write to"),
        (["flow.yaml", "--counterexamples", "flow.yaml"], "--counterexamples: flow.yaml: File exi"),
        (["flow.yaml", "--max-states", "0"], "Invalid value for '--max-states'"),
        (["flow.yaml", "-q", "-v"], "-q and -v: expected one of the two"),
    ],
)
def test_bad_input_is_one_clear_error(folder: Path, arguments: list[str], problem: str) -> None:
    """It is told before anything is searched, with exit code 2."""
    (folder / "bad.yaml").write_text("groups: [{key: g, steps: 3}]")
    (folder / "empty.yaml").touch()
    (folder / "played.yaml").write_text("scenarios: []")
    state = initial_state(DEPLOY, flow_id="deploy-1")
    (folder / "log.jsonl").write_text(LogWriter(state, at_ms=0).header())
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr


# --- while it searches ---


def test_an_interrupt_ends_the_search_with_what_is_known(folder: Path) -> None:
    """Ctrl-C leaves undecided what is not violated, with the exit code that shells give it."""
    (folder / "flow.yaml").write_text(ENDLESS)
    process = started("flow.yaml", "--processes", "1", *claiming("touches_all"))
    while not (folder / "looked").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=50)
    assert (process.returncode, stderr) == (130, "")
    assert "undecided, because the search was interrupted\n" in stdout
    assert "  UNDECIDED nothing (rules.py:" in stdout


SLOW: Final = """
from time import sleep

import rules

def slow(state):
    rules.touches(state)
    while state.started:
        sleep(60)
    return True
"""


def test_a_second_interrupt_ends_the_command_at_once(folder: Path) -> None:
    """It does not wait for a search that does not listen, and the exit code is the same."""
    (folder / "slow.py").write_text(SLOW)
    process = started("flow.yaml", "--processes", "1", "--property", "slow.py:slow")
    while not (folder / "looked").exists():
        assert process.poll() is None
    deadline_s = time.monotonic() + 50
    while process.poll() is None and time.monotonic() < deadline_s:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(2)
    assert (process.returncode, *process.communicate()) == (130, "", "")


def test_progress_is_one_line_that_goes_away(folder: Path) -> None:
    """At a terminal one sees how far it is; when it is over the line is empty again."""
    (folder / "flow.yaml").write_text(ENDLESS)
    bounded = ("flow.yaml", "--processes", "1", "--max-states", "5000")
    written = screened("check", *bounded, term="xterm").written
    assert re.match(
        r"\r\x1b\[K[\d,]+ states, [\d,]+ to look at, [\d,]+ transitions/s, [\d,]+ MiB, ", written
    )
    assert written.endswith("\r\x1b[K")
    assert "\n" not in written


@pytest.mark.parametrize(("options", "term"), [(["-q"], "xterm"), ([], "dumb")])
def test_nobody_who_does_not_want_it_sees_progress(
    folder: Path, options: list[str], term: str
) -> None:
    """A quiet check, and a terminal that cannot rewrite a line, show none."""
    (folder / "flow.yaml").write_text(ENDLESS)
    bounded = ("flow.yaml", "--processes", "1", "--max-states", "3000", *options)
    assert screened("check", *bounded, term=term).written == ""
