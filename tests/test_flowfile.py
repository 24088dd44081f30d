"""The flow file: a spec as a person writes it, with three liberties and no more."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_core import FlowSpec, GroupSpec, StepSpec
from conductor_core.codec import decode_flow, decode_flow_groups, decode_spec
from conductor_core.errors import FormatError, SpecError
from conductor_core.spec import ApprovalSpec, FlowOptions, RetryPolicy

NETWORK = {
    "flow": "deploy",
    "options": {"on_failure": "await-retry"},
    "groups": [
        {
            "key": "network",
            "steps": [
                {
                    "key": "plan",
                    "run": "terraform plan",
                    "approval": {"required": 2, "approvers": ["ana", "bo"]},
                },
                {
                    "key": "apply",
                    "run": "terraform apply",
                    "needs": ["plan"],
                    "retry": {"max_auto_retries": 2, "backoff_ms": [1000, 5000]},
                },
            ],
        },
        {"key": "check", "parallel": True, "steps": [{"key": "smoke", "approval": True}]},
    ],
}


def with_step(**step: Any) -> dict[str, Any]:
    """A flow file of one step."""
    return {"groups": [{"key": "g", "steps": [{"key": "s", **step}]}]}


def problems_of(data: Any) -> tuple[tuple[str, str], ...]:
    """What is wrong with a flow file that stands at `flow`."""
    try:
        decode_flow(data, "flow")
    except (FormatError, SpecError) as error:
        return error.problems
    return ()


def test_a_flow_file_is_a_spec() -> None:
    """The type stands under `flow`, `run` is the shell, `approval: true` its defaults."""
    assert decode_flow(NETWORK) == FlowSpec(
        type="deploy",
        options=FlowOptions(on_failure="await-retry"),
        groups=(
            GroupSpec(
                key="network",
                steps=(
                    StepSpec(
                        key="plan",
                        work="shell",
                        input={"run": "terraform plan"},
                        approval=ApprovalSpec(required=2, approvers=("ana", "bo")),
                    ),
                    StepSpec(
                        key="apply",
                        work="shell",
                        input={"run": "terraform apply"},
                        needs=("plan",),
                        retry=RetryPolicy(max_auto_retries=2, backoff_ms=(1000, 5000)),
                    ),
                ),
            ),
            GroupSpec(
                key="check",
                parallel=True,
                steps=(StepSpec(key="smoke", approval=ApprovalSpec()),),
            ),
        ),
    )


def test_a_flow_file_may_be_empty() -> None:
    """A flow has a type even when nobody gives it one, and its groups may be generated."""
    assert decode_flow({}) == FlowSpec(type="flow")


def test_groups_can_be_read_alone() -> None:
    """Groups that are appended or generated take the same liberties, and are not judged."""
    data = [{"key": "g", "steps": [{"key": "s", "run": "make", "approval": True}]}, {"key": "g"}]
    groups = decode_flow_groups(data)
    assert groups[0].steps[0].work == "shell"
    assert groups[0].steps[0].approval == ApprovalSpec()
    assert groups[1].steps == ()
    with pytest.raises(FormatError, match=r"^generate\[1\]\.steps: expected a list, got 7"):
        decode_flow_groups([{"key": "g"}, {"key": "h", "steps": 7}], "generate")


@pytest.mark.parametrize(
    ("data", "place", "problem"),
    [
        ([], "flow", "expected a mapping, got []"),
        ({"flow": 1}, "flow.flow", "expected a string, got 1"),
        ({"type": "x"}, "flow.type", "unknown key 'type', expected one of flow, groups"),
        (
            with_step(approval=False),
            "flow.groups[0].steps[0].approval",
            "expected true or a mapping",
        ),
        (with_step(approval=1), "flow.groups[0].steps[0].approval", "expected true or a mapping"),
        (
            with_step(approval={"approver": 1}),
            "flow.groups[0].steps[0].approval.approver",
            "unknown key 'approver' (perhaps 'approvers'?)",
        ),
        (
            with_step(run="make", work="w"),
            "flow.groups[0].steps[0].work",
            "'work' does not go together with 'run'",
        ),
        (
            with_step(run="make", input={}),
            "flow.groups[0].steps[0].input",
            "'input' does not go together with 'run'",
        ),
        (
            with_step(run=["make"]),
            "flow.groups[0].steps[0].run",
            "expected a command line, got ['make']",
        ),
        (with_step(run=" "), "flow.groups[0].steps[0].run", "expected a command line, got ' '"),
        (
            with_step(cwd="infra"),
            "flow.groups[0].steps[0].cwd",
            "'cwd' does not go without 'run'",
        ),
        (
            with_step(work="shell", input={"run": "make"}, env={}),
            "flow.groups[0].steps[0].env",
            "'env' does not go without 'run'",
        ),
        (
            with_step(run="make", cwd=7),
            "flow.groups[0].steps[0].cwd",
            "expected the name of a folder, got 7",
        ),
        (
            with_step(run="make", cwd=None),
            "flow.groups[0].steps[0].cwd",
            "expected the name of a folder, got None",
        ),
        (
            with_step(run="make", env=["A=1"]),
            "flow.groups[0].steps[0].env",
            "expected a mapping of names to texts, got ['A=1']",
        ),
        (
            with_step(run="make", env={"LEVEL": 7}),
            "flow.groups[0].steps[0].env.LEVEL",
            "expected a text (a number in quotes) or {from_env: NAME}, got 7",
        ),
        (
            with_step(run="make", env={"TOKEN": {"from_env": 7}}),
            "flow.groups[0].steps[0].env.TOKEN",
            "expected a text (a number in quotes) or {from_env: NAME}, got {'from_env': 7}",
        ),
        (
            with_step(run="make", env={"TOKEN": {"from_env": "TOKEN", "default": ""}}),
            "flow.groups[0].steps[0].env.TOKEN",
            "expected a text (a number in quotes) or {from_env: NAME}, got",
        ),
        (
            with_step(run="make", env={"MY TOKEN": None}),
            "flow.groups[0].steps[0].env['MY TOKEN']",
            "expected a text (a number in quotes) or {from_env: NAME}, got None",
        ),
        (
            with_step(runs="make"),
            "flow.groups[0].steps[0].runs",
            "unknown key 'runs' (perhaps 'run'?), expected one of key, work, input",
        ),
        ({"groups": [{"key": "g", "steps": [7]}]}, "flow.groups[0].steps[0]", "expected a mapping"),
    ],
)
def test_a_malformed_flow_file_is_refused(data: Any, place: str, problem: str) -> None:
    """The error speaks of the file as it was written, and not of what it stands for."""
    [(path, text)] = problems_of(data)
    assert path == place
    assert text.startswith(problem)


def test_a_command_may_have_a_folder_and_variables() -> None:
    """`cwd` and `env` stand beside `run` and become part of the same input, if they are given."""
    env = {"LEVEL": "debug", "TOKEN": {"from_env": "DEPLOY_TOKEN"}}
    spec = decode_flow(with_step(run="make", cwd="infra", env=env))
    assert spec == decode_flow(
        with_step(work="shell", input={"run": "make", "cwd": "infra", "env": env})
    )
    assert decode_flow(with_step(run="make", env={})).groups[0].steps[0].input.value == {
        "run": "make",
        "env": {},
    }


def test_everything_that_is_wrong_with_a_command_is_told_at_once() -> None:
    """One look at the errors is enough to mend all the keys of a command."""
    data = with_step(run="", work="w", input=1, cwd=[], env={"A": 1, "B": "b", "C": []})
    step = "flow.groups[0].steps[0]"
    assert [path for path, _ in problems_of(data)] == [
        *(f"{step}.work", f"{step}.input", f"{step}.run", f"{step}.cwd"),
        *(f"{step}.env.A", f"{step}.env.C"),
    ]


def test_what_a_shell_makes_of_its_input_is_not_the_reader_s_affair() -> None:
    """The same input may be written out, and only who runs it knows the names it takes."""
    odd = {"run": "make", "cwd": "", "env": {"no name": "x"}}
    assert decode_flow(with_step(**odd)) == decode_flow(with_step(work="shell", input=odd))
    assert decode_flow(with_step(work="shell", input=7)).groups[0].steps[0].input.value == 7


def test_a_flow_that_can_never_run_is_refused_in_the_words_of_the_file() -> None:
    """The validator's problems have the paths of the file, the type's under `flow`."""
    data = {"flow": "", "groups": [{"key": "a b", "steps": []}]}
    assert [place for place, _ in problems_of(data)] == [
        "flow.flow",
        "flow.groups[0].key",
        "flow.groups[0].steps",
    ]


def test_the_liberties_are_those_of_files_alone() -> None:
    """The wire form of a spec does not know them."""
    with pytest.raises(FormatError, match=r"^flow: unknown key 'flow'"):
        decode_spec({"flow": "deploy"})
    with pytest.raises(FormatError, match=r"approval: expected a mapping, got True"):
        decode_spec(with_step(approval=True))
