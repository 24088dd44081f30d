"""`conductor scenario run` plays files, tells expected from got, and says so by its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from conductor_adapters.cli.main import conductor

GOOD: Final = """\
format: conductor-scenario/1
scenarios:
  - name: a step succeeds
    flow: {groups: [{key: g, steps: [{key: a}]}]}
    expect: {flow: success}
"""
FALSE: Final = """\
format: conductor-scenario/1
scenarios:
  - name: a step succeeds
    flow: {groups: [{key: g, steps: [{key: a}]}]}
    expect: {flow: success}

  - name: a step fails
    spec: S6.19
    flow: {groups: [{key: g, steps: [{key: a}]}]}
    do:
      - pause: {}
    expect:
      flow: error
      steps: {a#1: success}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a good file and one that claims what is not true."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "false.yaml").write_text(FALSE)
    return tmp_path


def run(*arguments: str) -> Result:
    """Run the command; nothing but an exit may come out of it."""
    result = CliRunner().invoke(conductor, ["scenario", "run", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_files_whose_scenarios_pass_are_counted() -> None:
    """All passed: a line a file, a line for all of them, and exit code 0."""
    result = run("good.yaml", "good.yaml")
    assert result.exit_code == 0
    assert result.stdout == "good.yaml: 1 passed, 0 failed\n" * 2 + "2 passed, 0 failed\n"
    assert result.stderr == ""


def test_a_failure_tells_what_was_expected_and_what_was_got() -> None:
    """A scenario that is not true is told with its places, and the exit code is 1."""
    result = run("false.yaml")
    assert result.exit_code == 1
    assert result.stdout == (
        "FAILED false.yaml:7: a step fails (S6.19)\n"
        "  line 11: do[0].expect\n"
        '    expected: "accepted"\n'
        '    got:      "rejected(flow-finished)"\n'
        "  line 13: expect.flow\n"
        '    expected: "error"\n'
        '    got:      "success"\n'
        "false.yaml: 1 passed, 1 failed\n"
        "1 passed, 1 failed\n"
    )


def test_a_bad_file_does_not_hide_the_results_of_the_others(folder: Path) -> None:
    """A file that cannot be used is one line on the standard error, and the exit code is 2."""
    (folder / "bad.yaml").write_text(GOOD.replace("flow: success", "flow: done"))
    result = run("bad.yaml", "false.yaml", "missing.yaml", "good.yaml")
    assert result.exit_code == 2
    assert "false.yaml: 1 passed, 1 failed" in result.stdout
    assert "good.yaml: 1 passed, 0 failed" in result.stdout
    assert result.stdout.endswith("2 passed, 1 failed, 2 bad files\n")
    bad, missing = result.stderr.splitlines()
    assert bad.startswith("bad.yaml:5: scenarios[0].expect.flow: expected one of pending, ")
    assert missing == "missing.yaml: No such file or directory"


def test_everything_that_is_wrong_with_a_file_is_told(folder: Path) -> None:
    """Each problem is a line with its place."""
    wrong = GOOD.replace("flow: {groups", "flwo: {groups") + "  - name: 7\n"
    (folder / "bad.yaml").write_text(wrong)
    result = run("bad.yaml")
    assert result.exit_code == 2
    unknown, *others = result.stderr.splitlines()
    assert unknown.startswith("bad.yaml:4: scenarios[0].flwo: unknown key 'flwo' (perhaps 'flow'?)")
    assert others == [
        "bad.yaml:3: scenarios[0]: missing key 'flow'",
        "bad.yaml:6: scenarios[1]: missing key 'flow'",
        "bad.yaml:6: scenarios[1].name: expected a text, got 7",
    ]
    assert result.stdout == "0 passed, 0 failed, 1 bad file\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "bad.yaml:1: "),
        (b"format: conductor-scenario/1\nscenarios: [\n", "bad.yaml:3: "),
        (GOOD.encode() + b"scenarios: []\n", "bad.yaml:6: "),
        (GOOD.replace("/1", "/9").encode(), "bad.yaml:1: format: expected the format"),
        (b"format: conductor-scenario/1\nscenarios: \xff\n", "bad.yaml:2: "),
        (b"a: &a [1]\nb: &b [*a, *a]\n" + b"c: .nan\n", "bad.yaml:"),
        (b"- !!python/object/apply:os.system [echo]\n", "bad.yaml:1: "),
    ],
)
def test_what_is_no_scenario_file_is_one_clear_error(
    folder: Path, content: bytes, problem: str
) -> None:
    """Whatever a file holds, it is refused in one line with its place."""
    (folder / "bad.yaml").write_bytes(content)
    result = run("bad.yaml")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(problem)


def test_scenarios_are_selected_by_a_part_of_their_name() -> None:
    """`-k` plays those whose name contains the text."""
    result = run("-k", "succeeds", "false.yaml", "good.yaml")
    assert result.exit_code == 0
    assert result.stdout.endswith("2 passed, 0 failed\n")


def test_a_selection_of_nothing_is_a_mistake() -> None:
    """A text that no name contains is bad input: a typing error must not look like success."""
    result = run("-k", "sucs", "good.yaml")
    assert result.exit_code == 2
    assert result.stderr == "no scenario has 'sucs' in its name\n"


def test_a_selection_looks_at_no_case() -> None:
    """`-k` takes capital and small letters alike, as pytest does."""
    assert run("-k", "SucCEEDS", "good.yaml").stdout.endswith("1 passed, 0 failed\n")


def test_a_file_without_scenarios_is_a_mistake(folder: Path) -> None:
    """Nothing is played, which must not look like success."""
    (folder / "empty.yaml").write_text("format: conductor-scenario/1\nscenarios: []\n")
    result = run("empty.yaml", "good.yaml")
    assert result.exit_code == 2
    assert result.stderr == "empty.yaml:2: scenarios: expected at least one scenario\n"
    assert result.stdout.endswith("1 passed, 0 failed, 1 bad file\n")


def test_a_name_that_stands_twice_is_told_with_both_places(folder: Path) -> None:
    """Two scenarios of one name could not be told apart by `-k`."""
    twice = GOOD + GOOD.partition("scenarios:\n")[2]
    (folder / "twice.yaml").write_text(twice)
    result = run("twice.yaml")
    assert result.exit_code == 2
    assert result.stderr == (
        "twice.yaml:6: scenarios[1].name: "
        "'a step succeeds' is used twice, first at scenarios[0].name\n"
    )


def test_a_misspelt_step_in_a_claim_is_told_with_its_place(folder: Path) -> None:
    """A claim that nothing can make untrue is refused, with the name that was meant."""
    flow = GOOD.replace("key: a", "key: apply").replace("flow: success", "absent: [aplpy#1]")
    (folder / "typo.yaml").write_text(flow)
    result = run("typo.yaml")
    assert result.exit_code == 2
    place = "typo.yaml:5: scenarios[0].expect.absent[0]: "
    assert result.stderr == f"{place}unknown step 'aplpy' (perhaps 'apply'?)\n"


def test_json_tells_everything(folder: Path) -> None:
    """`--json` writes one document with counts, places, differences and errors."""
    (folder / "bad.json").write_text('{"format": "conductor-scenario/1"}')
    result = run("--json", "false.yaml", "bad.json")
    assert result.exit_code == 2
    assert result.stderr == "bad.json:1: missing key 'scenarios'\n"
    told = json.loads(result.stdout)
    assert (told["passed"], told["failed"]) == (1, 1)
    played, bad = told["files"]
    assert (played["file"], played["errors"]) == ("false.yaml", [])
    assert played["scenarios"][0] == {
        "name": "a step succeeds",
        "spec": "",
        "line": 3,
        "passed": True,
        "differences": [],
    }
    assert played["scenarios"][1]["differences"][1] == {
        "where": "expect.flow",
        "line": 13,
        "expected": "error",
        "got": "success",
    }
    assert bad == {
        "file": "bad.json",
        "errors": [{"line": 1, "path": "", "problem": "missing key 'scenarios'"}],
        "scenarios": [],
    }


def test_control_characters_are_escaped(folder: Path) -> None:
    """What a file says cannot steer the terminal that tells it."""
    name = '"a step fails\\u001b[2J\\u009b\\u202e"'
    (folder / "false.yaml").write_text(FALSE.replace("a step fails", name))
    result = run("false.yaml")
    assert "a step fails\\x1b[2J\\x9b\\u202e (S6.19)" in result.stdout


def test_a_file_is_needed() -> None:
    """Without a file there is nothing to do, which is a mistake."""
    assert run().exit_code == 2
