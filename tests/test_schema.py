"""The JSON Schema of flow files says what the reader says, as far as a schema can."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from typing import Any, Final

import attrs
import pytest
from hypothesis import given, settings

from conductor_core.codec import decode_flow, encode_spec
from conductor_core.flowfile import SHELL_KEYS
from conductor_core.schema import LIMITS, SHELL, default_of, flow_schema, kind_schema
from conductor_core.schema_words import SHELL_WORDS, WORDS
from conductor_core.spec import (
    FlowOptions,
    FlowSpec,
    GroupSpec,
    RetryPolicy,
    StepSpec,
)
from conductor_core.testing.strategies import flows
from tests.agreement import (
    ODDITIES,
    Checker,
    disagreements,
    documents,
    is_flow_file,
    is_scenario_file,
    mutated,
    problems_of,
    shown_documents,
)

SCHEMA: Final = flow_schema()
CHECKER: Final = Checker(SCHEMA)

UNTOLD: Final = re.compile(
    "is used twice|is no step that runs earlier|is more than [0-9]+ approvers"
    r"|expected an integer.*, got -?[0-9]+\.0"
)
"""What the reader tells of a flow and no schema does."""

EVERYTHING: Final[dict[str, Any]] = {
    "flow": "deploy",
    "metadata": {"inputs": {"target": "staging"}},
    "options": {
        "approval": "approve-all",
        "on_failure": "await-retry",
        "continue_as_new_every": 5,
        "max_parallel": None,
        "cancel_grace_ms": 0,
    },
    "groups": [
        {
            "key": "g",
            "name": "All of it",
            "parallel": False,
            "max_parallel": 2,
            "fail_fast": True,
            "metadata": {},
            "steps": [
                {
                    "key": "plan",
                    "run": "make plan",
                    "cwd": "infra",
                    "env": {"LEVEL": "debug", "TOKEN": {"from_env": "TOKEN"}},
                    "approval": {
                        "required": 2,
                        "approvers": ["ana", "bo"],
                        "timeout_ms": 1,
                        "stale_after_ms": None,
                        "auto_approve_on_policy_pass": True,
                        "skip_scope": "step",
                    },
                },
                {
                    "key": "apply",
                    "work": "apply",
                    "input": [1.5, None],
                    "needs": ["plan"],
                    "approval": True,
                    "retry": {
                        "max_retries": 3,
                        "max_auto_retries": 2,
                        "scope": "group",
                        "backoff_ms": [1, 2],
                        "jitter": False,
                    },
                    "retryable": False,
                    "skippable": False,
                    "skip_on_failure": True,
                    "skip_if_noop": True,
                    "skipped": False,
                    "timeout_ms": 60_000,
                    "on_recovery": "fail",
                    "name": None,
                    "metadata": {"a": 1},
                },
            ],
        }
    ],
}

RIGHT: Final = (
    EVERYTHING,
    *(data for data in documents("examples", "*.yaml") if is_flow_file(data)),
    *(data for data in shown_documents() if is_flow_file(data)),
)


def with_step(**step: Any) -> dict[str, Any]:
    """A flow file of one step."""
    return {"groups": [{"key": "g", "steps": [{"key": "s", **step}]}]}


def with_parts(record: type[Any], fields: dict[str, Any]) -> dict[str, Any]:
    """A flow file in which one part has these fields."""
    if record is FlowSpec:
        return {("flow" if key == "type" else key): value for key, value in fields.items()}
    if record is FlowOptions:
        return {"options": fields}
    if record is GroupSpec:
        return {"groups": [{"key": "g", "steps": [{"key": "s"}], **fields}]}
    if record is StepSpec:
        needed = {"key": "first", "steps": [{"key": "text"}, {"key": "other"}]}
        return {"groups": [needed, *with_step(**fields)["groups"]]}
    return with_step(**{"retry" if record is RetryPolicy else "approval": fields})


# --- what is shipped ---


def test_the_schema_in_the_package_is_the_one_that_is_made_now() -> None:
    """After a change: `conductor schema flow --replace -o` with the name of this file."""
    shipped = resources.files("conductor_core") / "schemas" / "flow.schema.json"
    assert shipped.read_text("utf-8") == json.dumps(SCHEMA, indent=2) + "\n"


def properties_of(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every key that a schema describes, wherever it stands, with its own schema."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties":
                yield from ((name, it) for name, it in value.items() if isinstance(it, dict))
            yield from properties_of(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from properties_of(item)


def test_every_key_has_words_for_an_editor_to_show() -> None:
    """No key is left without a description, and no description without a key."""
    undescribed = {key for key, it in properties_of(SCHEMA) if "description" not in it}
    assert undescribed == {"from_env"}
    for record, words in WORDS.items():
        assert words.keys() == attrs.fields_dict(record).keys()
    assert SHELL.keys() == SHELL_WORDS.keys() == set(SHELL_KEYS)


def test_defaults_are_those_of_the_declarations() -> None:
    """What an editor fills in is what the reader takes when nothing is given."""
    step = SCHEMA["$defs"]["step"]["properties"]
    assert step["timeout_ms"]["default"] is None
    assert step["retry"]["default"] == step["input"]["default"] == {}
    assert "default" not in step["key"]
    assert SCHEMA["$defs"]["retry"]["properties"]["backoff_ms"]["default"] == [
        *RetryPolicy().backoff_ms
    ]
    filled = {key: it["default"] for key, it in step.items() if "default" in it and key != "work"}
    assert decode_flow(with_step(**filled)) == decode_flow(with_step())
    assert default_of(()) == []


def test_a_kind_without_a_schema_is_no_kind() -> None:
    """A field of a new kind cannot get into a declaration without getting into the schema."""
    with pytest.raises(AssertionError, match="float"):
        kind_schema(float, {})


# --- what is right ---


@pytest.mark.parametrize("data", RIGHT)
def test_every_flow_file_of_the_project_is_right(data: Any) -> None:
    """The examples and the documents show flows that the reader and the schema accept."""
    assert problems_of(decode_flow, data) == ()
    assert CHECKER.places(data) == set()


def test_the_flows_of_the_scenarios_are_right() -> None:
    """Flows are written alike in scenarios."""
    given = [
        scenario["flow"]
        for data in (*documents("tests", "*.yaml"), *documents("examples", "*.yaml"))
        if is_scenario_file(data)
        for scenario in data["scenarios"]
    ]
    assert len(given) > 300
    assert all(CHECKER.accepts(flow) for flow in given)


# --- what is wrong ---


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (None, ""),
        ([], ""),
        ("flow", ""),
        ({"flow": 1}, "flow"),
        ({"flow": ""}, "flow"),
        ({"type": "x"}, "type"),
        ({"metadata": 7}, "metadata"),
        ({"options": {"approval": "ask"}}, "options.approval"),
        ({"options": {"max_parallel": 0}}, "options.max_parallel"),
        ({"options": {"aprove": "prompt"}}, "options.aprove"),
        ({"groups": {}}, "groups"),
        ({"groups": [{"steps": [{"key": "s"}]}]}, "groups[0]"),
        ({"groups": [{"key": "g", "steps": []}]}, "groups[0].steps"),
        ({"groups": [{"key": "a b", "steps": [{"key": "s"}]}]}, "groups[0].key"),
        ({"groups": [{"key": "g", "steps": [7]}]}, "groups[0].steps[0]"),
        (with_step(runs="make"), "groups[0].steps[0].runs"),
        (with_step(run="make", work="w"), "groups[0].steps[0].work"),
        (with_step(run="make", input={}), "groups[0].steps[0].input"),
        (with_step(run=["make"]), "groups[0].steps[0].run"),
        (with_step(run=" "), "groups[0].steps[0].run"),
        (with_step(run="x", cwd=7), "groups[0].steps[0].cwd"),
        (with_step(cwd="x"), "groups[0].steps[0].cwd"),
        (with_step(env={}), "groups[0].steps[0].env"),
        (with_step(run="x", env=["A"]), "groups[0].steps[0].env"),
        (with_step(run="x", env={"A": 1}), "groups[0].steps[0].env.A"),
        (with_step(run="x", env={"A": {"from_env": 1}}), "groups[0].steps[0].env.A"),
        (with_step(run="x", env={"a b": {}}), "groups[0].steps[0].env['a b']"),
        (with_step(approval=False), "groups[0].steps[0].approval"),
        (with_step(approval={"required": 0}), "groups[0].steps[0].approval.required"),
        (with_step(approval={"approver": 1}), "groups[0].steps[0].approval.approver"),
        (with_step(approval={"approvers": ["a", "a"]}), "groups[0].steps[0].approval.approvers"),
        (with_step(approval={"approvers": [""]}), "groups[0].steps[0].approval.approvers[0]"),
        (with_step(retry={"backoff_ms": [5, -1]}), "groups[0].steps[0].retry.backoff_ms[1]"),
        (with_step(timeout_ms="1"), "groups[0].steps[0].timeout_ms"),
        (with_step(timeout_ms=1 << 53), "groups[0].steps[0].timeout_ms"),
        (with_step(skipped="yes"), "groups[0].steps[0].skipped"),
        (with_step(needs="plan"), "groups[0].steps[0].needs"),
        (with_step(name=""), "groups[0].steps[0].name"),
    ],
)
def test_what_is_wrong_is_wrong_for_both_and_in_one_place(data: Any, place: str) -> None:
    """An editor marks the place that the reader names."""
    assert place in {path for path, _ in problems_of(decode_flow, data)}
    assert place in CHECKER.places(data)


FIELDS: Final = [
    pytest.param(record, field, id=f"{record.__name__}.{field}")
    for record, words in WORDS.items()
    for field in words
]


def edges(limits: dict[str, Any]) -> Iterator[Any]:
    """Values on either side of every limit."""
    yield from limits.get("enum", ())
    yield from ODDITIES
    for bound in ("minimum", "maximum"):
        if bound in limits:
            yield from (limits[bound] - 1, limits[bound], limits[bound] + 1)
    if "items" in limits:
        yield from ([item] for item in edges(limits["items"]))
    yield from (["other"], ["other", "other"], ["text", "other"])
    yield from ("k" * 64, "k" * 65, "-k", "k-._9")


@pytest.mark.parametrize(("record", "field"), FIELDS)
def test_a_limit_is_where_the_reader_has_it(record: type[Any], field: str) -> None:
    """On either side of a limit both say the same, and a choice is among the same words."""
    limits = LIMITS[record].get(field, {})
    for value in edges(limits):
        data = with_parts(record, {field: value})
        assert disagreements(decode_flow, CHECKER, data, UNTOLD) == [], value
    if "enum" in limits:
        [(_, text)] = problems_of(decode_flow, with_parts(record, {field: "no such word"}))
        assert f"expected one of {', '.join(limits['enum'])}, got" in text


@pytest.mark.parametrize(
    "data",
    [
        {"groups": [{"key": "g", "steps": [{"key": "s"}, {"key": "s"}]}]},
        with_step(needs=["s"]),
        with_step(approval={"required": 2, "approvers": ["ana"]}),
        with_step(timeout_ms=1.0),
    ],
)
def test_what_no_schema_tells_is_left_to_the_reader(data: Any) -> None:
    """The differences that the documents name are differences."""
    assert CHECKER.accepts(data)
    assert all(UNTOLD.search(text) for _, text in problems_of(decode_flow, data))
    assert problems_of(decode_flow, data)


@settings(deadline=None)
@given(mutated(RIGHT))
def test_reader_and_schema_agree_on_what_is_changed(data: Any) -> None:
    """Whatever is dropped, added or replaced: both accept it, both refuse it, or it is untold."""
    assert disagreements(decode_flow, CHECKER, data, UNTOLD) == []


@settings(deadline=None)
@given(flows())
def test_any_flow_is_right_as_it_is_written(flow: FlowSpec) -> None:
    """A flow that can be built can be written to a file that the schema accepts."""
    wire = {("flow" if key == "type" else key): it for key, it in encode_spec(flow).items()}
    assert CHECKER.accepts(wire)
    assert decode_flow(wire) == flow
