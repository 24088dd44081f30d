"""The JSON Schema of scenario files says what the reader says, as far as a schema can."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any, Final

import attrs
import pytest
from hypothesis import given, settings

from conductor_core.codec import COMMANDS
from conductor_core.testing import action_format, expectation_format, scenario_words
from conductor_core.testing.scenario_format import READERS, decode_scenarios
from conductor_core.testing.scenario_schema import CLAIMED, scenario_schema
from conductor_core.testing.scenarios import Scenario
from tests.agreement import (
    ODDITIES,
    Checker,
    disagreements,
    documents,
    is_scenario_file,
    mutated,
    problems_of,
    shown_documents,
)
from tests.test_schema import UNTOLD as UNTOLD_OF_FLOWS
from tests.test_schema import properties_of

SCHEMA: Final = scenario_schema()
CHECKER: Final = Checker(SCHEMA)

UNTOLD: Final = re.compile(
    f"{UNTOLD_OF_FLOWS.pattern}|unknown (step|group) |only the first action may keep"
    "|expected an integer of at most 64 bits|more than 20 errors follow"
)
"""What the reader tells of a scenario and no schema does."""

A_FLOW: Final = {"groups": [{"key": "g", "steps": [{"key": "a"}, {"key": "b"}]}]}

FILES: Final = tuple(
    data
    for data in (
        *documents("tests", "*.yaml"),
        *documents("examples", "*.yaml"),
        *shown_documents(),
    )
    if is_scenario_file(data)
)


def scenarios(**parts: Any) -> dict[str, Any]:
    """A file with one scenario, of which parts are replaced."""
    scenario = {"name": "s", "flow": A_FLOW, **parts}
    return {"format": "conductor-scenario/1", "scenarios": [scenario]}


def doing(*actions: Any) -> dict[str, Any]:
    """A file with one scenario, in which this happens."""
    return scenarios(do=list(actions))


GROUP: Final = {"key": "h", "steps": [{"key": "c", "run": "x", "approval": True}]}

EVERYTHING: Final = scenarios(
    spec="S1",
    flow_id="deploy/1",
    work={
        "a": [
            *("ok", "fail", "cancelled", "hold"),
            {
                "outcome": "failed",
                "directive": "continue",
                "output": [1],
                "error": {
                    "message": "no",
                    "type": "T",
                    "non_retryable": True,
                    "terminal": False,
                    "retry_after_ms": 5,
                    "details": {"a": 1},
                    "cause": {"message": "why"},
                },
                "noop": "unknown",
                "policy": {
                    "deny_violations": ["d"],
                    "warn_violations": [],
                    "passed_policy_ids": ["p"],
                    "evaluated": False,
                },
                "subject": "s",
                "metadata": {"m": 1},
            },
        ]
    },
    generate={"partial": [GROUP]},
    ignores_cancel=["b"],
    hold_continue_as_new=True,
    do=[
        {"approve": "a", "expect": {"rejected": "not-awaiting"}, "check": {"flow": "pending"}},
        {"deny": {"step": "a", "by": "ana", "note": None, "subject": "s"}},
        {"respond": {"step": "a", "response": "perhaps"}},
        {"rerun": {"step": "a", "additional_skip": ["b"], "replan_step": None}},
        {"rerun": {"step": "a", "continue_from_idx": 0, "stale_plan": True, "flow_id": "f"}},
        {"pause": {}},
        {"resume": {"by": "bo"}},
        {"cancel": {"group": "g", "reason": "why"}, "expect": {"ignored": "late"}},
        {"append": [{"key": "a b", "steps": []}]},
        {"start": "yes", "expect": "accepted"},
        {"generated": {"groups": [GROUP], "complete": False}},
        {"generation-failed": "no"},
        {"finish": {"attempt": "a#1", "outcome": "failed"}},
        {"timer": "t"},
        {"advance": 5},
        {"continue-as-new": "suggest"},
        {"continue-as-new": {"fact": "continued", "incarnation": None}},
        {"snapshot": {}},
        {"approval-option": "prompt"},
    ],
    expect={
        "flow": "success",
        "reason": None,
        "message": "m",
        "step": "a#1",
        "retries_exhausted": False,
        "steps": {"a#1": "success"},
        "directives": {"a#1": None},
        "groups": {"g": "success"},
        "dispatched": ["a#1"],
        "attempts": {"a": 1},
        "timers": ["t"],
        "approvals": ["a#1"],
        "commands": {"dispatch-step": 1},
        "absent": ["a#2"],
        "inputs": {"b#1": {"a": 1}},
    },
)

RIGHT: Final = (
    EVERYTHING,
    *(
        {"format": data["format"], "scenarios": [scenario]}
        for data in FILES
        for scenario in data["scenarios"]
    ),
)


def problems_in(data: Any) -> tuple[tuple[str, str], ...]:
    """What the reader says is wrong with a file."""
    return problems_of(decode_scenarios, data)


# --- what is shipped ---


def test_the_schema_in_the_package_is_the_one_that_is_made_now() -> None:
    """After a change: `conductor schema scenario --replace --output` with the name of this file."""
    shipped = resources.files("conductor_core") / "schemas" / "scenario.schema.json"
    assert shipped.read_text("utf-8") == json.dumps(SCHEMA, indent=2) + "\n"


def test_every_key_has_words_for_an_editor_to_show() -> None:
    """No key is left without a description, but for the names of commands."""
    undescribed = {key for key, it in properties_of(SCHEMA) if "description" not in it}
    conditions = {"start"}
    assert undescribed == {"from_env", *COMMANDS, *conditions}


def test_the_keys_are_those_of_the_readers() -> None:
    """What can be read has a schema, and nothing else has."""
    properties = {name: it.get("properties", {}) for name, it in SCHEMA["$defs"].items()}
    assert properties["scenario"].keys() == {*READERS, "do"} == attrs.fields_dict(Scenario).keys()
    assert [*properties["action"]] == [*action_format.NAMES, "expect", "check"]
    assert properties["expectation"].keys() == expectation_format.FORMS.keys() == CLAIMED.keys()
    assert scenario_words.ACTION.keys() == set(action_format.NAMES)


# --- what is right ---


@pytest.mark.parametrize("data", FILES)
def test_every_scenario_file_of_the_project_is_right(data: Any) -> None:
    """The suite, the examples and the documents hold nothing wrong, but a misspelt step."""
    assert [text for _, text in problems_in(data) if "(perhaps 'apply'?)" not in text] == []
    assert CHECKER.places(data) == set()


def test_everything_that_can_be_written_is_right() -> None:
    """Every key and every way to write it is accepted by both."""
    assert problems_in(EVERYTHING) == ()
    assert CHECKER.places(EVERYTHING) == set()


# --- what is wrong ---

HERE: Final = "scenarios[0]"
DO: Final = f"{HERE}.do[0]"
EXPECT: Final = f"{HERE}.expect"


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (None, ""),
        ({"format": "conductor-scenario/2", "scenarios": []}, "format"),
        ({"format": "conductor-scenario/1"}, ""),
        ({"format": "conductor-scenario/1", "scenarios": []}, "scenarios"),
        ({**scenarios(), "scenario": []}, "scenario"),
        ({"format": "conductor-scenario/1", "scenarios": [{"name": "s"}]}, HERE),
        (scenarios(name=""), f"{HERE}.name"),
        (scenarios(spec=["S1"]), f"{HERE}.spec"),
        (scenarios(flwo={}), f"{HERE}.flwo"),
        (scenarios(flow={"group": []}), f"{HERE}.flow.group"),
        (scenarios(flow={"groups": [{"key": "g"}]}), f"{HERE}.flow.groups[0].steps"),
        (scenarios(flow_id="-"), f"{HERE}.flow_id"),
        (scenarios(work=["a"]), f"{HERE}.work"),
        (scenarios(work={"a": "fail"}), f"{HERE}.work.a"),
        (scenarios(work={"a": ["okay"]}), f"{HERE}.work.a[0]"),
        (scenarios(work={"a": [{"attempt": "a#1"}]}), f"{HERE}.work.a[0].attempt"),
        (scenarios(work={"a": [{"outcome": "good"}]}), f"{HERE}.work.a[0].outcome"),
        (scenarios(work={"a": [{"noop": "yes"}]}), f"{HERE}.work.a[0].noop"),
        (scenarios(work={"a": [{"metadata": 7}]}), f"{HERE}.work.a[0].metadata"),
        (scenarios(work={"a": [{"error": {"mesage": ""}}]}), f"{HERE}.work.a[0].error.mesage"),
        (scenarios(ignores_cancel=[1]), f"{HERE}.ignores_cancel[0]"),
        (scenarios(hold_continue_as_new="yes"), f"{HERE}.hold_continue_as_new"),
        (scenarios(generate={}), f"{HERE}.generate"),
        (scenarios(generate={"partial": [], "fail": ""}), f"{HERE}.generate"),
        (scenarios(generate=[{"key": 1}]), f"{HERE}.generate[0].key"),
        (scenarios(generate=[{"key": "g", "steps": [{"key": "s", "cwd": "x"}]}]),
         f"{HERE}.generate[0].steps[0].cwd"),
        (scenarios(do={}), f"{HERE}.do"),
        (doing(None), DO),
        (doing({}), DO),
        (doing({"aprove": "a"}), f"{DO}.aprove"),
        (doing({"approve": "a", "deny": "a"}), DO),
        (doing({"approve": 7}), f"{DO}.approve"),
        (doing({"approve": {"by": "ana"}}), f"{DO}.approve"),
        (doing({"approve": {"step": "a", "who": "ana"}}), f"{DO}.approve.who"),
        (doing({"retry": {"step": "a"}}), f"{DO}.retry"),
        (doing({"rerun": "a"}), f"{DO}.rerun"),
        (doing({"rerun": {"step": "a", "continue_from_idx": -1}}), f"{DO}.rerun.continue_from_idx"),
        (doing({"cancel": {"group": "g", "step": "a"}}), f"{DO}.cancel"),
        (doing({"append": [{"key": "h", "colour": 1}]}), f"{DO}.append[0].colour"),
        (doing({"start": "maybe"}), f"{DO}.start"),
        (doing({"start": 1}), f"{DO}.start"),
        (doing({"start": "no", "expect": "accepted"}), f"{DO}.expect"),
        (doing({"start": False, "expect": "accepted"}), f"{DO}.expect"),
        (doing({"advance": -1}), f"{DO}.advance"),
        (doing({"advance": 1, "expect": "accepted"}), f"{DO}.expect"),
        (doing({"snapshot": {}, "expect": "accepted"}), f"{DO}.expect"),
        (doing({"snapshot": {"a": 1}}), f"{DO}.snapshot.a"),
        (doing({"generated": {"complete": True}}), f"{DO}.generated"),
        (doing({"finish": {"outcome": "failed"}}), f"{DO}.finish"),
        (doing({"continue-as-new": {"fact": "ended"}}), f"{DO}.continue-as-new.fact"),
        (doing({"approve": "a", "expect": "rejected"}), f"{DO}.expect"),
        (doing({"approve": "a", "expect": {"rejected": ""}}), f"{DO}.expect.rejected"),
        (doing({"approve": "a", "expect": {"rejected": "a", "ignored": "b"}}), f"{DO}.expect"),
        (doing({"approve": "a", "check": {"flw": "error"}}), f"{DO}.check.flw"),
        (scenarios(expect={"flow": "good"}), f"{EXPECT}.flow"),
        (scenarios(expect={"step": "a"}), f"{EXPECT}.step"),
        (scenarios(expect={"steps": {"a": "success"}}), f"{EXPECT}.steps.a"),
        (scenarios(expect={"steps": {"a#1": "good"}}), f"{EXPECT}.steps['a#1']"),
        (scenarios(expect={"directives": {"a#1": "go"}}), f"{EXPECT}.directives['a#1']"),
        (scenarios(expect={"attempts": {"a": -1}}), f"{EXPECT}.attempts.a"),
        (scenarios(expect={"commands": {"dispatch": 1}}), f"{EXPECT}.commands.dispatch"),
        (scenarios(expect={"absent": ["a"]}), f"{EXPECT}.absent[0]"),
        (scenarios(expect={"inputs": {"b#1": 7}}), f"{EXPECT}.inputs['b#1']"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_wrong_for_both_and_in_one_place(data: Any, place: str) -> None:
    """An editor marks the place that the reader names."""
    assert place in {path for path, _ in problems_in(data)}
    assert place in CHECKER.places(data)


@pytest.mark.parametrize("name", action_format.NAMES)
def test_an_action_takes_the_same_values_for_both(name: str) -> None:
    """Whatever an action is given, reader and schema agree about it."""
    values: tuple[Any, ...] = (
        *ODDITIES,
        {"step": "a"},
        {"by": "ana"},
        {"groups": []},
        {"attempt": "a#1"},
        [GROUP],
    )
    for value in values:
        data = doing({name: value})
        assert disagreements(decode_scenarios, CHECKER, data, UNTOLD) == [], value


@pytest.mark.parametrize("topic", expectation_format.FORMS)
def test_a_topic_takes_the_same_claims_for_both(topic: str) -> None:
    """Whatever is claimed, reader and schema agree whether it can be."""
    claims = (*ODDITIES, *({key: it} for key in ("a#1", "a", "dispatch-step") for it in ODDITIES))
    for claim in claims:
        data = scenarios(expect={topic: claim})
        assert disagreements(decode_scenarios, CHECKER, data, UNTOLD) == [], claim


@pytest.mark.parametrize("topic", ["flow", "steps", "directives", "groups"])
def test_what_may_be_claimed_is_among_the_same_words(topic: str) -> None:
    """The choices of the schema are those that the reader names."""
    words = [word for word in CLAIMED[topic]["enum"] if word is not None]  # type: ignore[index]
    claim = "no such word" if topic == "flow" else {"a#1" if topic != "groups" else "g": "none"}
    [(_, text)] = problems_in(scenarios(expect={topic: claim}))
    assert f"expected one of {', '.join(words)}, got" in text


@pytest.mark.parametrize(
    "data",
    [
        {"format": "conductor-scenario/1", "scenarios": [*scenarios()["scenarios"] * 2]},
        scenarios(work={"c": ["ok"]}),
        scenarios(expect={"groups": {"h": "success"}}),
        doing({"pause": {}}, {"start": "no"}),
        scenarios(work={"a": [{"error": {"retry_after_ms": 1.0}}]}),
    ],
)
def test_what_no_schema_tells_is_left_to_the_reader(data: Any) -> None:
    """The differences that the documents name are differences."""
    assert CHECKER.accepts(data)
    assert problems_in(data)
    assert all(UNTOLD.search(text) for _, text in problems_in(data))


@settings(deadline=None)
@given(mutated(RIGHT))
def test_reader_and_schema_agree_on_what_is_changed(data: Any) -> None:
    """Whatever is dropped, added or replaced: both accept it, both refuse it, or it is untold."""
    assert disagreements(decode_scenarios, CHECKER, data, UNTOLD) == []
