"""The pytest plugin makes a test of every scenario, and costs nothing where there is none."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

pytest_plugins = ["pytester"]

PLUGIN: Final = "conductor_adapters.cli.pytest_plugin"
GOOD: Final = """\
format: conductor-scenario/1
scenarios:
  - name: a step succeeds
    flow: {groups: [{key: g, steps: [{key: a}]}]}
    expect: {flow: success}
"""
FALSE: Final = """
  - name: a step fails
    spec: S6.19
    flow: {groups: [{key: g, steps: [{key: a}]}]}
    expect: {flow: error}
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest with the plugin, whether or not the distribution is installed."""
    return pytester.runpytest("-p", "no:conductor", "-p", PLUGIN, *arguments)


@pytest.mark.parametrize("suffix", ["yaml", "yml"])
def test_every_scenario_is_a_test(pytester: pytest.Pytester, suffix: str) -> None:
    """A scenario file is collected by its name; its scenarios pass or fail on their own."""
    file = pytester.path / f"flow.scenario.{suffix}"
    file.write_text(GOOD + FALSE)
    result = run(pytester, "-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [f"flow.scenario.{suffix}::a step succeeds PASSED*", "*::a step fails FAILED*"]
    )


def test_a_json_file_is_a_scenario_file_too(pytester: pytest.Pytester) -> None:
    """The format may be written as JSON."""
    scenario = '{"name": "s", "flow": {"groups": [{"key": "g", "steps": [{"key": "a"}]}]}}'
    file = f'{{"format": "conductor-scenario/1", "scenarios": [{scenario}]}}'
    (pytester.path / "flow.scenario.json").write_text(file)
    run(pytester).assert_outcomes(passed=1)


def test_other_files_are_left_alone(pytester: pytest.Pytester) -> None:
    """Only the double suffix makes a scenario file."""
    (pytester.path / "flow.yaml").write_text(GOOD)
    run(pytester).assert_outcomes()


def test_a_failure_shows_expected_against_got(pytester: pytest.Pytester) -> None:
    """What is not true is told with its line, and without a traceback."""
    (pytester.path / "flow.scenario.yaml").write_text(GOOD + FALSE)
    result = run(pytester)
    result.stdout.fnmatch_lines(
        [
            "*a step fails*",
            "a step fails (S6.19)",
            "line 10: expect.flow",
            '  expected: "error"',
            '  got:      "success"',
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_failure_of_ours_is_shown_as_one(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug is not a scenario's fault and keeps its traceback."""

    def broken(_: object) -> None:
        raise AssertionError("a rule is broken")

    monkeypatch.setattr("conductor_adapters.cli.scenario_file.play_scenario", broken)
    (pytester.path / "flow.scenario.yaml").write_text(GOOD)
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: a rule is broken"])


def test_a_bad_file_is_a_collection_error_with_its_place(pytester: pytest.Pytester) -> None:
    """What is wrong with a file is told once, with file and line."""
    file = pytester.path / "flow.scenario.yaml"
    file.write_text(GOOD.replace("flow: success", "flow: done"))
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*flow.scenario.yaml:5: scenarios?0?.expect.flow: expected one*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_file_without_scenarios_is_a_collection_error(pytester: pytest.Pytester) -> None:
    """A file that tests nothing does not pass."""
    file = pytester.path / "flow.scenario.yaml"
    file.write_text("format: conductor-scenario/1\nscenarios: []\n")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*flow.scenario.yaml:2: scenarios: expected at least one scen*"])


def test_scenarios_are_selected_like_any_test(pytester: pytest.Pytester) -> None:
    """`-k` and node ids work as everywhere."""
    (pytester.path / "flow.scenario.yaml").write_text(GOOD + FALSE)
    run(pytester, "-k", "succeeds").assert_outcomes(passed=1, deselected=1)
    run(pytester, "flow.scenario.yaml::a step succeeds").assert_outcomes(passed=1)


def test_without_the_cli_extra_only_scenario_files_are_an_error(
    pytester: pytest.Pytester,
) -> None:
    """Where PyYAML is missing, other tests run, and a scenario file says what it needs."""
    pytester.makeconftest("import sys; sys.modules['yaml'] = None")
    pytester.makepyfile("def test_other(): pass")
    arguments = ("-p", "no:conductor", "-p", PLUGIN)
    pytester.runpytest_subprocess(*arguments).assert_outcomes(passed=1)
    (pytester.path / "flow.scenario.yaml").write_text(GOOD)
    result = pytester.runpytest_subprocess(*arguments)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["scenario files need the cli extra*conductor-core?cli?*"])


def test_the_plugin_imports_next_to_nothing() -> None:
    """Every pytest run imports the plugin, so it imports neither click nor YAML nor the core."""
    code = f"import {PLUGIN}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert not imported & {"click", "yaml", "rich", "hypothesis", "conductor_core"}
